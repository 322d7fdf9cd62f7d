"""Agents: a page of rows for a program that decides by itself, within what a person lets it fetch in a day."""

from collections.abc import Mapping
from typing import Any

from marketplace.access.rules import Entitlement
from marketplace.exchange import pacing, rows, spending
from marketplace.exchange.download import Answer
from marketplace.exchange.rows import Envelope, Page
from marketplace.identity.actors import Actor
from marketplace.metering import agents, quotas
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
    if agents.find_budget(actor.organization_id) is None:
        raise AgentBudgetMissing  # before a query runs for nothing; what is left is judged with the delivery
    return rows.open_page(actor, grant_id, file_name, asked, headers, envelope, _counted)


def _counted(content: Entitlement, deliver: rows.Deliver) -> Answer:
    # The minute before the accounting, as every download takes them: else two would wait for each other.
    pacing.take(content.grant_id)
    # What the grant came to before and after, while nobody else can change it.
    quotas.lock(content.grant_id)
    before = spending.come_to(content.grant_id)
    answer = deliver(is_rated=True)
    try:
        agents.count(content.organization_id, answer.length, max(spending.come_to(content.grant_id) - before, 0))
    except BaseException:
        if answer.file is not None:
            answer.file.close()
        raise
    return answer
