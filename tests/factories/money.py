"""Money that comes and goes back: invoices paid in every way, the gateway's controls, and the books."""

from typing import Any

from flask import Flask

from marketplace.access import queries as grants
from marketplace.billing import ledger_checks, ledger_queries, payments, postings, queries
from marketplace.billing.models import Invoice, Payment
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.refunds.models import Refund
from marketplace.exchange import facilities, payment, refund
from marketplace.exchange.purchase import Purchase
from marketplace.exchange.refund import Why
from marketplace.identity.actors import SYSTEM, Actor, on_behalf_of
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind, Rail
from marketplace.sandbox import controls
from tests.factories import market
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.receivables import paid_in

TRANSIT = (postings.REFUNDS_IN_TRANSIT, postings.DISPUTES_HELD, postings.PAYOUTS_IN_TRANSIT)


def sold(
    app: Flask, yen: int = 5000, who: Actor | None = None, on: market.Listed | None = None, **said: Any
) -> Purchase:
    """One paid order of an offer at this price before tax; ``said`` is what the offer says beside."""
    limits = {name: said.pop(name) for name in ("duration_days",) if name in said}
    offer = market.offered(on or market.listed(), PriceKind.ONE_OFF, yen, said=said, **limits)
    return market.bought(app, who or market.buyer(), offer)


def on_credit(app: Flask, yen: int = 5000, **said: Any) -> Purchase:
    """One order that is delivered, with its invoice open."""
    return sold(app, yen, rails=(Rail.INVOICE,), **said)


def owner(made: Purchase) -> Actor:
    """The buyer of an order, as the exchange itself sees it."""
    return on_behalf_of(made.order.organization_id)


def invoice(made: Purchase) -> Invoice:
    """The order's invoice as it is now."""
    db.session.expire_all()
    return queries.require_invoice(made.invoice_id)


def payment_of(made: Purchase) -> Payment:
    """The payment as it is now."""
    db.session.expire_all()
    return queries.get_payment(made.payment.id)


def pay_by_card(made: Purchase) -> Payment:
    """Pay what is left of an order's invoice by card, and learn of it."""
    with transaction():
        opened = payments.open_for_invoice(owner(made), made.invoice_id).id
    payment.begin(opened)
    controls.pay(queries.get_payment(opened).session_id)
    market.learn()
    db.session.expire_all()
    return queries.get_payment(opened)


def pay_by_bank(made: Purchase, yen: int) -> None:
    """Let money come for an order's invoice on the bank account."""
    with transaction():
        paid_in(SYSTEM, made.invoice_id, yen, new_id("bnk"), account=postings.BANK)


def give_back(made: Purchase, yen: int | None = None, request: str | None = None, **why: Any) -> list[Refund]:
    """Ask for a refund of an order's invoice as the exchange itself; nothing is sent yet."""
    with transaction():
        made_ids = refund.give_back(SYSTEM, made.invoice_id, yen, Why(request or new_id("req"), **why))
    return [found(refund_id) for refund_id in made_ids]


def refunded(made: Purchase, yen: int | None = None, **why: Any) -> list[Refund]:
    """Ask for a refund, and have all of it sent."""
    opened = give_back(made, yen, **why)
    for one in opened:
        refund.send(one.id)
    return [found(one.id) for one in opened]


def found(refund_id: str) -> Refund:
    """A refund as it is now."""
    db.session.expire_all()
    return refunds.require_refund(refund_id)


def grant_state(made: Purchase) -> str:
    """The state of the order's grant."""
    db.session.expire_all()
    return grants.require_grant(made.grant_id).state


def balances() -> dict[str, int]:
    """What stands on every account."""
    db.session.expire_all()
    return {row.code: row.balance_minor for row in ledger_queries.trial_balance().accounts if row.balance_minor}


def in_transit() -> dict[str, int]:
    """What stands on the accounts that return to zero."""
    return {code: yen for code, yen in balances().items() if code in TRANSIT}


def assert_sound() -> None:
    """Every invariant of the books holds; the exports have a test of their own."""
    checks = [check for check in ledger_checks.CHECKS if check is not ledger_checks.check_exports]
    assert [finding for check in checks for finding in check()] == []


def charge_of(made: Purchase) -> str:
    """The gateway's name of the charge that paid an order."""
    return facilities.current().gateway.fetch_checkout(payment_of(made).session_id).charge_id


def operator() -> Actor:
    """An operator, in the open transaction."""
    return actor_of(OrganizationFactory(operator=True))
