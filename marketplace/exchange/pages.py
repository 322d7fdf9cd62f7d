"""Payment pages: opened by one key, closed when something else has paid, and looked for when we forgot them."""

import logging
from functools import partial
from typing import Any

from marketplace.billing import checkout, customers, payments, queries
from marketplace.billing.checkout import Checkout
from marketplace.billing.errors import GatewayFailureKept, GatewayRefused, GatewayUnavailable
from marketplace.billing.models import Payment
from marketplace.billing.rules import Fact
from marketplace.billing.states import FactKind, PaymentState
from marketplace.exchange import facilities, outcome
from marketplace.identity import queries as identity
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import Rail

log = logging.getLogger(__name__)


def begin(payment_id: str) -> None:
    """Open the payment's page at the gateway, outside any transaction; doing it twice opens one page.

    The payment and its idempotency key are committed before, so a crash between the gateway's answer
    and our commit heals with the next call. What was paid otherwise meanwhile opens none. Raises
    GatewayUnavailable and other refusals of the gateway.
    """
    with transaction():
        asked = _question(payment_id)
    if asked is None:
        return
    try:
        opened = _opened(payment_id, asked)
    except GatewayUnavailable:
        # A twin of this call may be what keeps the gateway busy, and may have got its answer.
        if session_of(payment_id) is not None:
            return
        raise
    if opened is not None and not _note(payment_id, opened):
        close(payment_id)


def close(payment_id: str) -> None:
    """Close a page that shall not be paid any more; money that came before stays and is told of.

    A voucher or a transfer under way is given up with it. Raises what the gateway refuses.
    """
    gateway, session_id = facilities.current().gateway, session_of(payment_id)
    if session_id is None:
        give_up(payment_id)
        return
    report = gateway.expire_checkout(session_id)
    if report.status == "complete" and report.payment_status == "unpaid" and report.payment_intent_id:
        try:
            gateway.cancel_payment(report.payment_intent_id)
        except GatewayRefused:
            log.info("payment %s has arrived, or failed, before it could be given up", payment_id)
        report = gateway.fetch_checkout(session_id)
    record(payment_id, checkout.facts_of_report(report, clock.now()), report)


def recover(payment_id: str) -> bool:
    """Find the page of a payment of which we know none, by its key or by looking; False where there is none.

    The gateway knows a key for 24 hours. Beyond them the same key would open a second page, so that we look
    through its list instead. Raises GatewayUnavailable and GatewayMisconfigured.
    """
    with transaction():
        payment = queries.get_payment(payment_id)
        created_at = payment.created_at
    if created_at > clock.now() - customers.KEY_LASTS:
        try:
            begin(payment_id)
        except GatewayRefused:
            log.info("payment %s: the gateway opens no page for it any more", payment_id)
        if session_of(payment_id) is not None:
            return True
    found = facilities.current().gateway.find_checkout(payment_id, created_at)
    if found is not None:
        _note(payment_id, found)
    return found is not None


def give_up(payment_id: str) -> None:
    """Note that no page was opened for a payment, and that none will be."""
    record(payment_id, [Fact(FactKind.SESSION_EXPIRED, payment_id, None, "JPY", clock.now())], None)


def session_of(payment_id: str) -> str | None:
    """Return the gateway's name of the payment's page; None while it has none."""
    with transaction():
        return queries.get_payment(payment_id).session_id


def record(payment_id: str, facts: list[Fact], report: checkout.CheckoutReport | None) -> None:
    """Add facts to a payment in a transaction of their own, and do what they ask for."""
    named = {"payment_intent_id": report.payment_intent_id, "charge_id": report.charge_id} if report else {}
    with transaction():
        outcome.apply(payments.record_facts(payment_id, facts, **named))


def _note(payment_id: str, opened: Checkout) -> bool:
    """Keep the page; False where something else has paid while it was opened, so that it must be closed."""
    with transaction():
        change = payments.attach_session(payment_id, opened)
        outcome.apply(change)
        return change.after == PaymentState.PAID or payments.is_wanted(change.payment)


def _opened(payment_id: str, asked: dict[str, Any]) -> Checkout | None:
    """Open the page; where the key is spent on a failure, look for what it opened, else ask under a new one."""
    try:
        return _open(asked)
    except GatewayFailureKept:
        with transaction():
            created_at = queries.get_payment(payment_id).created_at
        found = facilities.current().gateway.find_checkout(payment_id, created_at)
        if found is not None:
            return found
    with transaction():
        payments.renew_key(payment_id, asked["idempotency_key"])
        again = _question(payment_id)
    return _open(again) if again else None


def _open(asked: dict[str, Any]) -> Checkout:
    organization_id = asked.pop("payer")
    if Rail.BANK_TRANSFER in asked["rails"]:
        asked["customer"] = _customer(organization_id)
    return facilities.current().gateway.create_checkout(**asked)


def _customer(organization_id: str) -> str:
    with transaction():
        known = customers.reserve(organization_id)
        if known.customer_id is not None:
            return known.customer_id
        organization, key = identity.get_organization(organization_id), known.idempotency_key
        name = organization.name_ja or organization.name_en
    create = partial(facilities.current().gateway.create_customer, organization_id=organization_id, name=name)
    try:
        made = create(idempotency_key=key)
    except GatewayFailureKept:
        with transaction():
            key = customers.renew_key(organization_id, key)
        made = create(idempotency_key=key)
    with transaction():
        return customers.note(organization_id, made)


def _question(payment_id: str) -> dict[str, Any] | None:
    payment = queries.get_payment(payment_id)
    if payment.session_id is not None or payment.state != PaymentState.CREATED:
        return None
    if not payments.is_wanted(payment):
        return None
    page = f"{facilities.current().settings.base_url}/checkout/{payment_id}"
    return {
        "payer": payments.payer_of(payment),
        "payment_id": payment_id,
        "amount_yen": payment.amount_minor,
        "description": _description(payment),
        "success_url": f"{page}/done",
        "cancel_url": f"{page}/cancelled",
        "idempotency_key": payment.idempotency_key,
        "rails": (Rail(payment.rail),),
        # From the payment's own time, so that a repeated call is the same request to the gateway.
        "expires_at": payment.created_at + payments.PAGE_OPEN_FOR,
    }


def _description(payment: Payment) -> str:
    if payment.order_id is not None:
        order = queries.require_order(payment.order_id)
        return f"Musubi data licence / データ利用許諾 {order.id}"
    return f"Musubi invoice / 請求書 {queries.require_invoice(payment.invoice_id or '').number}"
