"""Deeds about webhooks: registering endpoints, rotating their secrets, and announcing what happened."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, select, text, update

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.kit import clock, installation_key, jobs
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from marketplace.webhooks import queries, rules
from marketplace.webhooks.errors import EndpointsFull, EndpointStale
from marketplace.webhooks.models import WebhookEndpoint, WebhookEvent, WebhookMessage
from marketplace.webhooks.rules import EndpointDraft
from marketplace.webhooks.states import OF_ONE, EndpointState, EventType, MessageState

DELIVER_JOB = "webhooks.deliver"
_LISTS = ("events", "dataset_ids", "publisher_ids")
# In the transaction of what happened: the messages exist if and only if it did.
_ANNOUNCE = text("""
WITH wanted AS (
  SELECT e.id FROM webhook_endpoint e JOIN organization o ON o.id = e.organization_id AND o.state = 'verified'
   WHERE e.state = 'active' AND (CAST(:endpoint_id AS text) IS NULL OR e.id = :endpoint_id)
     AND (e.events @> jsonb_build_array(CAST(:type AS text)) OR CAST(:endpoint_id AS text) IS NOT NULL)
     AND (CAST(:among AS text[]) IS NULL OR e.organization_id = ANY(CAST(:among AS text[])))
     AND e.organization_id <> ALL(CAST(:without AS text[]))
     AND (CAST(:dataset_id AS text) IS NULL OR e.dataset_ids IS NULL
          OR e.dataset_ids @> jsonb_build_array(CAST(:dataset_id AS text)))
     AND (CAST(:publisher_id AS text) IS NULL OR e.publisher_ids IS NULL
          OR e.publisher_ids @> jsonb_build_array(CAST(:publisher_id AS text)))),
happened AS (
  INSERT INTO webhook_event (id, type, body, created_at, audience)
  SELECT :event_id, :type, :body, :now, :audience WHERE EXISTS (SELECT FROM wanted) RETURNING id)
