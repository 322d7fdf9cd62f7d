"""Keeping what was measured, once per dataset and month."""

from dataclasses import dataclass

from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.service_levels import queries, rules
from marketplace.billing.service_levels.errors import MonthNotOver, ServiceLevelConflict
from marketplace.billing.service_levels.models import Measurement
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class MeasurementDraft:
    """What was measured: availability in basis points, and where the evidence is and what its SHA-256 is."""

    dataset_id: str
    month: str
    availability_basis_points: int
    evidence_reference: str
    evidence_sha256: str


def measure(actor: Actor, draft: MeasurementDraft) -> Measurement:
    """Keep what was measured of a dataset in a month that is over; the same again returns the first.

    Raises MonthNotOver, or ServiceLevelConflict where the month was measured otherwise.
    """
    if not rules.is_over(rules.month_of(draft.month)):
        raise MonthNotOver
    columns = {name: getattr(draft, name) for name in MeasurementDraft.__slots__}
    values = columns | {"id": new_id("slm"), "measured_by": actor.organization_id, "created_at": clock.now()}
    statement = postgresql.insert(Measurement).values(values).on_conflict_do_nothing().returning(Measurement)
    kept = db.session.scalars(statement).one_or_none()
    if kept is None:
        return _same_or_conflict(columns)
    facts = {name: columns[name] for name in ("month", "availability_basis_points", "evidence_sha256")}
    audit.record(actor, Verb.SERVICE_LEVEL_MEASURED, subject=kept.id, dataset=kept.dataset_id, facts=facts)
    return kept


def _same_or_conflict(columns: dict[str, object]) -> Measurement:
    before = queries.find_measurement(str(columns["dataset_id"]), str(columns["month"]))
    if before is None or any(getattr(before, name) != value for name, value in columns.items()):
        raise ServiceLevelConflict
    return before
