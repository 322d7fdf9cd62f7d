"""Payment: learning what became of it from facts in any order, by webhook, by polling and by asking."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from marketplace.billing import checkout, cursors, inbox, payments, queries
from marketplace.billing.errors import PaymentUnknown
from marketplace.billing.gateways import wire
from marketplace.billing.rules import Fact
from marketplace.billing.states import FactKind
from marketplace.exchange import facilities, pages, reports
from marketplace.exchange.outcome import apply
from marketplace.exchange.pages import begin
from marketplace.identity.actors import Actor
from marketplace.kit import clock, jobs
from marketplace.kit.errors import Unavailable
from marketplace.kit.health import LOST_DATABASE
from marketplace.kit.transaction import transaction

__all__ = ["apply", "backfill", "begin", "pay_invoice", "receive_event", "reconcile", "work_inbox"]

log = logging.getLogger(__name__)
RECONCILE_AFTER = timedelta(minutes=15)
EVENTS_KEPT = timedelta(days=30)
CURSOR = "events"
# What happened is a fact also where the gateway's present state no longer shows it.
_PAST = {FactKind.INTENT_FAILED, FactKind.INTENT_PARTIALLY_FUNDED}


def pay_invoice(actor: Actor, invoice_id: str) -> str:
    """Open a payment for an open invoice of the caller's organization; returns the payment's id."""
    return payments.open_for_invoice(actor, invoice_id).id


def is_listening() -> bool:
    """Whether webhooks are taken at all; without a secret anybody could forge them."""
    return bool(facilities.current().settings.webhook_secrets)


def receive_event(raw_body: bytes, signature: str | None) -> bool:
    """Verify a webhook on its raw bytes and keep it once; work on it comes later. True for a new event."""
    event = facilities.current().gateway.verify_event(raw_body, signature)
    with transaction():
        return _keep(event)


@jobs.task("billing.events", cron="* * * * * */5")
def work_inbox() -> None:
    """Work on every event whose turn it is; one that fails keeps its trace and is tried again, or parked."""
    with transaction():
        due = inbox.due_event_ids()
    for event_id in due:
        try:
            _work(event_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, the event must keep its trace
            log.warning("event %s is put back: %s", event_id, error)
            with transaction():
                inbox.record_trouble(event_id, error, may_pass=isinstance(error, (Unavailable, *LOST_DATABASE)))


@jobs.task("billing.poll", cron="* * * * *")
def poll() -> None:
    """Ask for events each minute where no webhook reaches us, so that no public address is needed."""
    if not is_listening():
        backfill()


@jobs.task("billing.backfill", cron="*/10 * * * *")
def backfill() -> None:
    """Ask the gateway for its events since the last asking, so that lost webhooks heal by themselves.

    The gateway keeps events for 30 days. What an outage longer than that swallowed is found by ``reconcile``,
    which asks for the payments themselves, and by the balance, which tells of every yen.
    """
    asked_at = clock.now()
    with transaction():
        since = cursors.begin(CURSOR, asked_at, EVENTS_KEPT)
    events = list(facilities.current().gateway.list_events(since))
    with transaction():
        for event in reversed(events):
            _keep(event)
        cursors.move(CURSOR, asked_at)


@jobs.task("billing.reconcile", cron="29 * * * *")
def reconcile() -> None:
    """Ask the gateway about every payment whose page has closed and of whose end nothing was heard.

    However long an outage kept events away, what was paid is fulfilled and what was not is given up.
    """
    with transaction():
        overdue = queries.list_overdue_payment_ids(clock.now() - RECONCILE_AFTER)
    _each(overdue, _learn)


@jobs.task("billing.pages", cron="*/5 * * * *")
def close_pages() -> None:
    """Close the pages of what was paid otherwise, or is owed no longer so; give up transfers that never came."""
    patience = timedelta(days=facilities.current().settings.bank_transfer_days)
    with transaction():
        obsolete = [*payments.list_unwanted_ids(), *payments.list_late_transfer_ids(clock.now() - patience)]
    _each(dict.fromkeys(obsolete), pages.close)


def _each(payment_ids: Iterable[str], deed: Callable[[str], None]) -> None:
    for payment_id in payment_ids:
        try:
            deed(payment_id)
        except Exception as error:  # noqa: BLE001 - one payment in trouble must not keep the others waiting
            log.warning("payment %s could not be reconciled: %s", payment_id, error)


def _keep(event: Mapping[str, Any]) -> bool:
    is_new = inbox.store_event(event)
    if is_new:
        jobs.enqueue("billing.events")
    return is_new


def _work(event_id: str) -> None:
    # What is read before the gateway is asked holds no transaction open while we wait for its answer.
    with transaction():
        event = inbox.get_event(event_id)
        reading, report = wire.read_event(event.payload), reports.read(event.payload)
    if report is not None:
        reports.learn(report, event_id)
        _finish(event_id)
        return
    payment_id = _payment_of(reading)
    fetched = _refetched(payment_id, reading.session_id) if payment_id else None
    with transaction():
        if inbox.claim(event_id) is None:
            return
        if payment_id is not None:
            apply(payments.record_facts(payment_id, _facts(event_id, reading, fetched), **_named(reading, fetched)))
        inbox.mark_processed(event_id)


def _finish(event_id: str) -> None:
    with transaction():
        if inbox.claim(event_id) is not None:
            inbox.mark_processed(event_id)


def _payment_of(reading: checkout.EventReading) -> str | None:
    with transaction():
        found = queries.find_payment(reading.payment_id, reading.session_id, reading.payment_intent_id)
        payment_id = found.id if found else None
    if payment_id is None and reading.payment_id is not None:
        raise PaymentUnknown
    return payment_id


def _learn(payment_id: str) -> None:
    if pages.session_of(payment_id) is None and not pages.recover(payment_id):
        pages.give_up(payment_id)
        return
    report = _refetched(payment_id)
    pages.record(payment_id, checkout.facts_of_report(report, clock.now()) if report else [], report)


def _refetched(payment_id: str, session_id: str | None = None) -> checkout.CheckoutReport | None:
    # What an event says may be old; what the gateway says when asked is not.
    if pages.session_of(payment_id) is None:
        pages.recover(payment_id)
    known = session_id or pages.session_of(payment_id)
    return facilities.current().gateway.fetch_checkout(known) if known else None


def _facts(event_id: str, reading: checkout.EventReading, report: checkout.CheckoutReport | None) -> list[Fact]:
    fetched = checkout.facts_of_report(report, clock.now(), event_id) if report else []
    return [*fetched, *(fact for fact in reading.facts if fact.kind in _PAST)]


def _named(reading: checkout.EventReading, report: checkout.CheckoutReport | None) -> dict[str, str | None]:
    source = report or reading
    return {"payment_intent_id": source.payment_intent_id, "charge_id": source.charge_id}
