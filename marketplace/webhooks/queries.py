"""Reading endpoints and messages: by their own organization alone."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from marketplace.identity.actors import Actor
from marketplace.kit import clock, installation_key, pages
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import Page
from marketplace.webhooks import rules
from marketplace.webhooks.models import WebhookEndpoint, WebhookEvent, WebhookMessage
from marketplace.webhooks.states import EndpointState


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint without its secret."""

    id: str
    url: str
    description: str
    events: list[str]
    dataset_ids: list[str] | None
    publisher_ids: list[str] | None
    state: str
    failures: int
    disabled_reason: str | None
    public_key: str
    previous_until: datetime | None
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message and how far it is; ``id`` is the ``webhook-id`` that receivers see."""

    id: str
    type: str
    created_at: datetime
    state: str
    attempts: int
    due_at: datetime
    delivered_at: datetime | None
    last_status: int | None
    last_trouble: str | None


def get_endpoint(actor: Actor, endpoint_id: str, *, held: bool = False) -> WebhookEndpoint:
    """Return an endpoint of the caller's organization, held until the transaction ends if asked; else NotFound."""
    if not is_id(endpoint_id):
        raise NotFound
    own = (WebhookEndpoint.id == endpoint_id, WebhookEndpoint.organization_id == actor.organization_id)
    statement = select(WebhookEndpoint).where(*own)
    found = db.session.scalar(
        statement.with_for_update() if held else statement, execution_options={"populate_existing": True}
    )
    if found is None:
        raise NotFound
    return found


def list_endpoints(actor: Actor, *, cursor: str | None = None, size: int = pages.SIZE_DEFAULT) -> Page[EndpointView]:
    """List the endpoints of the caller's organization, newest first."""
    own = select(WebhookEndpoint).where(WebhookEndpoint.organization_id == actor.organization_id)
    if key := pages.decode_cursor(cursor, 1):
        own = own.where(WebhookEndpoint.id < (str(key[0]) if is_id(str(key[0])) else ""))
    rows = db.session.scalars(own.order_by(WebhookEndpoint.id.desc()).limit(size + 1)).all()
    page = pages.cut(rows, size, lambda row: [row.id])
    return Page([view(row) for row in page.items], page.next_cursor)


def count_endpoints(organization_id: str) -> int:
    """Return how many endpoints an organization has."""
    own = WebhookEndpoint.organization_id == organization_id
    return db.session.scalar(select(func.count()).where(own)) or 0


def list_messages(
    actor: Actor, endpoint_id: str, *, cursor: str | None = None, size: int = pages.SIZE_DEFAULT
) -> Page[MessageView]:
    """List the messages of an endpoint, newest first; raises NotFound."""
    endpoint = get_endpoint(actor, endpoint_id)
    statement = select(WebhookEvent, WebhookMessage).join(WebhookEvent, WebhookEvent.id == WebhookMessage.event_id)
    statement = statement.where(WebhookMessage.endpoint_id == endpoint.id)
    if key := pages.decode_cursor(cursor, 1):
        statement = statement.where(WebhookEvent.id < (str(key[0]) if is_id(str(key[0])) else ""))
    fresh = {"populate_existing": True}
    rows = db.session.execute(statement.order_by(WebhookEvent.id.desc()).limit(size + 1), execution_options=fresh).all()
    page = pages.cut(rows, size, lambda row: [row[0].id])
    return Page([_message(event, message) for event, message in page.items], page.next_cursor)


def _message(event: WebhookEvent, message: WebhookMessage) -> MessageView:
    return MessageView(
        id=event.id,
        type=event.type,
        created_at=event.created_at,
        state=message.state,
        attempts=message.attempts,
        due_at=message.due_at,
        delivered_at=message.delivered_at,
        last_status=message.last_status,
        last_trouble=message.last_trouble,
    )


def is_anybody_listening() -> bool:
    """Tell whether any endpoint is active at all, before somebody looks for what changed."""
    active = select(WebhookEndpoint.id).where(WebhookEndpoint.state == EndpointState.ACTIVE.value).limit(1)
    return db.session.scalar(active) is not None


def view(endpoint: WebhookEndpoint) -> EndpointView:
    """Return an endpoint as it may be shown."""
    until = endpoint.previous_until
    return EndpointView(
        id=endpoint.id,
        url=endpoint.url,
        description=endpoint.description,
        events=endpoint.events,
        dataset_ids=endpoint.dataset_ids,
        publisher_ids=endpoint.publisher_ids,
        state=endpoint.state,
        failures=endpoint.failures,
        disabled_reason=endpoint.disabled_reason,
        public_key=rules.shown_public(seed_of(endpoint.id)),
        previous_until=until if until and until > clock.now() else None,
        version=endpoint.version,
        created_at=endpoint.created_at,
    )


def seed_of(endpoint_id: str) -> bytes:
    """Return the seed of an endpoint's key for asymmetric signatures: the installation's, and of no other endpoint."""
    return installation_key.derived(f"webhook {endpoint_id}")
