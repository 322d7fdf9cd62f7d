"""The tables of the record, append-only in the database itself: entries, leaves, nodes and what was signed of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model

BLOCK = 32_768
"""Places in a block of the index: 4 KB of bits, so that ten million entries are 1.2 MB for each condition."""


class Entry(Model):
    """One deed, written in the deed's own transaction. ``canonical`` is what the leaf commits to."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_occurred_at_id", "occurred_at", "id"),
        Index("ix_audit_entry_organization_id_occurred_at", "organization_id", "occurred_at"),
        Index("ix_audit_entry_counterparty_id_occurred_at", "counterparty_id", "occurred_at"),
        Index("ix_audit_entry_subject", "subject"),
        Index("ix_audit_entry_dataset_id_occurred_at", "dataset_id", "occurred_at"),
        Index("ix_audit_entry_verb_occurred_at", "verb", "occurred_at"),
        Index("ix_audit_entry_amount_minor_occurred_at", "amount_minor", "occurred_at"),
        # A bundle of entries gives each 16 bits for its length (C2SP tlog-tiles).
        CheckConstraint("octet_length(canonical) <= 65535", name="fits_a_tile"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    occurred_at: Mapped[datetime]
    organization_id: Mapped[str]
    client_id: Mapped[str | None]
    member_id: Mapped[str | None]
    verb: Mapped[str]
    subject: Mapped[str]
    counterparty_id: Mapped[str | None]
    dataset_id: Mapped[str | None]
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    facts: Mapped[dict[str, Any]]
    canonical: Mapped[str]


class Waiting(Model):
    """An entry that has no place yet, written by a trigger: the sequencer need not search the whole record for it."""

    __tablename__ = "audit_waiting"

    occurred_at: Mapped[datetime] = mapped_column(primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("audit_entry.id"), primary_key=True)


class Leaf(Model):
    """The place of an entry in the tree; absent until the sequencer has come by."""

    __tablename__ = "audit_leaf"
    # Where verification does not look, nothing can be hidden.
    __table_args__ = (CheckConstraint("position >= 0", name="counted_from_zero"),)

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[str] = mapped_column(ForeignKey("audit_entry.id"), unique=True)


class Node(Model):
    """The hash of one complete subtree (RFC 6962 section 2.1); level 0 holds the leaf hashes."""

    __tablename__ = "audit_node"
    __table_args__ = (CheckConstraint("position >= 0", name="counted_from_zero"),)

    level: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class Checkpoint(Model):
    """The root over the first ``size`` leaves as it was signed; ``note`` is the whole signed note of the log."""

    __tablename__ = "audit_checkpoint"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[str]
    signed_at: Mapped[datetime]


class Cosignature(Model):
    """What a witness, named by its key, has signed of a checkpoint: a line of the note."""

    __tablename__ = "audit_cosignature"

    size: Mapped[int] = mapped_column(ForeignKey("audit_checkpoint.size"), primary_key=True)
    witness: Mapped[str] = mapped_column(primary_key=True)
    line: Mapped[str]
    witnessed_at: Mapped[datetime]


class LogKey(Model):
    """A key that checkpoints were signed with, as verifiers know it; kept for good, since receipts are."""

    __tablename__ = "audit_log_key"

    vkey: Mapped[str] = mapped_column(primary_key=True)
    first_used_at: Mapped[datetime]


class Look(Model):
    """A look of an auditor that is on the record for this hour; a row for each, so that the next ones write nothing."""

    __tablename__ = "audit_look"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    looker: Mapped[str] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(primary_key=True)
    thing: Mapped[str] = mapped_column(primary_key=True)


class Block(Model):
    """So many places of the tree in a row: how many of them the index knows, and when their entries were written."""

    __tablename__ = "audit_block"

    block: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    entries: Mapped[int] = mapped_column(Integer)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


class Trait(Model):
    """At which places of a block are entries of one organization, counterparty, verb, dataset or hour; derived."""

    __tablename__ = "audit_trait"

    trait: Mapped[str] = mapped_column(primary_key=True)
    block: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    places: Mapped[Any] = mapped_column(BIT(BLOCK))


class Floor(Model):
    """At which places of a block are entries of an amount of ``floor`` or more; derived."""

    __tablename__ = "audit_floor"

    block: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    floor: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    places: Mapped[Any] = mapped_column(BIT(BLOCK))
