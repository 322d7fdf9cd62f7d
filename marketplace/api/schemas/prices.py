"""Prices, shares, discounts, eligibilities and coupons on the wire."""

from typing import Any

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, PageQuery, Strict, Whole, identifier, line, one_of, page_of, pattern
from marketplace.billing.discounts.states import CouponState, EligibilityState
from marketplace.licensing.states import BillingPeriod, DiscountClass, DownloadDue, PriceKind, UsageUnit

YEN_MAX = 999_999_999_999
UNITS_MAX = 2**40
SHA256 = pattern("[0-9a-f]{64}", "Not a SHA-256 in lower-case hex.")


class Truth(fields.Boolean):
    """True or false: 1, "true" and "yes" are not."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


def exact(**kwargs: Any) -> fields.String:
    """Return a field for a decimal of at most 12 places, as text: a JSON number would be rounded on its way."""
    told = {"description": "a decimal as text, such as 0.25", "example": "0.25"}
    sane = pattern(r"[0-9]{1,12}(\.[0-9]{1,12})?", "Not a decimal as text, such as 0.25.")
    return fields.String(validate=sane, metadata=told, **kwargs)


class TierDraft(Strict):
    """A stretch of usage up to and including `up_to` units; the last has no end (null)."""

    up_to = exact(allow_none=True, load_default=None)
    unit_yen = exact(required=True)
    flat_yen = exact(load_default="0")


class PriceDraft(Strict):
    """A price in yen before tax; which members belong to which kind is told in docs/prices.md."""

    kind = one_of(PriceKind, required=True)
    amount_yen = Whole(validate=validate.Range(0, YEN_MAX))
    unit = one_of(UsageUnit)
    download_due = one_of(DownloadDue)
    unit_yen = exact()
    tiers = fields.List(fields.Nested(TierDraft), validate=validate.Length(1, 100))
    package_size = Whole(validate=validate.Range(1, UNITS_MAX))
    included_units = Whole(validate=validate.Range(0, UNITS_MAX))
    minimum_yen = Whole(allow_none=True, validate=validate.Range(0, YEN_MAX))
    maximum_yen = Whole(allow_none=True, validate=validate.Range(1, YEN_MAX))
    flat_fee_at_zero = Truth()
    period = one_of(BillingPeriod)
    term_months = Whole(allow_none=True, validate=validate.Range(1, 36))
    fiscal_year = Truth()
    trial_days = Whole(validate=validate.Range(0, 366))


class TierView(Schema):
    """A stretch of usage up to and including `up_to` units; the last has no end (null)."""

    up_to = fields.String(allow_none=True, required=True)
    unit_yen = fields.String(required=True)
    flat_yen = fields.String(required=True)


class PriceView(Schema):
    """A price in yen before tax: the members of its kind."""

    kind = one_of(PriceKind, required=True)
    amount_yen = fields.Integer()
    unit = one_of(UsageUnit)
    download_due = one_of(DownloadDue)
    unit_yen = fields.String()
    tiers = fields.List(fields.Nested(TierView))
    package_size = fields.Integer()
    included_units = fields.Integer()
    minimum_yen = fields.Integer(allow_none=True)
    maximum_yen = fields.Integer(allow_none=True)
    flat_fee_at_zero = fields.Boolean()
    period = one_of(BillingPeriod)
    term_months = fields.Integer(allow_none=True)
    fiscal_year = fields.Boolean()
    trial_days = fields.Integer()


class ShareDraft(Strict):
    """The part of the revenue that goes to one verified provider."""

    organization_id = identifier("org", required=True)
    basis_points = Whole(required=True, validate=validate.Range(1, 10_000))


class DiscountDraft(Strict):
    """What buyers of one class are granted off the price before tax."""

    discount_class = one_of(DiscountClass, required=True, data_key="class", attribute="class")
    basis_points = Whole(required=True, validate=validate.Range(1, 10_000))


class EligibilityDraft(Strict):
    """An application: the class, where the evidence is found, and the SHA-256 of its file. No personal data."""

    discount_class = one_of(DiscountClass, required=True, data_key="class")
    evidence_reference = line(500, required=True)
    evidence_sha256 = fields.String(required=True, validate=SHA256)


class EligibilityView(Schema):
    """What an organization has applied for, and how the operator decided."""

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    discount_class = one_of(DiscountClass, required=True, data_key="class")
    evidence_reference = fields.String(required=True)
    evidence_sha256 = fields.String(required=True)
    state = one_of(EligibilityState, required=True)
    single_use = fields.Boolean(required=True)
    valid_until = Instant(allow_none=True)
    decision_reason = fields.String(allow_none=True)
    applied_at = Instant(required=True)
    decided_at = Instant(allow_none=True)


class EligibilityQuery(PageQuery):
    """Which eligibilities."""

    state = one_of(EligibilityState)


class EligibilityGrant(Strict):
    """Until when the evidence is good, and whether for one order alone."""

    valid_until = Instant(required=True)
    single_use = Truth(load_default=False)


class EligibilityRefusal(Strict):
    """Why the evidence is wanting."""

    reason = line(500, required=True)


class CouponDraft(Strict):
    """A coupon: percent (in basis points) or yen, off all one's offers or off one."""

    basis_points = Whole(validate=validate.Range(1, 10_000))
    amount_yen = Whole(validate=validate.Range(1, YEN_MAX))
    offer_id = identifier("ofr")
    valid_from = Instant()
    valid_until = Instant(required=True)
    max_redemptions = Whole(load_default=1, validate=validate.Range(1, 1_000_000))


class CouponView(Schema):
    """A coupon, without its code, which the exchange does not keep."""

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    offer_id = fields.String(allow_none=True)
    basis_points = fields.Integer(allow_none=True)
    amount_yen = fields.Integer(allow_none=True)
    valid_from = Instant(required=True)
    valid_until = Instant(required=True)
    max_redemptions = fields.Integer(required=True)
    redemptions = fields.Integer(required=True)
    state = one_of(CouponState, required=True)
    created_at = Instant(required=True)


class NewCouponView(CouponView):
    """A coupon with its code, shown this once."""

    code = fields.String(required=True)


EligibilityPage = page_of(EligibilityView)
CouponPage = page_of(CouponView)
