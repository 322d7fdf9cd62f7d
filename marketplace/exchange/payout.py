"""Payout: what providers may draw goes to them, once, with the papers that belong to it."""

import logging
from datetime import date, timedelta

from marketplace.billing.errors import GatewayFailureKept, GatewayObjectMissing, GatewayRefused
from marketplace.billing.gateways.reports import TransferReport
from marketplace.billing.payouts import queries, rules, service
from marketplace.billing.payouts.errors import PayoutNotFound
from marketplace.billing.payouts.models import Payout
from marketplace.billing.payouts.rules import TransferLine
from marketplace.billing.payouts.states import PayoutState, PayoutWay
from marketplace.exchange import facilities, payout_papers
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
KEY_LIVES = timedelta(hours=23)
"""Stripe forgets an idempotency key after 24 hours (docs.stripe.com/api/idempotent_requests)."""
_BEGUN = {PayoutState.APPROVED, PayoutState.SENT}


def draw_all(actor: Actor) -> list[Payout]:
    """Draw a payout for every provider who may draw enough, in the open transaction; none where none may."""
    # All accounts before the first payout: who posts may hold up others until the end, and they the next account.
    drawn = [service.find_draw(actor, provider_id) for provider_id in queries.lock_drawable()]
    return [payout for payout in drawn if payout is not None]


def claim(actor: Actor, organization_id: str) -> Payout:
    """Claim what a provider owes beyond what it earned, with the commission invoice; raises NothingToClaim."""
    payout = service.claim(actor, organization_id)
    # Last, since papers hold the counters of the operator's numbers until the end.
    payout_papers.issue(actor, payout, clock.today())
    return payout


def file_text(file_id: str) -> str:
    """Return a file of bank transfers, the same text whenever asked; it is for ``cp932``, as banks take it.

    Raises PayoutFileNotFound.
    """
    file = queries.get_file(file_id)
    lines = [TransferLine(one.id, one.account, one.amount_yen) for one in queries.list_of_file(file_id)]
    return rules.transfer_file(lines, file.transfer_on, file.requester)


def note_paid(actor: Actor, payout_id: str, paid_on: date) -> Payout:
    """Note that the money has moved, and issue its papers: statement and commission invoice.

    What goes through the gateway is the gateway's to report. Raises PayoutNotFound, PayoutMoved,
    ClaimNotCovered or Invalid.
    """
    _require_by_hand(payout_id)
    return _note_paid(actor, payout_id, paid_on, None)


def note_failed(actor: Actor, payout_id: str, reason: str) -> Payout:
    """Note that the bank could not pay, or sent the money back; raises PayoutNotFound or PayoutMoved."""
    _require_by_hand(payout_id)
    return service.mark_failed(actor, payout_id, reason)


def note_sent(actor: Actor, payout_id: str) -> Payout:
    """Note that a payout is being transferred by hand, outside any file; raises PayoutNotFound or PayoutMoved."""
    _require_by_hand(payout_id)
    return service.mark_sent(actor, payout_id)


@jobs.task("billing.payouts", cron="*/10 * * * *")
def pursue() -> None:
    """Have the gateway transfer every approved payout that goes through it, and finish what was begun."""
    with transaction():
        waiting = queries.unsent_by_gateway()
    for payout_id in waiting:
        try:
            transfer(payout_id)
        except Exception:  # one payout in trouble must not keep the others waiting
            log.exception("payout %s could not be transferred", payout_id)


def transfer(payout_id: str) -> None:
    """Move an approved payout to the provider's connected account, outside any transaction; twice moves it once.

    It is sent in the books before the gateway is asked, so that nobody calls it off meanwhile. Raises
    GatewayUnavailable; what the gateway refuses fails the payout, to be drawn again.
    """
    with transaction():
        payout = queries.lock_payout(payout_id)
        if payout.way != PayoutWay.CONNECT.value or payout.state not in _BEGUN:
            return
        service.mark_sent(SYSTEM, payout_id)
    try:
        report = _sent(payout)
    except (GatewayRefused, GatewayObjectMissing) as refused:
        log.warning("payout %s is refused by the gateway: %s", payout_id, refused)
        _note_refused(payout_id, refused.slug)
        return
    if report is not None:
        _learn_report(payout_id, report)


