"""Tables of discounts: eligibilities, coupons, and what orders took; triggers hold all but the moving columns."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Eligibility(Model):
    """That an organization claims, and the operator has judged, that it belongs to a class of buyers.

    The evidence itself stays where it is: a reference and the SHA-256 of the file that the operator saw.
    """

    __tablename__ = "eligibility"
    __table_args__ = (
        CheckConstraint("discount_class IN ('public_interest', 'academic', 'sme', 'same_city')", name="discount_class"),
        CheckConstraint("state IN ('applied', 'granted', 'refused')", name="state"),
        CheckConstraint("evidence_reference <> ''", name="evidence_reference"),
        CheckConstraint("evidence_sha256 ~ '^[0-9a-f]{64}$'", name="evidence_sha256"),
        CheckConstraint("(state = 'applied') = (decided_at IS NULL)", name="decided_at"),
        CheckConstraint("state <> 'granted' OR valid_until IS NOT NULL", name="valid_until"),
        CheckConstraint("state <> 'refused' OR decision_reason IS NOT NULL", name="decision_reason"),
        Index("ix_eligibility_organization_id_id", "organization_id", "id"),
        Index(
            "uq_eligibility_organization_id_discount_class",
            "organization_id",
            "discount_class",
            unique=True,
            postgresql_where=text("state = 'applied'"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    discount_class: Mapped[str]
    evidence_reference: Mapped[str]
    evidence_sha256: Mapped[str]
    state: Mapped[str]
    single_use: Mapped[bool]
    valid_until: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    applied_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]


class Coupon(Model):
    """A secret code of a provider that takes percent or yen off its offers, or one of them, so many times."""

    __tablename__ = "coupon"
    __table_args__ = (
        CheckConstraint("code_sha256 ~ '^[0-9a-f]{64}$'", name="code_sha256"),
        CheckConstraint("num_nonnulls(basis_points, amount_yen) = 1", name="worth"),
        CheckConstraint("basis_points BETWEEN 1 AND 10000", name="basis_points"),
        CheckConstraint("amount_yen BETWEEN 1 AND 999999999999", name="amount_yen"),
        CheckConstraint("valid_from < valid_until", name="window"),
        CheckConstraint("redemptions BETWEEN 0 AND max_redemptions", name="redemptions"),
        CheckConstraint("max_redemptions >= 1", name="max_redemptions"),
        CheckConstraint("state IN ('open', 'ended')", name="state"),
        UniqueConstraint("code_sha256"),
        Index("ix_coupon_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    offer_id: Mapped[str | None] = mapped_column(ForeignKey("offer.id"))
    code_sha256: Mapped[str]
    basis_points: Mapped[int | None]
    amount_yen: Mapped[int | None] = mapped_column(BigInteger)
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime]
    max_redemptions: Mapped[int]
    redemptions: Mapped[int]
    state: Mapped[str]
    created_at: Mapped[datetime]


class DiscountUse(Model):
    """What one order took off for one reason, until it was given back."""

    __tablename__ = "discount_use"
    __table_args__ = (
        CheckConstraint("kind IN ('eligibility', 'coupon')", name="kind"),
        CheckConstraint(
            "(kind = 'eligibility') = (eligibility_id IS NOT NULL) AND (kind = 'coupon') = (coupon_id IS NOT NULL)",
            name="source",
        ),
        CheckConstraint("amount_yen >= 0", name="amount_yen"),
        UniqueConstraint("order_id", "kind", name="uq_discount_use_order_id_kind"),
        Index("ix_discount_use_coupon_id", "coupon_id"),
        # The database itself lets a single-use eligibility be held by one order at a time.
        Index(
            "uq_discount_use_eligibility_id",
            "eligibility_id",
            unique=True,
            postgresql_where=text("single_use AND given_back_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("purchase_order.id", deferrable=True, initially="DEFERRED"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    kind: Mapped[str]
    eligibility_id: Mapped[str | None] = mapped_column(ForeignKey("eligibility.id"))
    coupon_id: Mapped[str | None] = mapped_column(ForeignKey("coupon.id"))
    single_use: Mapped[bool]
    basis_points: Mapped[int | None]
    amount_yen: Mapped[int] = mapped_column(BigInteger)
    taken_at: Mapped[datetime]
    given_back_at: Mapped[datetime | None]
