"""Download tickets: who may fetch a file hands the fetching to a browser or tool that knows no OAuth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from marketplace.access import queries as access
from marketplace.access import tickets
from marketplace.access.errors import TicketUnknown
from marketplace.access.rules import Entitlement
from marketplace.access.ticket_models import Ticket
from marketplace.exchange import bounding, download, spending
from marketplace.exchange.download import Answer, Wanted
from marketplace.identity import holders, judging
from marketplace.identity.actors import Actor
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction
from marketplace.licensing import purposes


@dataclass(frozen=True, slots=True)
class Issued:
    """A ticket, what it opens, and its secret, which is told this once."""

    ticket: Ticket
    entitled: Entitlement
    secret: str


def issue(
    actor: Actor,
    grant_id: str,
    file_name: str,
    release_id: str | None,
    purpose: str | None,
    *,
    bounded: bool = False,
) -> Issued:
    """Issue a ticket for what the actor may fetch at this moment; nothing is held or charged yet.

    A ``bounded`` one tells what it may cost, and what it comes to beyond that is counted against the budget of its
    organization's agents. Raises what ``access.authorize`` raises, PurposeUnknown and PurposeNotPermitted; a bounded
    one also what opening its delivery would.
    """
    entitled = access.authorize(actor, grant_id, file_name, release_id)
    if purpose is not None:
        declared = purposes.read(purpose)
        download.require_purpose(grant_id, declared)
        entitled = replace(entitled, purpose=declared.value)
    yen = spending.would_add(entitled, actor.client_id) if bounded else None
    ticket, secret = tickets.issue(actor, entitled, yen)
    return Issued(ticket, entitled, secret)


def bring(secret: str, method: str, headers: Mapping[str, str]) -> None:
    """Have the bytes at hand, as ``download.bring``; to be called before ``open_delivery``, outside any transaction."""
    with transaction():
        ticket = tickets.get_open(secret)
        actor, wanted = _holder_of(ticket), _wanted(ticket, method, headers)
    download.bring(actor, wanted)


def open_delivery(secret: str, method: str, headers: Mapping[str, str]) -> Answer:
    """Answer a request under a ticket as if its client had sent it with a token, now.

    The ticket opens the one content it was issued for and no other: where the name means another one by now, nothing
    is sent. Raises TicketUnknown, and what ``download.open_delivery`` raises.
    """
    ticket = tickets.get_open(secret)
    actor = _holder_of(ticket)
    answer = _open(actor, ticket, _wanted(ticket, method, headers))
    if answer.delivery_id is not None:
        tickets.note_use(actor, ticket, answer.delivery_id)
    return answer


def _open(actor: Actor, ticket: Ticket, wanted: Wanted) -> Answer:
    """Open the delivery; under an agent's ticket what was not set aside for it must be left of the day.

    Its bytes were counted when it was issued: it opens one content, however often.
    """
    deliver = partial(download.open_delivery, actor, wanted)
    if ticket.agent_yen is None or wanted.method != "GET":
        return deliver()
    answer, yen = bounding.costing(ticket.grant_id, deliver)
    missing = tickets.draw(ticket, yen)
    if missing:
        bounding.count(answer, ticket.organization_id, 0, missing)
    return answer


def purpose_of(headers: Mapping[str, str]) -> str | None:
    """Return the purpose that a request declares, if any."""
    return next((value for name, value in headers.items() if name.lower() == download.PURPOSE), None)


def _wanted(ticket: Ticket, method: str, headers: Mapping[str, str]) -> Wanted:
    """Return what the ticket opens, for the purpose it was issued for and no other."""
    asked = download.declared(headers, ticket.purpose)
    return Wanted(ticket.grant_id, ticket.file_name, ticket.release_id, method, asked, ticket.sha256)


def _holder_of(ticket: Ticket) -> Actor:
    """Return for whom the ticket stands, narrowed to its grant; raises TicketUnknown, or what the one table says."""
    holder = holders.find_holder(ticket.organization_id, ticket.client_id, ticket.member_id, ticket.assurance)
    if holder is None:
        raise TicketUnknown
    actor = replace(holder, grant_ids=frozenset({ticket.grant_id}))
    judging.require(actor, Permission.FILES_FETCH)
    return actor
