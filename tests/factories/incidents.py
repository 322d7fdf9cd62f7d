"""Incidents, opened and told as operators do."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from marketplace.audit.models import Entry
from marketplace.exchange import incident as stories
from marketplace.identity.actors import Actor
from marketplace.incidents.models import Incident
from marketplace.incidents.rules import IncidentDraft
from marketplace.incidents.states import IncidentKind
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction


def draft(**changes: Any) -> IncidentDraft:
    """A leak that began a day ago."""
    now = clock.now()
    facts = {"began_at": now - timedelta(days=1), "noticed_at": now} | changes
    return IncidentDraft(IncidentKind.LEAK, "鍵が漏えいした。", "A key has leaked.", **facts)


def opened(operator: Actor, **changes: Any) -> Incident:
    """An open incident, kept."""
    with transaction():
        return stories.open_incident(operator, draft(**changes))


def told(operator: Actor, incident: Incident) -> None:
    """Tell all whom it touches."""
    with transaction():
        stories.tell(operator, incident.id)


def deeds(incident: Incident) -> list[str]:
    """What the record says of it, oldest first."""
    written = select(Entry.verb).where(Entry.subject == incident.id).order_by(Entry.id)
    return list(db.session.scalars(written))
