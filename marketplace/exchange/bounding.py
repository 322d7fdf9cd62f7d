"""Bounding: what a delivery adds to a grant's bill, counted against what a person lets agents fetch in a day."""

from collections.abc import Callable

from marketplace.exchange import pacing, spending
from marketplace.exchange.download import Answer
from marketplace.metering import agents, quotas

Deliver = Callable[..., Answer]


def costing(grant_id: str, deliver: Deliver) -> tuple[Answer, int]:
    """Open a delivery, and return with it what it adds to the grant's bill, in yen before tax, at the dearest.

    Holds the grant's accounting until the transaction ends. Raises what ``deliver`` raises, and RateLimited.
    """
    # The minute before the accounting, as every download takes them: else two would wait for each other.
    pacing.take(grant_id)
    # What the grant came to before and after, while nobody else can change it.
    quotas.lock(grant_id)
    before = spending.come_to(grant_id)
    answer = deliver(is_rated=True)
    return answer, max(spending.come_to(grant_id) - before, 0)


def count(answer: Answer, organization_id: str, size_bytes: int, yen: int) -> None:
    """Count a delivery that was opened against the day; what the budget does not bear is not delivered.

    Raises AgentBudgetMissing and AgentBudgetExhausted; roll back then.
    """
    try:
        agents.count(organization_id, size_bytes, yen)
    except BaseException:
        if answer.file is not None:
            answer.file.close()
        raise
