"""Payment: taking it to the gateway, and learning what became of it from facts in any order."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from marketplace.billing import checkout, inbox, invoices, ledger, orders, payments, postings, queries
from marketplace.billing.gateways import wire
from marketplace.billing.models import Payment
from marketplace.billing.rules import Fact
from marketplace.billing.states import FactKind, PaymentState
from marketplace.exchange import facilities, purchase
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
PAGE_OPEN_FOR = timedelta(hours=23)
BACKFILL_OVERLAP = timedelta(hours=2)


def begin(payment_id: str) -> None:
    """Open the payment's page at the gateway, outside any transaction; doing it twice opens one page.

    The payment and its idempotency key are committed before, so a crash between the gateway's answer
    and our commit heals with the next call. Raises GatewayUnavailable and other refusals of the gateway.
    """
    payment = queries.get_payment(payment_id)
    if payment.session_id is not None or payment.state != PaymentState.CREATED:
        return
    means = facilities.current()
    page = f"{means.settings.base_url}/checkout/{payment_id}"
    opened = means.gateway.create_checkout(
        payment_id=payment_id,
        amount_yen=payment.amount_minor,
        description=_description(payment),
        success_url=f"{page}/done",
        cancel_url=f"{page}/cancelled",
        idempotency_key=payment.idempotency_key,
        # From the payment's own time, so that a repeated call is the same request to the gateway.
        expires_at=payment.created_at + PAGE_OPEN_FOR,
    )
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
    """Work on every event whose turn it is; one that fails keeps its trace and is tried again later."""
    for event_id in inbox.due_event_ids():
        try:
            _work(event_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, the event must keep its trace
            log.warning("event %s is put back: %s", event_id, error)
            with transaction():
                inbox.record_trouble(event_id, error)


@jobs.task("billing.backfill", cron="*/10 * * * *")
def backfill() -> None:
    """Ask the gateway for its recent events, so that lost webhooks heal by themselves."""
    events = list(facilities.current().gateway.list_events(clock.now() - BACKFILL_OVERLAP))
    with transaction():
        for event in events:
            _keep(event)


def apply(change: payments.PaymentChange) -> None:
    """Do, in the open transaction, what a payment's facts ask for."""
    payment = change.payment
    _post_fees(payment)
    if change.before == change.after:
        return
    if payment.order_id is not None:
        _apply_to_order(payment.order_id, change.after)
    elif change.after == PaymentState.PAID and payment.invoice_id is not None:
        _apply_to_invoice(payment, payment.invoice_id)


def _keep(event: Mapping[str, Any]) -> bool:
    is_new = inbox.store_event(event)
    if is_new:
        jobs.enqueue("billing.events")
    return is_new


def _work(event_id: str) -> None:
    known = inbox.get_event(event_id)
    reading = wire.read_event(known.payload)
    payment = queries.find_payment(reading.payment_id, reading.session_id, reading.payment_intent_id)
    if payment is None and reading.payment_id is not None:
        queries.get_payment(reading.payment_id)
    facts, fetched = _refetched(payment, known.id) if payment is not None else ([], None)
    with transaction():
        if inbox.claim(event_id) is None:
            return
        if payment is not None:
            apply(
                payments.record_facts(
                    payment.id,
                    [*facts, *(fact for fact in reading.facts if fact.kind == FactKind.INTENT_FAILED)],
                    payment_intent_id=fetched.payment_intent_id if fetched else reading.payment_intent_id,
                    charge_id=fetched.charge_id if fetched else reading.charge_id,
                )
            )
        inbox.mark_processed(event_id)


def _refetched(payment: Payment, event_id: str) -> tuple[list[Fact], checkout.CheckoutReport | None]:
    # What an event says may be old; what the gateway says when asked is not.
    if payment.session_id is None:
        begin(payment.id)
        payment = queries.get_payment(payment.id)
    if payment.session_id is None:
        return [], None
    report = facilities.current().gateway.fetch_checkout(payment.session_id)
    return checkout.facts_of_report(report, clock.now(), event_id), report


def _apply_to_order(order_id: str, state: PaymentState) -> None:
    if state == PaymentState.PAID:
        purchase.fulfil(order_id)
    elif state == PaymentState.EXPIRED:
        orders.mark_expired(SYSTEM, order_id)
    elif state == PaymentState.FAILED:
        orders.mark_failed(SYSTEM, order_id)


def _apply_to_invoice(payment: Payment, invoice_id: str) -> None:
    if not invoices.mark_paid(SYSTEM, invoice_id):
        return
    invoice = queries.require_invoice(invoice_id)
    entries = postings.invoice_paid_by_card(payment.amount_minor, invoice.recipient_organization_id)
    ledger.post("invoice_paid", invoice_id, f"paid:{invoice_id}", clock.today(), entries)


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
