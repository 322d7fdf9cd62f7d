"""Tables of metering: quotas, deliveries, coverage, usage and what of it has been claimed for billing."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Quota(Model):
    """What a grant includes and what is gone of it; a limit of None is no limit.

    ``reserved_bytes`` and ``reserved_rows`` are held for the ``open_deliveries``, of which each holds a request too.
    ``leased_deliveries`` are promised to serving processes: each holds a request and a download unit.
    ``download_due`` says when a download falls due where the price counts those, and ``due_downloads`` how many did.
    The row is also the lock of the grant's accounting.
    """

    __tablename__ = "quota"
    __table_args__ = (
        CheckConstraint("used_bytes >= 0 AND reserved_bytes >= 0 AND used_downloads >= 0", name="counts"),
        CheckConstraint(
            "used_rows >= 0 AND reserved_rows >= 0 AND used_requests >= 0 AND open_deliveries >= 0", name="more_counts"
        ),
        CheckConstraint("due_downloads >= 0", name="due_downloads"),
        CheckConstraint("download_due IN ('first_byte', 'full_coverage')", name="download_due"),
        CheckConstraint("used_bytes + reserved_bytes <= limit_bytes", name="bytes"),
        CheckConstraint("leased_deliveries >= 0", name="leased"),
        CheckConstraint("used_downloads + leased_deliveries <= limit_downloads", name="downloads"),
        CheckConstraint("used_rows + reserved_rows <= limit_rows", name="rows"),
        CheckConstraint("used_requests + open_deliveries + leased_deliveries <= limit_requests", name="requests"),
        CheckConstraint("open_deliveries <= limit_streams", name="streams"),
    )

    grant_id: Mapped[str] = mapped_column(ForeignKey("access_grant.id"), primary_key=True)
    limit_bytes: Mapped[int | None] = mapped_column(BigInteger)
    used_bytes: Mapped[int] = mapped_column(BigInteger)
    reserved_bytes: Mapped[int] = mapped_column(BigInteger)
    limit_downloads: Mapped[int | None] = mapped_column(BigInteger)
    used_downloads: Mapped[int] = mapped_column(BigInteger)
    limit_rows: Mapped[int | None] = mapped_column(BigInteger)
    used_rows: Mapped[int] = mapped_column(BigInteger)
    reserved_rows: Mapped[int] = mapped_column(BigInteger)
    limit_requests: Mapped[int | None] = mapped_column(BigInteger)
    used_requests: Mapped[int] = mapped_column(BigInteger)
    limit_streams: Mapped[int | None] = mapped_column(BigInteger)
    open_deliveries: Mapped[int] = mapped_column(BigInteger)
    leased_deliveries: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    download_due: Mapped[str | None]
    due_downloads: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class Delivery(Model):
    """One answer with bytes in it, from the grant check to the last byte acknowledged.

    ``progress`` is the acknowledged bytes at ``seen_at``; ``bytes_sent`` and ``bytes_acked`` are final.
    ``sha256``, ``content_bytes`` and ``content_rows`` tell of the content it is a part of: the file, or what was made
    of it; without rows of its own the content has those of the file's profile.
    A delivery with ``unit_taken`` holds one unit of the download quota, until it has passed it on.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'complete', 'broken', 'stalled', 'swept')", name="state"),
        CheckConstraint("start_byte >= 0 AND length >= 0", name="range"),
        CheckConstraint("start_byte + length <= content_bytes AND content_rows >= 0", name="content"),
        CheckConstraint("progress BETWEEN 0 AND length", name="progress"),
        CheckConstraint("bytes_acked BETWEEN 0 AND bytes_sent AND bytes_sent <= length", name="bytes"),
        CheckConstraint("reserved_bytes BETWEEN 0 AND length", name="reserved_bytes"),
        CheckConstraint("reserved_rows >= 0", name="reserved_rows"),
        CheckConstraint(
            "num_nonnulls(closed_at, bytes_sent, bytes_acked) = CASE state WHEN 'open' THEN 0 ELSE 3 END",
            name="closed",
        ),
        CheckConstraint("state <> 'complete' OR bytes_acked = length", name="complete"),
        CheckConstraint("unit_taken OR NOT unit_passed_on", name="unit"),
        CheckConstraint("meter IN ('server', 'edge-log', 'origin')", name="meter"),
        Index("ix_delivery_seen_at_open", "seen_at", postgresql_where=text("state = 'open'")),
        Index(
            "ix_delivery_grant_id_sha256_unit",
            "grant_id",
            "sha256",
            postgresql_where=text("unit_taken AND NOT unit_passed_on"),
        ),
        # Completed downloads keep their units, so there are as many: whoever looks for one to pass on looks here alone.
        Index(
            "ix_delivery_grant_id_sha256_id_passable",
            "grant_id",
            "sha256",
            "id",
            postgresql_where=text(
                "unit_taken AND NOT unit_passed_on AND (state IN ('broken', 'stalled', 'swept') OR start_byte > 0)"
            ),
        ),
        Index("ix_delivery_grant_id_id", "grant_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    grant_id: Mapped[str] = mapped_column(ForeignKey("quota.grant_id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    provider_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    client_id: Mapped[str | None]
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"))
    file_id: Mapped[str] = mapped_column(ForeignKey("file.id"))
    sha256: Mapped[str]
    content_bytes: Mapped[int] = mapped_column(BigInteger)
    content_rows: Mapped[int | None] = mapped_column(BigInteger)
    purpose: Mapped[str | None]
    token_id: Mapped[str | None]
    family_id: Mapped[str | None]
    start_byte: Mapped[int] = mapped_column(BigInteger)
    length: Mapped[int] = mapped_column(BigInteger)
    reserved_bytes: Mapped[int] = mapped_column(BigInteger)
    reserved_rows: Mapped[int] = mapped_column(BigInteger)
    unit_taken: Mapped[bool]
    unit_passed_on: Mapped[bool]
    meter: Mapped[str] = mapped_column(server_default=text("'server'"))
    state: Mapped[str]
    progress: Mapped[int] = mapped_column(BigInteger)
    opened_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    bytes_sent: Mapped[int | None] = mapped_column(BigInteger)
    bytes_acked: Mapped[int | None] = mapped_column(BigInteger)


class EdgeRequest(Model):
    """What a store's log told of one request, or a provider's report of its server: kept once, as evidence.

    Of a report ``report_sha256`` is the hash, ``status`` 200 where it says that all was sent and 206 where not.
    """

    __tablename__ = "edge_request"
    __table_args__ = (
        CheckConstraint("bytes_sent >= 0", name="bytes"),
        Index("ix_edge_request_delivery_id", "delivery_id"),
    )

    request_id: Mapped[str] = mapped_column(primary_key=True)
    delivery_id: Mapped[str] = mapped_column(ForeignKey("delivery.id"))
    status: Mapped[int] = mapped_column(Integer)
    bytes_sent: Mapped[int] = mapped_column(BigInteger)
    occurred_at: Mapped[datetime]
    noted_at: Mapped[datetime]
    report_sha256: Mapped[str | None]


class Coverage(Model):
    """Which bytes of one content a grant has received, ever: what is charged is the union.

    ``bytes_covered`` is the measure of ``ranges``, ``bytes_added`` by how much the last delivery grew it. Where the
    price counts downloads, ``pending`` is what was received of the one that is not due yet, ``downloads_added`` whether
    the last delivery made one due, and what begins before ``free_until`` costs none.
    """

    __tablename__ = "coverage"
    __table_args__ = (
        CheckConstraint("bytes_added >= 0 AND bytes_covered >= bytes_added", name="bytes"),
        CheckConstraint("NOT lower_inf(ranges) AND NOT upper_inf(ranges)", name="ranges"),
        CheckConstraint("ranges @> pending", name="pending"),
        CheckConstraint("downloads_added IN (0, 1)", name="downloads"),
    )

    grant_id: Mapped[str] = mapped_column(ForeignKey("quota.grant_id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)
    ranges: Mapped[Any] = mapped_column(INT8MULTIRANGE)
    bytes_covered: Mapped[int] = mapped_column(BigInteger)
    bytes_added: Mapped[int] = mapped_column(BigInteger)
    pending: Mapped[Any] = mapped_column(INT8MULTIRANGE, server_default=text("'{}'"))
    free_until: Mapped[datetime | None]
    downloads_added: Mapped[int] = mapped_column(Integer, server_default=text("0"))


class UsageKey(Model):
    """That a delivery, or a correction of it, was counted: once for good, whatever becomes of the event's month.

    ``reference`` is empty for the delivery itself. A trigger on the events adds the key.
    """

    __tablename__ = "usage_key"
    __table_args__ = (UniqueConstraint("delivery_id", "reference", name="uq_usage_key_delivery_id"),)

    event_id: Mapped[str] = mapped_column(primary_key=True)
    delivery_id: Mapped[str]
    reference: Mapped[str]
    occurred_at: Mapped[datetime]


class UsageEvent(Model):
    """What one closed delivery costs: new bytes, the rows in them, one request; whether it made a download due.

    Append-only by trigger, kept by month.

    A correction is an event of its own that names the one it corrects: what it adds or, below zero, takes off. It has
    the instant of that one, so it falls into its month. ``xid`` is the transaction that wrote the row.
    """

    __tablename__ = "usage_event"
    __table_args__ = (
        CheckConstraint("corrects_event_id IS NOT NULL OR (bytes_new >= 0 AND bytes_new <= bytes_acked)", name="bytes"),
        CheckConstraint("corrects_event_id IS NOT NULL OR (rows_new >= 0 AND requests IN (0, 1))", name="counts"),
        CheckConstraint("corrects_event_id IS NOT NULL OR downloads_new IN (0, 1)", name="downloads"),
        CheckConstraint(
            "num_nonnulls(corrects_event_id, reference, reason, corrected_at) IN (0, 4)", name="correction"
        ),
        CheckConstraint("corrects_event_id IS NULL OR bytes_acked = 0", name="corrected"),
        CheckConstraint("reference <> '' AND reason <> ''", name="words"),
        Index("ix_usage_event_grant_id_occurred_at", "grant_id", "occurred_at"),
        Index("ix_usage_event_organization_id_occurred_at", "organization_id", "occurred_at"),
        Index("ix_usage_event_provider_organization_id_occurred_at", "provider_organization_id", "occurred_at"),
        Index("ix_usage_event_xid", "xid"),
        {"postgresql_partition_by": "RANGE (occurred_at)"},
    )
    __mapper_args__ = {"primary_key": ["id"]}  # noqa: RUF012 - read by SQLAlchemy as it is

    id: Mapped[str] = mapped_column(primary_key=True)
    delivery_id: Mapped[str] = mapped_column(ForeignKey("delivery.id"))
    grant_id: Mapped[str] = mapped_column(ForeignKey("quota.grant_id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    provider_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    sha256: Mapped[str]
    occurred_at: Mapped[datetime] = mapped_column(primary_key=True)
    bytes_new: Mapped[int] = mapped_column(BigInteger)
    bytes_acked: Mapped[int] = mapped_column(BigInteger)
    rows_new: Mapped[int] = mapped_column(BigInteger)
    requests: Mapped[int] = mapped_column(Integer)
    corrects_event_id: Mapped[str | None] = mapped_column(ForeignKey("usage_key.event_id"))
    reference: Mapped[str | None]
    reason: Mapped[str | None]
    corrected_at: Mapped[datetime | None]
    xid: Mapped[int] = mapped_column(BigInteger, server_default=text("((pg_current_xact_id())::text)::bigint"))
    # None where the price counts no downloads.
    downloads_new: Mapped[int] = mapped_column(Integer, server_default=text("0"))


class UsageClaim(Model):
    """That an event has been taken into a settlement; its key, the event, makes that happen once."""

    __tablename__ = "usage_claim"
    __table_args__ = (Index("ix_usage_claim_claimed_by", "claimed_by"),)

    event_id: Mapped[str] = mapped_column(ForeignKey("usage_key.event_id"), primary_key=True)
    claimed_by: Mapped[str]
    claimed_at: Mapped[datetime]
