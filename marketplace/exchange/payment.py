"""Payment: taking it to the gateway, and learning what became of it from facts in any order."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from marketplace.billing import checkout, inbox, invoices, ledger, orders, payments, postings, queries
from marketplace.billing.errors import GatewayRefused, GatewayUnavailable, PaymentUnknown
from marketplace.billing.gateways import wire
from marketplace.billing.models import Payment
from marketplace.billing.rules import Fact
from marketplace.billing.states import FactKind, PaymentState
from marketplace.exchange import facilities, purchase
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.kit import clock, jobs
from marketplace.kit.errors import Unavailable
from marketplace.kit.health import LOST_DATABASE
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
PAGE_OPEN_FOR = timedelta(hours=23)
RECONCILE_AFTER = timedelta(minutes=15)
BACKFILL_OVERLAP = timedelta(hours=2)


def begin(payment_id: str) -> None:
    """Open the payment's page at the gateway, outside any transaction; doing it twice opens one page.

    The payment and its idempotency key are committed before, so a crash between the gateway's answer
    and our commit heals with the next call. Raises GatewayUnavailable and other refusals of the gateway.
    """
    with transaction():
        asked = _question(payment_id)
    if asked is None:
        return
    try:
        opened = facilities.current().gateway.create_checkout(**asked)
    except GatewayUnavailable:
        # A twin of this call may be what keeps the gateway busy, and may have got its answer.
        if _is_open(payment_id):
            return
        raise
    with transaction():
        apply(payments.attach_session(payment_id, opened))


def pay_invoice(actor: Actor, invoice_id: str) -> str:
    """Open a payment for an open invoice of the caller's organization; returns the payment's id."""
    return payments.open_for_invoice(actor, invoice_id).id


def is_listening() -> bool:
    """Whether webhooks are taken at all; without a secret anybody could forge them."""
    return bool(facilities.current().settings.stripe_webhook_secrets)


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


@jobs.task("billing.backfill", cron="*/10 * * * *")
def backfill() -> None:
    """Ask the gateway for its recent events, so that lost webhooks heal by themselves."""
    events = list(facilities.current().gateway.list_events(clock.now() - BACKFILL_OVERLAP))
    with transaction():
        for event in events:
            _keep(event)


@jobs.task("billing.reconcile", cron="29 * * * *")
def reconcile() -> None:
    """Ask the gateway about every payment whose page has closed and of whose end nothing was heard.

    However long an outage kept events away, what was paid is fulfilled and what was not is given up.
    """
    closed_before = clock.now() - RECONCILE_AFTER
    with transaction():
        overdue = queries.list_overdue_payment_ids(closed_before)
    for payment_id in overdue:
        try:
            _learn(payment_id)
        except Exception as error:  # noqa: BLE001 - one payment in trouble must not keep the others waiting
            log.warning("payment %s could not be reconciled: %s", payment_id, error)


def apply(change: payments.PaymentChange) -> None:
    """Do, in the open transaction, what a payment's facts ask for."""
    payment = change.payment
    _post_fees(payment)
    if change.before == change.after:
        return
    if change.after == PaymentState.PAID:
        _apply_money(payment)
    elif payment.order_id is not None:
        _close_order(payment.order_id, change.after)


def _keep(event: Mapping[str, Any]) -> bool:
    is_new = inbox.store_event(event)
    if is_new:
        jobs.enqueue("billing.events")
    return is_new


def _work(event_id: str) -> None:
    # What is read before the gateway is asked holds no transaction open while we wait for its answer.
    with transaction():
        reading = wire.read_event(inbox.get_event(event_id).payload)
        found = queries.find_payment(reading.payment_id, reading.session_id, reading.payment_intent_id)
        payment_id = found.id if found else None
    if payment_id is None and reading.payment_id is not None:
        raise PaymentUnknown
    report = _refetched(payment_id) if payment_id else None
    with transaction():
        if inbox.claim(event_id) is None:
            return
        if payment_id is not None:
            apply(payments.record_facts(payment_id, _facts(event_id, reading, report), **_named(reading, report)))
        inbox.mark_processed(event_id)


