"""Tables of issued documents and of their numbers."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.billing.documents.states import DocumentKind
from marketplace.kit.db import Model

KINDS = ", ".join(repr(kind.value) for kind in DocumentKind)


class Document(Model):
    """One issued document. ``content`` is all that it says; the columns beside it are for finding it.

    ``amount_yen`` is the total with tax, below zero on credit notes. Nothing here ever changes, and
    no row leaves before ``retain_until``: triggers see to it.
    """

    __tablename__ = "document"
    __table_args__ = (
        CheckConstraint(f"kind IN ({KINDS})", name="kind"),
        CheckConstraint("kind <> 'correction' OR corrects IS NOT NULL", name="correction"),
        CheckConstraint("kind <> 'credit_note' OR (corrects IS NOT NULL AND amount_yen <= 0)", name="credit_note"),
        CheckConstraint("retain_until >= issued_on + 2557", name="retention"),
        CheckConstraint("jsonb_typeof(about) = 'array'", name="about"),
        Index("ix_document_issuer_organization_id_id", "issuer_organization_id", "id"),
        Index("ix_document_recipient_organization_id_id", "recipient_organization_id", "id"),
        Index("ix_document_transaction_on", "transaction_on"),
        Index("ix_document_issued_on", "issued_on"),
        Index("ix_document_kind_id", "kind", "id"),
        Index("ix_document_amount_yen", "amount_yen"),
        Index("ix_document_about", "about", postgresql_using="gin"),
        Index("ix_document_corrects", "corrects"),
        Index("uq_document_corrects_once", "corrects", unique=True, postgresql_where=text("kind = 'correction'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    number: Mapped[str] = mapped_column(unique=True)
    idem: Mapped[str] = mapped_column(unique=True)
    draft_sha256: Mapped[str]
    content: Mapped[dict[str, Any]]
    content_sha256: Mapped[str]
    issuer_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    recipient_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    transaction_on: Mapped[date] = mapped_column(Date)
    issued_on: Mapped[date] = mapped_column(Date)
    amount_yen: Mapped[int] = mapped_column(BigInteger)
    corrects: Mapped[str | None] = mapped_column(ForeignKey("document.id"))
    about: Mapped[list[str]] = mapped_column(JSONB)
    retain_until: Mapped[date] = mapped_column(Date)
    created_at: Mapped[datetime]


class DocumentCounter(Model):
    """The last serial of one issuer, series and year; its row lock makes numbers gapless."""

    __tablename__ = "document_counter"

    issuer_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    series: Mapped[str] = mapped_column(Text, primary_key=True)
    year: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    last_serial: Mapped[int] = mapped_column(BigInteger)
