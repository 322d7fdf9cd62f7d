"""Incidents: opening, what they touch, notices and reports, closing; and the notices that one gets."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import replay_mark
from marketplace.api.schemas import incidents as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.exchange import incident as stories
from marketplace.identity.permissions import Permission
from marketplace.incidents import queries, rules, service
from marketplace.incidents.rules import IncidentDraft
from marketplace.incidents.states import IncidentKind, IncidentState, Stage, Target
from marketplace.kit import clock
from marketplace.kit.pages import Page
from marketplace.kit.transaction import transaction

blp = blueprint("incidents", "/v1", "Incidents (インシデント): what they touch, who is told, what is reported.")
INCIDENT = tuple(name for name in schemas.IncidentView().fields if name != "duties")
NOTICE = tuple(name for name in schemas.IncidentNoticeView().fields if name not in {"state", *queries.Share._fields})
OF_THE_INCIDENT = ("kind", "drill", "personal_data", "summary_ja", "summary_en", "began_at", "noticed_at")


@blp.route("/incidents", methods=["POST"])
@guarded(Permission.INCIDENTS_OPERATE)
@blp.arguments(schemas.IncidentDraft)
@blp.response(201, schemas.IncidentView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def open_incident(body: dict[str, Any]) -> Any:
    """Open an incident: what it touches is found, and what is to rest rests, at once or not at all."""
    caller, draft = actor(), _draft(body)
    told = {name: clock.text(value) if name.endswith("_at") and value else value for name, value in body.items()}
    answer, replayed = once(told, lambda: {"id": stories.open_incident(caller, draft).id})
    return created(_shown(answer["id"]), f"/v1/incidents/{answer['id']}", **replay_mark(replayed))


@blp.route("/incidents")
@guarded(Permission.INCIDENTS_READ)
@blp.arguments(schemas.IncidentQuery, location="query")
@blp.response(200, schemas.IncidentPage)
def list_incidents(query: dict[str, Any]) -> Any:
    """List incidents, newest first."""
    state = query.pop("state", None)
    page = queries.list_incidents(**query, state=state and IncidentState(state))
    return {"items": [_shown(one.id) for one in page.items], "next_cursor": page.next_cursor}


@blp.route("/incidents/<incident_id>")
@guarded(Permission.INCIDENTS_READ)
@blp.response(200, schemas.IncidentView)
def read(incident_id: str) -> Any:
    """Read an incident, with the counts of what it touches and the reports it owes."""
    return _shown(incident_id)


@blp.route("/incidents/<incident_id>/grants")
@guarded(Permission.INCIDENTS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.IncidentGrantPage)
def list_grants(query: dict[str, Any], incident_id: str) -> Any:
    """List the grants that an incident touches, with what arrived under each."""
    return queries.list_grants(incident_id, **query)


@blp.route("/incidents/<incident_id>/deliveries")
@guarded(Permission.INCIDENTS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.IncidentDeliveryPage)
def list_deliveries(query: dict[str, Any], incident_id: str) -> Any:
    """List the deliveries that an incident touches: who received which bytes of which content when."""
    return queries.list_deliveries(incident_id, **query)


@blp.route("/incidents/<incident_id>/notices")
@guarded(Permission.INCIDENTS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.IncidentNoticePage)
def list_notices(query: dict[str, Any], incident_id: str) -> Any:
    """List who was told of an incident, and how far each notice has come."""
    return _notices(queries.list_notices(actor(), **query, incident_id=incident_id))


@blp.route("/incidents/<incident_id>/assessment", methods=["POST"])
@guarded(Permission.INCIDENTS_OPERATE)
@blp.response(200, schemas.IncidentView)
def assess(incident_id: str) -> Any:
    """Look again for what an incident touches: what was still running, and what was told of late."""
    with transaction():
        stories.assess(actor(), incident_id)
    return _shown(incident_id)


@blp.route("/incidents/<incident_id>/notices", methods=["POST"])
@guarded(Permission.INCIDENTS_OPERATE)
@blp.response(200, schemas.IncidentView)
def tell(incident_id: str) -> Any:
    """Send notices to all who are affected and have none yet, and to the authority; twice sends nothing twice."""
    with transaction():
        stories.tell(actor(), incident_id)
    return _shown(incident_id)


@blp.route("/incidents/<incident_id>/reports", methods=["POST"])
@guarded(Permission.INCIDENTS_OPERATE)
@blp.arguments(schemas.IncidentReportDraft)
@blp.response(200, schemas.IncidentView)
def report(body: dict[str, str], incident_id: str) -> Any:
    """Note that a report was made to the authority: its reference, and the hash of what was handed in."""
    with transaction():
        stories.report(actor(), incident_id, Stage(body["stage"]), body["reference"], body["evidence_sha256"])
    return _shown(incident_id)


@blp.route("/incidents/<incident_id>/lift", methods=["POST"])
@guarded(Permission.INCIDENTS_OPERATE)
@blp.response(200, schemas.IncidentView)
def lift(incident_id: str) -> Any:
    """Open again what rests because of an incident; clients that were shut out stay so."""
    with transaction():
        stories.lift(actor(), incident_id)
    return _shown(incident_id)


@blp.route("/incidents/<incident_id>/close", methods=["POST"])
@guarded(Permission.INCIDENTS_OPERATE)
@blp.arguments(schemas.IncidentEnd)
@blp.response(200, schemas.IncidentView)
def close(body: dict[str, str], incident_id: str) -> Any:
    """Close an incident with its report, once everybody was told and every report was made; what rests opens."""
    with transaction():
        stories.close(actor(), incident_id, body["report"])
    return _shown(incident_id)


@blp.route("/incident-notices")
@guarded(Permission.INCIDENT_NOTICES_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.IncidentNoticePage)
def list_own_notices(query: dict[str, Any]) -> Any:
    """List the notices of incidents to one's organization, newest first; overseers see all."""
    return _notices(queries.list_notices(actor(), **query))


