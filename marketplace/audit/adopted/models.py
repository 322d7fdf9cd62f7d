"""The tables of adopted records, append-only in the database itself: what was signed, where in the archive it is."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class AdoptedRecord(Model):
    """The record of another operator's exchange, as its log signed it last; ``sha256`` names the archive."""

    __tablename__ = "adopted_record"
    __table_args__ = (
        UniqueConstraint("sha256"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("size > 0", name="size"),
        CheckConstraint("octet_length(root) = 32", name="root"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    origin: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str]
    keys: Mapped[list[str]]
    note: Mapped[str]
    adopted_at: Mapped[datetime]


class AdoptedEntry(Model):
    """The place of an entry in the tree of an adopted record, and of its line among the entries of the archive."""

    __tablename__ = "adopted_entry"

    record_id: Mapped[str] = mapped_column(ForeignKey("adopted_record.id"), primary_key=True)
    entry_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    start: Mapped[int] = mapped_column(BigInteger)


class AdoptedNode(Model):
    """The hash of a complete subtree of an adopted record, of each eighth level; the others are a few hashes away."""

    __tablename__ = "adopted_node"

    record_id: Mapped[str] = mapped_column(ForeignKey("adopted_record.id"), primary_key=True)
    level: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
