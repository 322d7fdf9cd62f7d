"""Reading incidents, what they touch, and who was told. Overseers see all, others the notices to themselves."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, text, true
from sqlalchemy.orm import InstrumentedAttribute

from marketplace.identity.actors import Actor
from marketplace.incidents.models import Incident, IncidentDelivery, IncidentDuty, IncidentGrant, IncidentNotice
from marketplace.incidents.states import IncidentState, Target
from marketplace.kit.db import Model, db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor

Row = TypeVar("Row", bound=Model)


class Share(NamedTuple):
    """How much of what an incident touches is somebody's."""

    grants: int
    deliveries: int
    bytes_received: int


_SUMS = (
    func.count(IncidentGrant.grant_id),
    func.coalesce(func.sum(IncidentGrant.deliveries), 0),
    func.coalesce(func.sum(IncidentGrant.bytes_received), 0),
)
# The span decides nothing here: what has gone wrong can go wrong again until the operator opens what rests.
_HALTING = text("""
SELECT i.id FROM incident i, access_grant g
 WHERE i.state = 'open' AND i.lifted_at IS NULL AND NOT i.drill AND i.suspends ? 'grants' AND g.id = :grant_id
   AND (i.dataset_ids = '[]' OR i.dataset_ids ? g.dataset_id)
   AND (i.release_ids = '[]' OR EXISTS (
        SELECT FROM access_grant_release r WHERE r.grant_id = g.id AND i.release_ids ? r.release_id))
   AND (i.sha256s = '[]' OR EXISTS (
        SELECT FROM access_grant_release r JOIN file f ON f.release_id = r.release_id
         WHERE r.grant_id = g.id AND i.sha256s ? f.sha256))
   AND (i.organization_ids = '[]' OR i.organization_ids ?| ARRAY[g.organization_id, g.provider_organization_id])
   AND (i.client_ids = '[]' OR EXISTS (
        SELECT FROM api_client c WHERE c.organization_id = g.organization_id AND i.client_ids ? c.id))
 ORDER BY i.id
""")


def get_incident(incident_id: str) -> Incident:
    """Return an incident or raise NotFound."""
    found = db.session.get(Incident, incident_id) if is_id(incident_id) else None
    if found is None:
        raise NotFound
    return found


def list_incidents(
    cursor: str | None = None, size: int = SIZE_DEFAULT, *, state: IncidentState | None = None
) -> Page[Incident]:
    """Return incidents, newest first; of one state where it is given."""
    wanted = true() if state is None else Incident.state == state.value
    return _newest(Incident, Incident.id, wanted, cursor, size)


def list_duties(incident_id: str) -> Sequence[IncidentDuty]:
    """Return the reports that an incident owes or owed, the first due first."""
    owed = select(IncidentDuty).where(IncidentDuty.incident_id == incident_id).order_by(IncidentDuty.due_at)
    return db.session.scalars(owed).all()