@blp.route("/incident-notices/<notice_id>")
@guarded(Permission.INCIDENT_NOTICES_READ)
@blp.response(200, schemas.IncidentNoticeDetail)
def read_notice(notice_id: str) -> Any:
    """Read a notice: what happened, and how much of one's own is concerned."""
    return _detail(*queries.get_notice(actor(), notice_id))


@blp.route("/incident-notices/<notice_id>/grants")
@guarded(Permission.INCIDENT_NOTICES_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.IncidentGrantPage)
def list_noticed_grants(query: dict[str, Any], notice_id: str) -> Any:
    """List one's grants that are concerned, as far as is known by now: which files, and which bytes of them arrived."""
    return queries.list_noticed_grants(actor(), notice_id, **query)


@blp.route("/incident-notices/<notice_id>/deliveries")
@guarded(Permission.INCIDENT_NOTICES_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.IncidentDeliveryPage)
def list_noticed_deliveries(query: dict[str, Any], notice_id: str) -> Any:
    """List the deliveries under one's grants that are concerned, as far as is known by now."""
    return queries.list_noticed_deliveries(actor(), notice_id, **query)


@blp.route("/incident-notices/<notice_id>/acknowledge", methods=["POST"])
@guarded(Permission.INCIDENT_NOTICES_ACKNOWLEDGE)
@blp.response(200, schemas.IncidentNoticeDetail)
def acknowledge(notice_id: str) -> Any:
    """Take note of a notice to one's organization; the operator does so for the authority, once it has answered."""
    with transaction():
        return _detail(*service.acknowledge(actor(), notice_id))


def _draft(body: dict[str, Any]) -> IncidentDraft:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in body.items()}
    values |= {"kind": IncidentKind(body["kind"]), "suspends": tuple(Target(word) for word in body["suspends"])}
    return IncidentDraft(**values)


def _shown(incident_id: str) -> dict[str, Any]:
    incident = queries.get_incident(incident_id)
    return {name: getattr(incident, name) for name in INCIDENT} | {"duties": queries.list_duties(incident.id)}


def _notices(page: Page[Any]) -> dict[str, Any]:
    shares = queries.shares_of(page.items)
    return {"items": [_notice(one, shares[one.id]) for one in page.items], "next_cursor": page.next_cursor}


def _notice(notice: Any, share: queries.Share) -> dict[str, Any]:
    told = {name: getattr(notice, name) for name in NOTICE}
    return told | share._asdict() | {"state": rules.state_of(notice)}


def _detail(notice: Any, incident: Any) -> dict[str, Any]:
    share = queries.shares_of([notice])[notice.id]
    return _notice(notice, share) | {name: getattr(incident, name) for name in OF_THE_INCIDENT}
