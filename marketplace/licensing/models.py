"""Tables of licensing: terms, offers and acceptances, none of which ever changes (triggers hold it)."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model
from marketplace.licensing.states import OfferState, PriceKind, Rail, ReleaseScope


def _one_of(column: str, values: type[OfferState | PriceKind | ReleaseScope]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


KNOWN_RAILS = "[" + ", ".join(f'"{rail.value}"' for rail in Rail) + "]"


class Terms(Model):
    """Usage terms of one provider; ``sha256`` of the canonical ``document`` is their name."""

    __tablename__ = "terms"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", "sha256"),
        CheckConstraint("title_ja <> '' AND title_en <> ''", "title"),
        CheckConstraint("jsonb_typeof(document) = 'object'", "document"),
        UniqueConstraint("organization_id", "sha256"),
        UniqueConstraint("id", "sha256"),
        Index("ix_terms_organization_id_id", "organization_id", "id"),
        Index("ix_terms_sha256", "sha256"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    title_ja: Mapped[str]
    title_en: Mapped[str]
    template: Mapped[str]
    document: Mapped[dict[str, Any]]
    sha256: Mapped[str]
    created_at: Mapped[datetime]


class Offer(Model):
    """A dataset under terms at a price. Only ``state`` ever moves, from open to superseded or withdrawn.

    ``supersedes`` names the version before; a partial unique index lets each be superseded once. ``price``
    is the canonical document, which ``price_kind`` and ``amount_yen`` repeat for queries. Only
    ``buyer_organization_id``, where there is one, may know of the offer; nobody buys after ``valid_until``.
    """

    __tablename__ = "offer"
    __table_args__ = (
        CheckConstraint(_one_of("state", OfferState), "state"),
        CheckConstraint(_one_of("price_kind", PriceKind), "price_kind"),
        CheckConstraint(_one_of("release_scope", ReleaseScope), "release_scope"),
        CheckConstraint(
            "amount_yen BETWEEN 0 AND 999999999999"
            " AND (price_kind IN ('one_off', 'subscription', 'package')) = (amount_yen > 0)",
            "amount_yen",
        ),
        CheckConstraint(
            "(price ->> 'kind') IS NOT DISTINCT FROM price_kind"
            " AND coalesce((price ->> 'amount_yen')::bigint, 0) = amount_yen",
            "price",
        ),
        CheckConstraint(
            f"jsonb_typeof(rails) = 'array' AND rails <@ '{KNOWN_RAILS}'::jsonb"
            " AND (price_kind = 'free') = (rails = '[]'::jsonb)",
            "rails",
        ),
        CheckConstraint("jsonb_typeof(shares) = 'array' AND shares <> '[]'::jsonb", "shares"),
        CheckConstraint("jsonb_typeof(discounts) = 'array'", "discounts"),
        CheckConstraint("buyer_organization_id <> organization_id", "buyer_organization_id"),
        CheckConstraint("fee_ordinance <> ''", "fee_ordinance"),
        CheckConstraint("cancellation IN ('none', 'pro_rata')", "cancellation"),
        CheckConstraint("jsonb_typeof(service_level) = 'array'", "service_level"),
        CheckConstraint("duration_days > 0", "duration_days"),
        CheckConstraint("quota_bytes > 0", "quota_bytes"),
        CheckConstraint("quota_downloads > 0", "quota_downloads"),
        CheckConstraint("quota_rows > 0", "quota_rows"),
        CheckConstraint("quota_requests > 0", "quota_requests"),
        CheckConstraint("quota_streams > 0", "quota_streams"),
        CheckConstraint("version >= 1 AND (version = 1) = (supersedes IS NULL)", "version"),
        ForeignKeyConstraint(["terms_id", "terms_sha256"], ["terms.id", "terms.sha256"]),
        Index(
            "uq_offer_supersedes",
            "supersedes",
            unique=True,
            postgresql_where=text("supersedes IS NOT NULL"),
        ),
        Index("ix_offer_dataset_id_id", "dataset_id", "id"),
        Index("ix_offer_organization_id_id", "organization_id", "id"),
        Index("ix_offer_terms_sha256", "terms_sha256"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    terms_id: Mapped[str]
    terms_sha256: Mapped[str]
    price_kind: Mapped[str]
    amount_yen: Mapped[int] = mapped_column(BigInteger)
    price: Mapped[dict[str, Any]]
    rails: Mapped[list[str]]
    shares: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    discounts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    fee_ordinance: Mapped[str | None]
    cancellation: Mapped[str] = mapped_column(server_default=text("'none'"))
    service_level: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    buyer_organization_id: Mapped[str | None] = mapped_column(ForeignKey("organization.id"))
    valid_until: Mapped[datetime | None]
    duration_days: Mapped[int | None]
    quota_bytes: Mapped[int | None] = mapped_column(BigInteger)
    quota_downloads: Mapped[int | None] = mapped_column(BigInteger)
    quota_rows: Mapped[int | None] = mapped_column(BigInteger)
    quota_requests: Mapped[int | None] = mapped_column(BigInteger)
    quota_streams: Mapped[int | None] = mapped_column(BigInteger)
    release_scope: Mapped[str]
    version: Mapped[int]
    supersedes: Mapped[str | None] = mapped_column(ForeignKey("offer.id"))
    state: Mapped[str]
    created_at: Mapped[datetime]


class Acceptance(Model):
    """That an organization accepted the terms with this hash: through whom and when. Kept for ever.

    There is no foreign key to terms: what was accepted is the text that the hash names, and several
    providers may use the same text. The ids of client and member are stamps, which outlive what they name.
    """

    __tablename__ = "acceptance"
    __table_args__ = (
        CheckConstraint("terms_sha256 ~ '^[0-9a-f]{64}$'", "terms_sha256"),
        UniqueConstraint("organization_id", "terms_sha256"),
        Index("ix_acceptance_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    client_id: Mapped[str | None]
    member_id: Mapped[str | None]
    terms_sha256: Mapped[str]
    accepted_at: Mapped[datetime]