def list_grants(incident_id: str, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[IncidentGrant]:
    """Return the grants that an incident touches, newest first."""
    wanted = IncidentGrant.incident_id == get_incident(incident_id).id
    return _newest(IncidentGrant, IncidentGrant.grant_id, wanted, cursor, size)


def list_deliveries(incident_id: str, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[IncidentDelivery]:
    """Return the deliveries that an incident touches, newest first."""
    wanted = IncidentDelivery.incident_id == get_incident(incident_id).id
    return _newest(IncidentDelivery, IncidentDelivery.delivery_id, wanted, cursor, size)


def list_noticed_grants(
    actor: Actor, notice_id: str, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[IncidentGrant]:
    """Return the grants that a notice is about, newest first, as far as is known by now; raises NotFound."""
    return _newest(IncidentGrant, IncidentGrant.grant_id, _noticed(actor, notice_id), cursor, size)


def list_noticed_deliveries(
    actor: Actor, notice_id: str, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[IncidentDelivery]:
    """Return the deliveries under the grants that a notice is about, newest first; raises NotFound."""
    under = exists().where(
        _noticed(actor, notice_id),
        IncidentGrant.incident_id == IncidentDelivery.incident_id,
        IncidentGrant.grant_id == IncidentDelivery.grant_id,
    )
    return _newest(IncidentDelivery, IncidentDelivery.delivery_id, under, cursor, size)


def list_notices(
    actor: Actor, cursor: str | None = None, size: int = SIZE_DEFAULT, *, incident_id: str | None = None
) -> Page[IncidentNotice]:
    """Return the notices to the caller's organization, newest first; an overseer sees those to all."""
    wanted = true() if incident_id is None else IncidentNotice.incident_id == get_incident(incident_id).id
    return _newest(IncidentNotice, IncidentNotice.id, and_(wanted, _own(actor)), cursor, size)


def get_notice(actor: Actor, notice_id: str) -> tuple[IncidentNotice, Incident]:
    """Return a notice to the caller's organization, or any for an overseer, with its incident; or raise NotFound."""
    joined = select(IncidentNotice, Incident).join(Incident, Incident.id == IncidentNotice.incident_id)
    own = joined.where(IncidentNotice.id == notice_id, _own(actor))
    row = db.session.execute(own).first() if is_id(notice_id) else None
    if row is None:
        raise NotFound
    return row[0], row[1]


def incidents_of(notices: Iterable[IncidentNotice]) -> dict[str, Incident]:
    """Return the incidents that notices tell of, by id."""
    wanted = select(Incident).where(Incident.id.in_({notice.incident_id for notice in notices}))
    return {incident.id: incident for incident in db.session.scalars(wanted)}


def shares_of(notices: Iterable[IncidentNotice]) -> dict[str, Share]:
    """Return, by the ids of notices, how much each is about, as far as is known by now."""
    whose = IncidentNotice.organization_id
    about = and_(IncidentGrant.incident_id == IncidentNotice.incident_id, or_(whose.is_(None), _has_part(whose)))
    sums = select(IncidentNotice.id, *_SUMS).outerjoin(IncidentGrant, about).group_by(IncidentNotice.id)
    rows = db.session.execute(sums.where(IncidentNotice.id.in_([notice.id for notice in notices])))
    return {row[0]: Share(*map(int, row[1:])) for row in rows}


def list_touched(incident_id: str) -> Sequence[IncidentGrant]:
    """Return every grant that an incident touches, by id."""
    touched = select(IncidentGrant).where(IncidentGrant.incident_id == incident_id)
    return db.session.scalars(touched.order_by(IncidentGrant.grant_id)).all()


def list_untold(incident_id: str) -> Sequence[str]:
    """Return the buyers and providers that an incident touches and that have no notice of it, by id."""
    told = exists().where(
        IncidentNotice.incident_id == incident_id, IncidentNotice.organization_id == IncidentGrant.organization_id
    )
    told_provider = exists().where(
        IncidentNotice.incident_id == incident_id,
        IncidentNotice.organization_id == IncidentGrant.provider_organization_id,
    )
    touched = IncidentGrant.incident_id == incident_id
    buyers = select(IncidentGrant.organization_id).where(touched, ~told)
    providers = select(IncidentGrant.provider_organization_id).where(touched, ~told_provider)
    return sorted(db.session.scalars(buyers.union(providers)))


def is_told(incident_id: str, recipient: str) -> bool:
    """Tell whether somebody has a notice of an incident."""
    own = (IncidentNotice.incident_id == incident_id, IncidentNotice.recipient == recipient)
    return db.session.scalar(select(IncidentNotice.id).where(*own)) is not None


def are_sales_halted(dataset_id: str) -> bool:
    """Tell whether an open incident has new orders of a dataset rest."""
    halting = select(Incident.id).where(
        Incident.state == IncidentState.OPEN.value,
        Incident.lifted_at.is_(None),
        ~Incident.drill,
        Incident.suspends.contains([Target.SALES.value]),
        Incident.dataset_ids.contains([dataset_id]),
    )
    return db.session.scalar(halting.limit(1)) is not None


def list_halting(grant_id: str) -> Sequence[str]:
    """Return the incidents that have a grant rest by what they name, whether it was there before or came since."""
    return db.session.scalars(_HALTING, {"grant_id": grant_id}).all()


def list_with_rest() -> Sequence[str]:
    """Return the incidents that have grants rest, oldest first."""
    resting = (
        Incident.state == IncidentState.OPEN.value,
        Incident.lifted_at.is_(None),
        ~Incident.drill,
        Incident.suspends.contains([Target.GRANTS.value]),
    )
    return db.session.scalars(select(Incident.id).where(*resting).order_by(Incident.id)).all()


def share_of(incident_id: str, organization_id: str) -> Share:
    """Return how many grants that an organization has or gave an incident touches, with deliveries and bytes."""
    own = (IncidentGrant.incident_id == incident_id, _has_part(organization_id))
    return Share(*map(int, db.session.execute(select(*_SUMS).where(*own)).one()))


def _has_part(organization_id: str | InstrumentedAttribute[str | None]) -> ColumnElement[bool]:
    return or_(
        IncidentGrant.organization_id == organization_id, IncidentGrant.provider_organization_id == organization_id
    )


def _noticed(actor: Actor, notice_id: str) -> ColumnElement[bool]:
    notice, incident = get_notice(actor, notice_id)
    whose = true() if notice.organization_id is None else _has_part(notice.organization_id)
    return and_(IncidentGrant.incident_id == incident.id, whose)


def _own(actor: Actor) -> ColumnElement[bool]:
    return true() if actor.oversees else IncidentNotice.organization_id == actor.organization_id


def _newest(
    model: type[Row],
    key: InstrumentedAttribute[str],
    wanted: ColumnElement[bool],
    cursor: str | None,
    size: int,
) -> Page[Row]:
    statement = select(model).where(wanted)
    if after := decode_cursor(cursor, 1):
        statement = statement.where(key < str(after[0]))
    rows: Sequence[Any] = db.session.scalars(statement.order_by(key.desc()).limit(size + 1)).all()
    return cut(rows, size, lambda row: [getattr(row, key.key)])
