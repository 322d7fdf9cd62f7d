"""Agents: rows and files for a program that decides by itself, within what a person lets it fetch in a day."""

from collections.abc import Mapping
from typing import Any

from marketplace.access.rules import Entitlement
from marketplace.exchange import bounding, rows, ticketing
from marketplace.exchange.download import Answer
from marketplace.exchange.rows import Envelope, Page
from marketplace.exchange.ticketing import Issued
from marketplace.identity.actors import Actor
from marketplace.metering import agents
from marketplace.metering.errors import AgentBudgetMissing


def open_page(
    actor: Actor,
    grant_id: str,
    file_name: str,
    asked: Mapping[str, Any],
    headers: Mapping[str, str],
    envelope: Envelope,
) -> Page:
    """Open the metered delivery of a page as for anybody, and count it against the agents' budget of the day.

    Both in one transaction: a page that the budget does not bear is neither delivered nor charged. Raises what a page
    of rows raises, AgentBudgetMissing and AgentBudgetExhausted.
    """
    _require_budget(actor)  # before a query runs for nothing; what is left is judged with the delivery
    return rows.open_page(actor, grant_id, file_name, asked, headers, envelope, _counted)


def issue_ticket(
    actor: Actor, grant_id: str, file_name: str, release_id: str | None, headers: Mapping[str, str]
) -> Issued:
    """Issue a ticket for a whole file, and set its bytes and yen aside in the agents' budget of the day.

    To be called in a transaction: a ticket that the budget does not bear is not issued. Raises what issuing raises,
    what opening its delivery now would, AgentBudgetMissing and AgentBudgetExhausted.
    """
    _require_budget(actor)
    issued = ticketing.issue(actor, grant_id, file_name, release_id, ticketing.purpose_of(headers), bounded=True)
    agents.count(actor.organization_id, issued.entitled.size_bytes, issued.ticket.agent_yen or 0)
    return issued


def _require_budget(actor: Actor) -> None:
    if agents.find_budget(actor.organization_id) is None:
        raise AgentBudgetMissing


def _counted(content: Entitlement, deliver: rows.Deliver) -> Answer:
    answer, yen = bounding.costing(content.grant_id, deliver)
    bounding.count(answer, content.organization_id, answer.length, yen)
    return answer
