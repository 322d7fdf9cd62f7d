"""Tables of incidents: what happened, what it touches, what is owed to the authority, who was told."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.identity.models import one_of
from marketplace.incidents.states import Addressee, IncidentKind, IncidentState, Stage
from marketplace.kit.db import Model


class Incident(Model):
    """One thing that went wrong, and where: all scopes that are named must hold, each for one of its ids.

    ``suspends`` says what rests while it is open. ``affected`` are the counts of what was found at ``assessed_at``,
    and ``affected_sha256`` is the hash of the deliveries in it; ``read_to`` is the size of the record's tree by then. A
    ``drill`` touches nobody and sends nothing.
    """

    __tablename__ = "incident"
    __table_args__ = (
        CheckConstraint(one_of("kind", IncidentKind), name="kind"),
        CheckConstraint(one_of("state", IncidentState), name="state"),
        CheckConstraint("began_at <= noticed_at AND ended_at >= began_at", name="span"),
        CheckConstraint(
            "num_nonnulls(closed_at, report, report_sha256) = CASE state WHEN 'closed' THEN 3 ELSE 0 END", name="closed"
        ),
        Index("ix_incident_id_open", "id", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    state: Mapped[str]
    drill: Mapped[bool]
    personal_data: Mapped[bool]
    deliberate: Mapped[bool]
    summary_ja: Mapped[str]
    summary_en: Mapped[str]
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    noticed_at: Mapped[datetime]
    dataset_ids: Mapped[list[str]]
    release_ids: Mapped[list[str]]
    sha256s: Mapped[list[str]]
    organization_ids: Mapped[list[str]]
    client_ids: Mapped[list[str]]
    suspends: Mapped[list[str]]
    opened_by: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    opened_at: Mapped[datetime]
    assessed_at: Mapped[datetime | None]
    affected: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    affected_sha256: Mapped[str | None]
    read_to: Mapped[int | None] = mapped_column(BigInteger)
    lifted_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    report: Mapped[str | None]
    report_sha256: Mapped[str | None]


class IncidentDuty(Model):
    """A report that is owed to the authority until ``due_at``, and what is known of it once it was made."""

    __tablename__ = "incident_duty"
    __table_args__ = (
        CheckConstraint(one_of("stage", Stage), name="stage"),
        CheckConstraint("num_nonnulls(done_at, reference, evidence_sha256) IN (0, 3)", name="done"),
        CheckConstraint("evidence_sha256 ~ '^[0-9a-f]{64}$'", name="evidence_sha256"),
        Index("ix_incident_duty_due_at_open", "due_at", postgresql_where=text("done_at IS NULL")),
    )

    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id"), primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    reference: Mapped[str | None]
    evidence_sha256: Mapped[str | None]
    overdue_at: Mapped[datetime | None]


class IncidentGrant(Model):
    """A grant that an incident touches: it could open what is concerned, or did.

    ``contents`` lists what arrived under it, by the hash of the content: the union of the bytes, as ranges, and the
    files that it is of. Ids are those of the record, and refer to no row: what stands there is told also where a row
    was taken away.
    """

    __tablename__ = "incident_grant"
    __table_args__ = (CheckConstraint("deliveries >= 0 AND bytes_received >= 0", name="counts"),)

    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id"), primary_key=True)
    grant_id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str]
    provider_organization_id: Mapped[str]
    dataset_id: Mapped[str]
    deliveries: Mapped[int] = mapped_column(BigInteger)
    bytes_received: Mapped[int] = mapped_column(BigInteger)
    contents: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    suspended: Mapped[bool]


class IncidentDelivery(Model):
    """A delivery that an incident touches, as the record tells it: who received which bytes of which content when."""

    __tablename__ = "incident_delivery"
    __table_args__ = (CheckConstraint("start_byte >= 0 AND bytes_received >= 0", name="bytes"),)

    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id"), primary_key=True)
    delivery_id: Mapped[str] = mapped_column(primary_key=True)
    grant_id: Mapped[str]
    organization_id: Mapped[str]
    client_id: Mapped[str | None]
    dataset_id: Mapped[str]
    release_id: Mapped[str]
    file_id: Mapped[str | None]
    sha256: Mapped[str]
    start_byte: Mapped[int] = mapped_column(BigInteger)
    bytes_received: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    receipt: Mapped[bool]


class IncidentNotice(Model):
    """That somebody is told of an incident: a member, an organization of which nobody has an address, the authority.

    ``recipient`` names them once per incident. ``mail_id`` is the letter; it is forgotten once sent, and
    ``sent_at`` stays. ``acknowledged_by`` is the client or member that took note of it.
    """

    __tablename__ = "incident_notice"
    __table_args__ = (
        CheckConstraint(one_of("addressee", Addressee), name="addressee"),
        CheckConstraint("(addressee = 'authority') = (organization_id IS NULL)", name="organization_id"),
        CheckConstraint("num_nonnulls(acknowledged_at, acknowledged_by) IN (0, 2)", name="acknowledged"),
        UniqueConstraint("incident_id", "recipient", name="uq_incident_notice_incident_id"),
        Index("ix_incident_notice_organization_id_id", "organization_id", "id"),
        Index("ix_incident_notice_due_at_open", "due_at", postgresql_where=text("acknowledged_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id"))
    addressee: Mapped[str]
    recipient: Mapped[str]
    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organization.id"))
    mail_id: Mapped[str | None]
    queued_at: Mapped[datetime]
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    overdue_at: Mapped[datetime | None]
