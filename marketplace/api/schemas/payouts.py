"""Payouts, accounts they go to, and revenue on the wire."""

from typing import Any

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, PageQuery, Strict, identifier, line, one_of, page_of, pattern
from marketplace.api.schemas.prices import Truth
from marketplace.billing.payouts.states import AccountType, PayoutState, PayoutWay
from marketplace.identity.states import OrganizationKind

DIGITS_SHOWN = 3


class PayoutAccountDraft(Strict):
    """Where one's money goes. Kana may be full-width or half-width; banks' half-width is what is kept."""

    bank_code = fields.String(required=True, validate=pattern("[0-9]{4}", "Not four digits."))
    branch_code = fields.String(required=True, validate=pattern("[0-9]{3}", "Not three digits."))
    account_type = one_of(AccountType, required=True, metadata={"description": "1 普通, 2 当座, 4 貯蓄"})
    account_number = fields.String(required=True, validate=pattern("[0-9]{7}", "Not seven digits."))
    holder_kana = line(200, required=True)
    is_business = Truth(required=True, metadata={"description": "payees are in business: individuals are refused"})
    country = fields.String(load_default="JP", validate=pattern("[A-Z]{2}", "Not a country such as JP."))
    connect_account_id = fields.String(
        allow_none=True, load_default=None, validate=pattern("acct_[A-Za-z0-9]{1,64}", "Not an acct_… id.")
    )
    accepts_receipt_agency = Truth(
        required=True,
        validate=validate.OneOf([True], error="The exchange receives buyers' money in your name (代理受領) only so."),
        metadata={"description": "that buyers' payments to the exchange pay what they owe to you (代理受領)"},
    )


class PayoutAccountView(Schema):
    """Where an organization's money goes; `receipt_agency_at` is when it let the exchange receive it."""

    organization_id = fields.String(required=True)
    bank_code = fields.String(required=True)
    branch_code = fields.String(required=True)
    account_type = one_of(AccountType, required=True)
    account_number = fields.String(required=True)
    holder_kana = fields.String(required=True)
    country = fields.String(required=True)
    connect_account_id = fields.String(allow_none=True)
    receipt_agency_at = Instant(required=True)
    changed_at = Instant(required=True)


class PayableView(Schema):
    """What a provider may draw now; below zero it owes. `pending_yen` waits for its hold period or its payment."""

    organization_id = fields.String(required=True)
    amount_yen = fields.Integer(required=True)
    available_yen = fields.Integer(required=True)
    offset_yen = fields.Integer(required=True, metadata={"description": "commission of sales paid outside"})
    pending_yen = fields.Integer(required=True)
    earnings = fields.Integer(required=True)


class PayablesView(Schema):
    """The payable report."""

    items = fields.List(fields.Nested(PayableView), required=True)


class DestinationView(Schema):
    """Where a payout goes, as the account was when it was drawn; of the number the last digits alone."""

    bank_code = fields.String()
    branch_code = fields.String()
    account_type = fields.String()
    account_number = fields.Method("shortened", metadata={"type": "string"})
    holder_kana = fields.String()
    connect_account_id = fields.String(allow_none=True)

    def shortened(self, account: dict[str, Any]) -> str:
        """Return a number that its owner knows again and others cannot use."""
        number = str(account.get("account_number", ""))
        return "*" * (len(number) - DIGITS_SHOWN) + number[-DIGITS_SHOWN:]


class PayoutView(Schema):
    """One settlement with one provider; a claim goes from the provider to the exchange."""

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    amount_yen = fields.Integer(required=True)
    offset_yen = fields.Integer(required=True, metadata={"description": "commission of sales paid outside, netted"})
    way = one_of(PayoutWay, required=True)
    state = one_of(PayoutState, required=True)
    account = fields.Nested(DestinationView, required=True)
    file_id = fields.String(allow_none=True)
    gateway_transfer_id = fields.String(allow_none=True)
    created_at = Instant(required=True)
    sent_at = Instant(allow_none=True)
    paid_on = fields.Date(allow_none=True)
    failure = fields.String(allow_none=True)


class PayoutsView(Schema):
    """The payouts that were drawn."""

    items = fields.List(fields.Nested(PayoutView), required=True)


class PayoutQuery(PageQuery):
    """Which payouts."""

    state = one_of(PayoutState)


class PayoutDrawing(Strict):
    """Whose payout to draw; that of every provider who may draw enough when nobody is named."""

    organization_id = identifier("org")


class PayoutClaim(Strict):
    """Which provider is asked to pay what it owes."""

    organization_id = identifier("org", required=True)


class PaidNote(Strict):
    """On which day the money moved."""

    paid_on = fields.Date(required=True)


class FailureNote(Strict):
    """Why the money did not arrive."""

    reason = line(200, required=True)


class PayoutFileDraft(Strict):
    """On which day the bank is to transfer (振込指定日)."""

    transfer_on = fields.Date(required=True)


class PayoutFileView(Schema):
    """A file of bank transfers; `GET /v1/payout-files/{id}` gives its bytes."""

    id = fields.String(required=True)
    transfer_on = fields.Date(required=True)
    payouts = fields.Integer(required=True)
    amount_yen = fields.Integer(required=True)
    created_at = Instant(required=True)


class RevenueQuery(Strict):
    """Which days, both included, and in which form."""

    date_from = fields.Date()
    date_to = fields.Date()
    format = one_of(("json", "csv"), load_default="json")


class RevenueView(Schema):
    """What one provider sold of one dataset to one class of buyers in one month, less what was given back."""

    month = fields.String(required=True)
    organization_id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    title_ja = fields.String(required=True)
    title_en = fields.String(required=True)
    buyer_kind = one_of(OrganizationKind, required=True)
    sales = fields.Integer(required=True)
    net_yen = fields.Integer(required=True)
    tax_yen = fields.Integer(required=True)
    commission_yen = fields.Integer(required=True)
    commission_tax_yen = fields.Integer(required=True)
    outside_yen = fields.Integer(required=True, metadata={"description": "what buyers paid to the provider itself"})
    payable_yen = fields.Integer(required=True)


class RevenuesView(Schema):
    """The revenue report."""

    items = fields.List(fields.Nested(RevenueView), required=True)


PayoutPage = page_of(PayoutView)
