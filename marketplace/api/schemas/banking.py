"""Bank transfers and what buyers owe on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, PageQuery, Strict, Whole, identifier, line, one_of, page_of
from marketplace.billing.bank.states import BankLineState, MatchRule
from marketplace.kit.money import AMOUNT_MAX


class VirtualAccountView(Schema):
    """The bank account that only this buyer transfers to: three digits of the branch, seven of the account."""

    number = fields.String(required=True)
    organization_id = fields.String(required=True)
    assigned_at = Instant(required=True)


class BankLineQuery(PageQuery):
    """Which bank lines; those in suspense wait for somebody to say whose they are."""

    state = one_of(BankLineState)


class BankLineView(Schema):
    """One incoming transfer, by which rule it was taken for what it was, and where its money stands."""

    id = fields.String(required=True)
    booked_on = fields.Date(required=True)
    amount_yen = fields.Integer(required=True)
    payer = fields.String(required=True)
    account = fields.String(allow_none=True)
    reference = fields.String(required=True)
    state = one_of(BankLineState, required=True)
    rule = one_of(MatchRule, required=True)
    hint_organization_id = fields.String(
        allow_none=True, metadata={"description": "whose transfer came under this name before; matches nothing"}
    )
    organization_id = fields.String(allow_none=True)
    applied_yen = fields.Integer(required=True)
    unapplied_yen = fields.Integer(required=True)
    returned_yen = fields.Integer(required=True)
    imported_at = Instant(required=True)


class BankLineAssignment(Strict):
    """Whose transfer a line in suspense was: a buyer, or the invoice that it pays."""

    organization_id = identifier("org")
    invoice_id = identifier("inv")


class BankLineReturn(Strict):
    """Why a transfer is sent back."""

    reason = line(500, required=True)


class UnappliedUse(Strict):
    """Which open invoice is paid with money that its buyer sent before, and how much of it."""

    invoice_id = identifier("inv", required=True)
    amount_yen = Whole(required=True, validate=validate.Range(1, AMOUNT_MAX))


class UnappliedReturn(Strict):
    """Which payment's money goes back, and how much of it: all that pays nothing where no amount is named."""

    payment_id = identifier("pay", required=True)
    amount_yen = Whole(validate=validate.Range(1, AMOUNT_MAX))
    note = line(1000, load_default="", length_min=0, metadata={"description": "for the payer to read"})


class UnappliedUseView(Schema):
    """How much of the amount was owed, and is paid now."""

    invoice_id = fields.String(required=True)
    applied_yen = fields.Integer(required=True)


class ReceivableView(Schema):
    """What a buyer owes on open invoices, may owe at a time, and has sent that pays nothing yet."""

    organization_id = fields.String(required=True)
    owed_yen = fields.Integer(required=True)
    credit_limit_yen = fields.Integer(required=True)
    unapplied_yen = fields.Integer(required=True)
    overdue = fields.List(fields.String(), required=True, metadata={"description": "numbers of overdue invoices"})


class CreditLimitDraft(Strict):
    """What a buyer may owe at a time, with tax; null for the limit of the exchange's settings."""

    credit_limit_yen = Whole(required=True, allow_none=True, validate=validate.Range(0, AMOUNT_MAX))


BankLinePage = page_of(BankLineView)
