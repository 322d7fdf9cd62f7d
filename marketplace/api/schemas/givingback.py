"""Refunds, disputes, cancellations and service levels on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, PageQuery, Strict, Whole, identifier, line, one_of, page_of, pattern
from marketplace.api.schemas.prices import Truth
from marketplace.billing.disputes.states import DisputeState
from marketplace.billing.refunds.states import RefundReason, RefundState, RefundWay
from marketplace.licensing.service_levels import STEPS_MAX, WHOLE_BASIS_POINTS

YEN_MAX = 999_999_999_999
MONTH = pattern("20[0-9]{2}-(0[1-9]|1[0-2])", "Not a month such as 2026-11.")
SHA256 = pattern("[0-9a-f]{64}", "Not a SHA-256 in lower-case hex.")


class RefundDraft(Strict):
    """What to give back of an invoice, tax included: all that is left of it where no amount is named."""

    amount_yen = Whole(validate=validate.Range(1, YEN_MAX))
    note = line(1000, load_default="", length_min=0, metadata={"description": "for the other party to read"})
    ends_access = Truth(
        load_default=False, metadata={"description": "end access though a part is kept; giving back all always ends it"}
    )


class RefundView(Schema):
    """One refund: `way` says who moves the money, `state` how far it has come."""

    id = fields.String(required=True)
    invoice_id = fields.String(
        required=True, allow_none=True, metadata={"description": "null where money goes back that paid nothing"}
    )
    payment_id = fields.String(allow_none=True)
    organization_id = fields.String(required=True)
    provider_organization_id = fields.String(required=True)
    amount_yen = fields.Integer(required=True)
    way = one_of(RefundWay, required=True)
    reason = one_of(RefundReason, required=True)
    note = fields.String(required=True)
    ends_access = fields.Boolean(required=True)
    state = one_of(RefundState, required=True)
    failure = fields.String(allow_none=True)
    created_at = Instant(required=True)
    settled_at = Instant(allow_none=True)


class RefundsView(Schema):
    """The refunds that a request made: one for each way that the money came."""

    items = fields.List(fields.Nested(RefundView), required=True)


class RefundQuery(PageQuery):
    """Which refunds."""

    invoice_id = identifier("inv")


class BankRefundNote(Strict):
    """What became of a refund by bank transfer."""

    succeeded = Truth(required=True)
    failure = line(200, metadata={"description": "why it came back"})


class DisputeView(Schema):
    """A payment that its buyer contests at the bank; `lost_yen` is what the sale lost by it."""

    id = fields.String(required=True)
    payment_id = fields.String(required=True)
    invoice_id = fields.String(allow_none=True)
    organization_id = fields.String(required=True)
    provider_organization_id = fields.String(allow_none=True)
    amount_yen = fields.Integer(required=True)
    lost_yen = fields.Integer(required=True)
    reason = fields.String(required=True)
    state = one_of(DisputeState, required=True)
    evidence_due_at = Instant(allow_none=True)
    opened_at = Instant(required=True)
    closed_at = Instant(allow_none=True)


class DisputeQuery(PageQuery):
    """Which disputes."""

    state = one_of(DisputeState)


class CreditStepDraft(Strict):
    """Below this availability of a month, that part of the month's price comes back."""

    below_basis_points = Whole(required=True, validate=validate.Range(1, WHOLE_BASIS_POINTS))
    credit_basis_points = Whole(required=True, validate=validate.Range(1, WHOLE_BASIS_POINTS))


class PromiseView(Schema):
    """One sentence of what an offer promises beside its terms."""

    ja = fields.String(required=True)
    en = fields.String(required=True)


class MeasurementDraft(Strict):
    """How much of a month a dataset could be had, with where the evidence is and its SHA-256."""

    dataset_id = identifier("ds", required=True)
    month = fields.String(required=True, validate=MONTH)
    availability_basis_points = Whole(required=True, validate=validate.Range(0, WHOLE_BASIS_POINTS))
    evidence_reference = line(200, required=True)
    evidence_sha256 = fields.String(required=True, validate=SHA256)


class MeasurementView(Schema):
    """What was measured, from which the credits of the offers follow."""

    id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    month = fields.String(required=True)
    availability_basis_points = fields.Integer(required=True)
    evidence_reference = fields.String(required=True)
    evidence_sha256 = fields.String(required=True)
    measured_by = fields.String(required=True)
    created_at = Instant(required=True)


class MeasurementQuery(PageQuery):
    """Which measurements."""

    dataset_id = identifier("ds")


SERVICE_LEVEL = validate.Length(0, STEPS_MAX)
RefundPage = page_of(RefundView)
DisputePage = page_of(DisputeView)
MeasurementPage = page_of(MeasurementView)