INSERT INTO webhook_message (id, endpoint_id, event_id, state, attempts, due_at)
SELECT 'whm_' || md5(wanted.id || happened.id), wanted.id, happened.id, 'waiting', 0, :now FROM wanted, happened
""")


def register(actor: Actor, draft: EndpointDraft) -> tuple[WebhookEndpoint, str]:
    """Register an endpoint, and return it with its secret, shown this once; raises EndpointsFull or Invalid."""
    rules.check(asdict(draft))
    # Of several who register at once each waits for the one before.
    organization = identity.lock_visible_organization(actor, actor.organization_id)
    if queries.count_endpoints(organization.id) >= rules.ENDPOINTS_MAX:
        raise EndpointsFull(endpoints_max=rules.ENDPOINTS_MAX)
    endpoint_id, secret = new_id("whk"), rules.fresh_secret()
    endpoint = WebhookEndpoint(
        id=endpoint_id,
        organization_id=organization.id,
        state=EndpointState.ACTIVE.value,
        secret_sealed=_sealed(endpoint_id, secret),
        failures=0,
        version=1,
        created_at=clock.now(),
        **_columns(asdict(draft)),
    )
    db.session.add(endpoint)
    db.session.flush()
    _record(actor, Verb.WEBHOOK_REGISTERED, endpoint, url_sha256=sha256_hex(endpoint.url.encode()))
    return endpoint, rules.shown_secret(secret)


def change(actor: Actor, endpoint_id: str, expected_version: int, changes: Mapping[str, Any]) -> WebhookEndpoint:
    """Change where or of what an endpoint is told; raises NotFound, EndpointStale or Invalid."""
    rules.check(changes)
    endpoint = queries.get_endpoint(actor, endpoint_id, held=True)
    if endpoint.version != expected_version:
        raise EndpointStale(version=endpoint.version)
    for name, value in _columns(dict(changes)).items():
        setattr(endpoint, name, value)
    return _changed(actor, Verb.WEBHOOK_CHANGED, endpoint, url_sha256=sha256_hex(endpoint.url.encode()))


def rotate(actor: Actor, endpoint_id: str) -> tuple[WebhookEndpoint, str]:
    """Give an endpoint a new secret, shown this once; the one before signs as well for a day. Raises NotFound."""
    endpoint = queries.get_endpoint(actor, endpoint_id, held=True)
    secret = rules.fresh_secret()
    endpoint.previous_sealed, endpoint.previous_until = endpoint.secret_sealed, clock.now() + rules.BOTH_FOR
    endpoint.secret_sealed = _sealed(endpoint.id, secret)
    return _changed(actor, Verb.WEBHOOK_ROTATED, endpoint), rules.shown_secret(secret)


def enable(actor: Actor, endpoint_id: str) -> WebhookEndpoint:
    """Have messages go to an endpoint again, those that still wait as well; raises NotFound."""
    endpoint = queries.get_endpoint(actor, endpoint_id, held=True)
    endpoint.state, endpoint.failures, endpoint.disabled_reason = EndpointState.ACTIVE.value, 0, None
    jobs.enqueue(DELIVER_JOB)
    return _changed(actor, Verb.WEBHOOK_ENABLED, endpoint)


def disable(actor: Actor, endpoint_id: str, reason: str) -> WebhookEndpoint:
    """Have no messages go to an endpoint until it is enabled; what happens meanwhile is not kept for it."""
    endpoint = queries.get_endpoint(actor, endpoint_id, held=True)
    endpoint.state, endpoint.disabled_reason = EndpointState.DISABLED.value, reason
    return _changed(actor, Verb.WEBHOOK_DISABLED, endpoint, reason=reason, failures=endpoint.failures)


def remove(actor: Actor, endpoint_id: str) -> None:
    """Remove an endpoint with its messages; raises NotFound."""
    endpoint = queries.get_endpoint(actor, endpoint_id, held=True)
    _record(actor, Verb.WEBHOOK_REMOVED, endpoint)
    db.session.execute(delete(WebhookEndpoint).where(WebhookEndpoint.id == endpoint.id))


def test(actor: Actor, endpoint_id: str) -> None:
    """Send an endpoint a message that says nothing but that it is one; raises NotFound."""
    endpoint = queries.get_endpoint(actor, endpoint_id)
    told = {"endpoint_id": endpoint.id}
    announce(EventType.ENDPOINT_TESTED, told, among=[actor.organization_id], endpoint_id=endpoint.id)


def resend(actor: Actor, endpoint_id: str, event_id: str) -> None:
    """Have a message go out again, whatever became of it, under the same id; raises NotFound."""
    endpoint = queries.get_endpoint(actor, endpoint_id)
    named = (WebhookMessage.endpoint_id == endpoint.id, WebhookMessage.event_id == event_id)
    anew = {"state": MessageState.WAITING.value, "attempts": 0, "due_at": clock.now(), "delivered_at": None}
    done = db.session.execute(update(WebhookMessage).where(*named).values(**anew).returning(WebhookMessage.id)).all()
    if not done:
        raise NotFound
    jobs.enqueue(DELIVER_JOB)


def announce(
    kind: EventType,
    data: Mapping[str, Any],
    *,
    dataset_id: str | None = None,
    publisher_id: str | None = None,
    endpoint_id: str | None = None,
    among: Collection[str] | None = None,
    without: Collection[str] = (),
    audience: str | None = None,
) -> int:
    """Tell all endpoints that want to know, in the transaction of what happened; returns how many there are.

    Only those of the organizations ``among``, None being all, and none of those ``without``. What concerns one
    organization must name it. ``data`` must be what every receiver may know; ``audience`` names by which circle they
    do, so that it can be taken back from who leaves it.
    """
    if kind in OF_ONE and among is None:
        raise ValueError(f"{kind} concerns one organization, which must be named")
    now = clock.now()
    asked: dict[str, Any] = {"type": kind.value, "dataset_id": dataset_id, "publisher_id": publisher_id, "now": now}
    asked |= {"among": None if among is None else sorted(among), "without": sorted(without), "audience": audience}
    asked |= {"endpoint_id": endpoint_id, "event_id": new_id("evt")}
    told: Any = db.session.execute(_ANNOUNCE, asked | {"body": rules.body_of(kind, now, data)})
    if told.rowcount:
        jobs.enqueue(DELIVER_JOB)
    return int(told.rowcount)


def take_back(audience: str, organization_id: str | None = None) -> None:
    """Have nothing more go out that was told to a circle: to an organization that left it, or to all where it ended."""
    endpoints = select(WebhookEndpoint.id).where(WebhookEndpoint.organization_id == organization_id)
    told = WebhookMessage.event_id.in_(select(WebhookEvent.id).where(WebhookEvent.audience == audience))
    gone = delete(WebhookMessage).where(told)
    if organization_id is not None:
        gone = gone.where(WebhookMessage.endpoint_id.in_(endpoints))
    db.session.execute(gone, execution_options={"synchronize_session": False})


def secrets_of(endpoint: WebhookEndpoint) -> list[bytes]:
    """Return the secrets that sign now, the newest first; raises Unsealable."""
    sealed = [endpoint.secret_sealed]
    if endpoint.previous_sealed and endpoint.previous_until and endpoint.previous_until > clock.now():
        sealed.append(endpoint.previous_sealed)
    return [installation_key.unseal(_purpose(endpoint.id), one) for one in sealed]


def _changed(actor: Actor, verb: Verb, endpoint: WebhookEndpoint, **facts: Any) -> WebhookEndpoint:
    endpoint.version += 1
    db.session.flush()
    _record(actor, verb, endpoint, **facts)
    return endpoint


def _record(actor: Actor, verb: Verb, endpoint: WebhookEndpoint, **facts: Any) -> None:
    audit.record(actor, verb, subject=endpoint.id, facts={"version": endpoint.version} | facts)


def _columns(given: dict[str, Any]) -> dict[str, Any]:
    for name in _LISTS:
        if given.get(name) is not None:
            given[name] = sorted({str(one) for one in given[name]})
    return given


def _sealed(endpoint_id: str, secret: bytes) -> bytes:
    return installation_key.seal(_purpose(endpoint_id), secret)


def _purpose(endpoint_id: str) -> str:
    # Of each endpoint its own: what was sealed for one is good for no other, whoever moves it in the database.
    return f"webhook secret {endpoint_id}"
