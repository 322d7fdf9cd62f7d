"""The gateway's balance, read hourly and tied to the ledger movement by movement."""

import logging
from collections import Counter
from datetime import timedelta

from marketplace.billing import cursors
from marketplace.billing.balance import queries, service
from marketplace.billing.balance.states import MovementState
from marketplace.billing.gateways.reports import UnreadableMovement
from marketplace.exchange import facilities
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
CURSOR = "balance"
READ_BACK = timedelta(days=400)
"""How far back the first reading goes: a fiscal year and its closing."""


@jobs.task("billing.balance", cron="41 * * * *")
def work() -> None:
    """Read what moved the gateway's balance, and tie each movement to the ledger."""
    reconcile()


def reconcile() -> Counter[MovementState]:
    """Do what the job does, and return how many movements ended in which state.

    Twice, in parallel or out of order, the same books come of it: each movement is kept once, and tied once,
    in a transaction of its own. Raises GatewayUnavailable and GatewayMisconfigured.
    """
    _read()
    with transaction():
        waiting = list(queries.unsettled_ids())
    return Counter(_settle(movement_id) for movement_id in waiting)


def _read() -> None:
    asked_at = clock.now()
    with transaction():
        since = cursors.begin(CURSOR, asked_at, READ_BACK)
    told = list(facilities.current().gateway.list_balance_transactions(since))
    with transaction():
        for movement in reversed(told):
            if isinstance(movement, UnreadableMovement):
                service.note_unreadable(movement)
            else:
                service.keep(movement)
        cursors.move(CURSOR, asked_at)


def _settle(movement_id: str) -> MovementState:
    try:
        with transaction():
            return service.settle(movement_id)
    except Exception:  # one movement in trouble must not keep the others waiting
        log.exception("balance transaction %s could not be tied to the ledger", movement_id)
        return MovementState.WAITING