def _learn(payment_id: str) -> None:
    try:
        report = _refetched(payment_id)
    except GatewayRefused:
        # While a page could be opened this was asked every hour, by the key of the one that may be there: none is.
        facts, named = [Fact(FactKind.SESSION_EXPIRED, payment_id, None, "JPY", clock.now())], {}
    else:
        facts = checkout.facts_of_report(report, clock.now()) if report else []
        named = {"payment_intent_id": report.payment_intent_id, "charge_id": report.charge_id} if report else {}
    with transaction():
        apply(payments.record_facts(payment_id, facts, **named))


def _refetched(payment_id: str) -> checkout.CheckoutReport | None:
    # What an event says may be old; what the gateway says when asked is not.
    begin(payment_id)
    with transaction():
        session_id = queries.get_payment(payment_id).session_id
    return facilities.current().gateway.fetch_checkout(session_id) if session_id else None


def _facts(event_id: str, reading: checkout.EventReading, report: checkout.CheckoutReport | None) -> list[Fact]:
    fetched = checkout.facts_of_report(report, clock.now(), event_id) if report else []
    return [*fetched, *(fact for fact in reading.facts if fact.kind == FactKind.INTENT_FAILED)]


def _named(reading: checkout.EventReading, report: checkout.CheckoutReport | None) -> dict[str, str | None]:
    source = report or reading
    return {"payment_intent_id": source.payment_intent_id, "charge_id": source.charge_id}


def _is_open(payment_id: str) -> bool:
    with transaction():
        return queries.get_payment(payment_id).session_id is not None


def _question(payment_id: str) -> dict[str, Any] | None:
    payment = queries.get_payment(payment_id)
    if payment.session_id is not None or payment.state != PaymentState.CREATED:
        return None
    page = f"{facilities.current().settings.base_url}/checkout/{payment_id}"
    return {
        "payment_id": payment_id,
        "amount_yen": payment.amount_minor,
        "description": _description(payment),
        "success_url": f"{page}/done",
        "cancel_url": f"{page}/cancelled",
        "idempotency_key": payment.idempotency_key,
        # From the payment's own time, so that a repeated call is the same request to the gateway.
        "expires_at": payment.created_at + PAGE_OPEN_FOR,
    }


def _apply_money(payment: Payment) -> None:
    if payment.order_id is not None:
        applied = purchase.fulfil(payment.order_id)
        payer = queries.require_order(payment.order_id).organization_id
    else:
        invoice = queries.require_invoice(payment.invoice_id or "")
        payer = invoice.recipient_organization_id
        applied = invoices.mark_paid(on_behalf_of(payer), invoice.id)
        if applied:
            entries = postings.invoice_paid_by_card(payment.amount_minor, payer)
            ledger.post("invoice_paid", invoice.id, f"paid:{invoice.id}", clock.today(), entries)
    if not applied:
        log.error("payment %s came for what was paid already; its money is owed back to %s", payment.id, payer)
        payments.record_unapplied(payment, payer)


def _close_order(order_id: str, state: PaymentState) -> None:
    buyer = on_behalf_of(queries.require_order(order_id).organization_id)
    if state == PaymentState.EXPIRED:
        orders.mark_expired(buyer, order_id)
    elif state == PaymentState.FAILED:
        orders.mark_failed(buyer, order_id)


def _post_fees(payment: Payment) -> None:
    for fact in queries.list_facts(payment.id):
        if fact.kind == FactKind.CHARGE_FEE and fact.amount_minor:
            if fact.currency != payment.currency:
                # Booking it as yen would be wrong by the exchange rate; the fact itself is kept.
                log.error("payment %s has a fee in %s, which is not booked", payment.id, fact.currency)
                continue
            day = fact.occurred_at.astimezone(clock.JST).date()
            entries = postings.processing_fee(fact.amount_minor)
            ledger.post("processing_fee", payment.id, f"fee:{fact.object_id}", day, entries)


def _description(payment: Payment) -> str:
    if payment.order_id is not None:
        order = queries.require_order(payment.order_id)
        return f"Musubi data licence / データ利用許諾 {order.id}"
    return f"Musubi invoice / 請求書 {queries.require_invoice(payment.invoice_id or '').number}"
