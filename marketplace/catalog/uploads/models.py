"""The tables of uploads: what is on its way, and how much room each provider takes."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Upload(Model):
    """A file on its way into a draft release; it has come to its end exactly when it names the file it became.

    ``part`` is the name under which the store holds the bytes so far; who writes them must hold it. ``announced``
    is the metadata as the client wrote it.
    """

    __tablename__ = "upload"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("0 <= offset_bytes AND offset_bytes <= size_bytes", name="offset_bytes"),
        CheckConstraint("(file_id IS NULL) = (offset_bytes < size_bytes) OR size_bytes = 0", name="file_id"),
        Index("ix_upload_release_id_id", "release_id", "id"),
        Index("ix_upload_expires_at", "expires_at"),
        Index("ix_upload_part", "part", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str]
    media_type: Mapped[str]
    sha256: Mapped[str | None]
    announced: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    offset_bytes: Mapped[int] = mapped_column(BigInteger)
    part: Mapped[str]
    file_id: Mapped[str | None] = mapped_column(ForeignKey("file.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class ProviderStorage(Model):
    """How much room an organization takes: bytes of its files, bytes promised to its open uploads, and their number."""

    __tablename__ = "provider_storage"
    __table_args__ = (
        CheckConstraint("stored_bytes >= 0", name="stored_bytes"),
        CheckConstraint("reserved_bytes >= 0", name="reserved_bytes"),
        CheckConstraint("uploads_open >= 0", name="uploads_open"),
    )

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    stored_bytes: Mapped[int] = mapped_column(BigInteger)
    reserved_bytes: Mapped[int] = mapped_column(BigInteger)
    uploads_open: Mapped[int] = mapped_column(Integer)