def learn(gateway_id: str, event_id: str) -> None:
    """Ask the gateway about a transfer and act on it: one that was taken back in full has failed.

    Payouts of the gateway to our own bank account are booked from its balance, and need nothing here. A
    transfer taken back in part stays paid, and what came back lies in suspense for somebody to look at.
    """
    if not gateway_id.startswith("tr_"):
        return
    report = facilities.current().gateway.fetch_transfer(gateway_id)
    with transaction():
        payout_id = _find(report)
    if payout_id is None:
        log.error("transfer %s (event %s) is none of our payouts", gateway_id, event_id)
    else:
        _learn_report(payout_id, report)


def _learn_report(payout_id: str, report: TransferReport) -> None:
    with transaction():
        payout = queries.lock_payout(payout_id)
        if payout.state == PayoutState.SENT.value:
            payout = _note_paid(SYSTEM, payout_id, clock.today(), report.transfer_id)
        if payout.gateway_transfer_id == report.transfer_id and report.amount_reversed_minor == report.amount_minor:
            service.mark_failed(SYSTEM, payout_id, "reversed")
        elif report.amount_reversed_minor:
            log.error("transfer %s of payout %s was taken back in part", report.transfer_id, payout_id)


def _find(report: TransferReport) -> str | None:
    known = queries.find_by_transfer(report.transfer_id)
    if known is not None:
        return known.id
    # Made, though we never heard the answer: our own label names it.
    labelled = queries.find_payout(report.labels.get("transfer_id", ""))
    return labelled.id if labelled is not None and labelled.way == PayoutWay.CONNECT.value else None


def _note_paid(actor: Actor, payout_id: str, paid_on: date, gateway_transfer_id: str | None) -> Payout:
    payout = service.mark_paid(actor, payout_id, paid_on, gateway_transfer_id)
    # Last, since papers hold the counters of the operator's numbers until the end.
    payout_papers.issue(actor, payout, paid_on)
    return payout


def _note_refused(payout_id: str, reason: str) -> None:
    with transaction():
        # Another attempt may have come through meanwhile: what is paid is not failed by this one.
        if queries.lock_payout(payout_id).state == PayoutState.SENT.value:
            service.mark_failed(SYSTEM, payout_id, reason)


def _require_by_hand(payout_id: str) -> None:
    payout = queries.find_payout(payout_id)
    if payout is None or payout.way == PayoutWay.CONNECT.value:
        raise PayoutNotFound


def _sent(payout: Payout) -> TransferReport | None:
    """Have it sent once; where the key is spent on a failure, look for what it sent, else ask under a new one.

    None where somebody else has finished it meanwhile.
    """
    spent = payout.idempotency_key
    try:
        return (_find_sent(payout) if _is_old(payout) else None) or _send(payout)
    except GatewayFailureKept:
        found = _find_sent(payout)
    if found is not None:
        return found
    with transaction():
        # Kept before it is used, so that whoever comes next, after a crash too, asks with the same.
        again = service.renew_key(payout.id, spent)
    return _send(again) if again.state == PayoutState.SENT.value else None


def _send(payout: Payout) -> TransferReport:
    return facilities.current().gateway.create_transfer(
        transfer_id=payout.id,
        destination=payout.account["connect_account_id"],
        amount_minor=payout.amount_yen,
        idempotency_key=payout.idempotency_key,
    )


def _is_old(payout: Payout) -> bool:
    """Tell whether it was first sent so long ago that the gateway may have forgotten its key."""
    return payout.sent_at is not None and clock.now() - payout.sent_at >= KEY_LIVES


def _find_sent(payout: Payout) -> TransferReport | None:
    told = facilities.current().gateway.list_transfers(destination=payout.account["connect_account_id"])
    return next((report for report in told if report.labels.get("transfer_id") == payout.id), None)
