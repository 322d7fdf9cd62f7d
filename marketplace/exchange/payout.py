"""Payout: what providers may draw goes to them, once, with the papers that belong to it."""

import logging
from collections.abc import Sequence
from datetime import date, timedelta

from marketplace.billing.errors import GatewayRefused
from marketplace.billing.gateways.reports import TransferReport
from marketplace.billing.payouts import queries, rules, service
from marketplace.billing.payouts.models import Payout
from marketplace.billing.payouts.rules import TransferLine
from marketplace.billing.payouts.states import PayoutState, PayoutWay
from marketplace.exchange import facilities, statement
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
KEY_LIVES = timedelta(hours=23)
"""Stripe forgets an idempotency key after 24 hours (docs.stripe.com/api/idempotent_requests)."""


def draw_all(actor: Actor) -> list[str]:
    """Draw a payout for every provider who may draw enough; one transaction each. Returns the payouts' ids."""
    with transaction():
        providers = [payable.organization_id for payable in queries.payables() if payable.amount_yen > 0]
    drawn = []
    for provider_id in providers:
        with transaction():
            payout = service.draw(actor, provider_id)
        drawn += [payout.id] if payout else []
    return drawn


def transfer_file(actor: Actor, on: date) -> tuple[str, Sequence[Payout]]:
    """Return the file of bank transfers of all approved payouts, which are sent with that.

    Call it in one transaction: a payout is in one file. Its text is for ``cp932``, as banks take it.
    """
    approved = queries.list_in_state(PayoutState.APPROVED, PayoutWay.BANK)
    sent = [service.mark_sent(actor, payout.id) for payout in approved]
    lines = [TransferLine(payout.id, payout.account, payout.amount_yen) for payout in sent]
    return rules.transfer_file(lines, on), sent


def note_paid(actor: Actor, payout_id: str, paid_on: date) -> Payout:
    """Note that the money has left us, and issue its papers: statement and commission invoice.

    Raises PayoutNotFound or PayoutMoved.
    """
    payout = service.mark_paid(actor, payout_id, paid_on)
    # Last, since papers hold the counters of the operator's numbers until the end.
    statement.issue(actor, payout, paid_on)
    return payout


@jobs.task("billing.payouts", cron="*/10 * * * *")
def pursue() -> None:
    """Have the gateway transfer every approved payout that goes through it."""
    with transaction():
        waiting = [payout.id for payout in queries.list_in_state(PayoutState.APPROVED, PayoutWay.CONNECT)]
    for payout_id in waiting:
        try:
            transfer(payout_id)
        except Exception:  # one payout in trouble must not keep the others waiting
            log.exception("payout %s could not be transferred", payout_id)


def transfer(payout_id: str) -> None:
    """Move an approved payout to the provider's connected account, outside any transaction; twice moves it once.

    Raises GatewayUnavailable; what the gateway refuses fails the payout, to be drawn again.
    """
    with transaction():
        payout = queries.require_payout(payout_id)
        if payout.state != PayoutState.APPROVED.value or payout.way != PayoutWay.CONNECT.value:
            return
    try:
        report = _sent_before(payout) or _send(payout)
    except GatewayRefused as refused:
        with transaction():
            service.mark_sent(SYSTEM, payout_id)
            service.mark_failed(SYSTEM, payout_id, refused.slug)
        return
    with transaction():
        service.mark_sent(SYSTEM, payout_id, report.transfer_id)
        note_paid(SYSTEM, payout_id, clock.today())


def learn(gateway_id: str, event_id: str) -> None:
    """Ask the gateway about a transfer and act on it: one that was taken back in full has failed.

    Payouts of the gateway to our own bank account are booked from its balance, and need nothing here.
    """
    if not gateway_id.startswith("tr_"):
        return
    report = facilities.current().gateway.fetch_transfer(gateway_id)
    with transaction():
        payout = queries.find_by_transfer(gateway_id)
        if payout is None:
            log.error("transfer %s (event %s) is none of our payouts", gateway_id, event_id)
        elif report.amount_reversed_minor == report.amount_minor and payout.state != PayoutState.FAILED.value:
            service.mark_failed(SYSTEM, payout.id, "reversed")


def _send(payout: Payout) -> TransferReport:
    return facilities.current().gateway.create_transfer(
        transfer_id=payout.id,
        destination=payout.account["connect_account_id"],
        amount_minor=payout.amount_yen,
        idempotency_key=payout.idempotency_key,
    )


def _sent_before(payout: Payout) -> TransferReport | None:
    if clock.now() - payout.created_at < KEY_LIVES:
        return None
    told = facilities.current().gateway.list_transfers(destination=payout.account["connect_account_id"])
    return next((report for report in told if report.labels.get("transfer_id") == payout.id), None)
