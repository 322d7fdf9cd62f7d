"""Issuing download tickets, and looking them up by their secret."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from marketplace.access import queries
from marketplace.access.errors import TicketUnknown
from marketplace.access.rules import Entitlement
from marketplace.access.ticket_models import Ticket
from marketplace.audit import holds
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import credentials
from marketplace.identity.actors import Actor
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction

BEGIN_WITHIN = timedelta(seconds=60)
RESUMABLE_FOR = timedelta(minutes=15)
KEPT_FOR = timedelta(days=1)


def issue(actor: Actor, entitled: Entitlement, agent_yen: int | None = None) -> tuple[Ticket, str]:
    """Make a ticket for what the actor may fetch now; returns it with its secret, which is told this once.

    ``agent_yen``: what an agent's budget has set aside for it.
    """
    secret, now = credentials.new_secret(credentials.TICKET_PREFIX), clock.now()
    ticket = Ticket(
        id=new_id("tkt"),
        secret_sha256=credentials.hash_of(secret),
        grant_id=entitled.grant_id,
        release_id=entitled.release_id,
        file_name=entitled.file_name,
        sha256=entitled.sha256,
        organization_id=actor.organization_id,
        client_id=actor.client_id,
        member_id=actor.member_id,
        assurance=actor.assurance,
        purpose=entitled.purpose,
        issued_at=now,
        begin_by=now + BEGIN_WITHIN,
        agent_yen=agent_yen,
    )
    db.session.add(ticket)
    db.session.flush()
    _record_issue(actor, ticket, entitled)
    return ticket, secret


def _record_issue(actor: Actor, ticket: Ticket, entitled: Entitlement) -> None:
    audit.record(
        actor,
        Verb.TICKET_ISSUED,
        subject=ticket.id,
        counterparty=entitled.provider_organization_id,
        dataset=entitled.dataset_id,
        facts={
            "grant_id": ticket.grant_id,
            "release_id": ticket.release_id,
            "sha256": ticket.sha256,
            "purpose": ticket.purpose,
        }
        | ({} if ticket.agent_yen is None else {"agent_yen": ticket.agent_yen}),
    )


def draw(ticket: Ticket, yen: int) -> int:
    """Use of what was set aside for a ticket as much as there is, and return what is missing.

    To be called with the accounting of its grant held, so that two requests do not use the same yen.
    """
    set_aside = db.session.scalar(select(Ticket.agent_yen).where(Ticket.id == ticket.id)) or 0
    used = min(set_aside, yen)
    if used:
        drawn = update(Ticket).where(Ticket.id == ticket.id).values(agent_yen=Ticket.agent_yen - used)
        db.session.execute(drawn, execution_options={"synchronize_session": False})
    return yen - used


def get_open(secret: str) -> Ticket:
    """Return the ticket with this secret; TicketUnknown for all others, and for one whose time is over."""
    if not credentials.is_well_formed(secret):
        raise TicketUnknown
    ticket = db.session.scalar(select(Ticket).where(Ticket.secret_sha256 == credentials.hash_of(secret)))
    if ticket is None or clock.now() >= _ends_at(ticket):
        raise TicketUnknown
    return ticket


def _ends_at(ticket: Ticket) -> datetime:
    return ticket.begin_by if ticket.first_used_at is None else ticket.first_used_at + RESUMABLE_FOR


def note_use(actor: Actor, ticket: Ticket, delivery_id: str) -> None:
    """Note the first delivery under a ticket: from now on it can be resumed, for some minutes."""
    unused = (Ticket.id == ticket.id, Ticket.first_used_at.is_(None))
    first = update(Ticket).where(*unused).values(first_used_at=clock.now()).returning(Ticket.id)
    if db.session.execute(first, execution_options={"synchronize_session": False}).first() is not None:
        grant = queries.require_grant(ticket.grant_id)
        audit.record(
            actor,
            Verb.TICKET_USED,
            subject=ticket.id,
            counterparty=grant.provider_organization_id,
            dataset=grant.dataset_id,
            facts={"grant_id": grant.id, "delivery_id": delivery_id},
        )


@jobs.task("access.forget_tickets", cron="53 * * * *")
def forget() -> None:
    """Delete tickets that were issued more than a day ago; the record keeps that they were."""
    with transaction():
        over = Ticket.issued_at < clock.now() - KEPT_FOR
        db.session.execute(delete(Ticket).where(over, ~holds.covering(Ticket.organization_id)))
