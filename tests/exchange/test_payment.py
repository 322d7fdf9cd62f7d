"""Payment: the sandbox's facts, in whatever order and however often they come, end in the same state."""

import hashlib
import hmac
import itertools
import json
import random
import time
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.billing import inbox, ledger_queries, orders, postings, queries
from marketplace.billing.balance import queries as movements
from marketplace.billing.errors import InvoiceNotFound, InvoiceNotPayable, WebhookForged
from marketplace.billing.gateways.stripe import StripeGateway
from marketplace.exchange import facilities, payment, purchase, settlement
from marketplace.exchange.purchase import Purchase
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.errors import Unavailable
from marketplace.kit.settings import SANDBOX_WEBHOOK_SECRET
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from marketplace.sandbox import controls
from marketplace.sandbox.wire import WireError
from tests.factories import market, money
from tests.factories.receivables import paid_in


@pytest.fixture
def made(app: Flask) -> Purchase:
    """An order of 5,500 yen on its payment page."""
    return market.ordered(market.buyer(), market.offered(market.listed()))


def now(made: Purchase) -> tuple[str, str]:
    """The states of order and payment."""
    db.session.expire_all()
    order = queries.require_order(made.order.id)
    return order.state, queries.get_payment(made.payment.id).state


def counted(table: str) -> int:
    return db.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def events() -> list[dict]:
    return [dict(event) for event in facilities.current().gateway.list_events(clock.now() - timedelta(hours=30))]


def report(event: dict, secret: str = SANDBOX_WEBHOOK_SECRET) -> bool:
    """Send an event as the gateway does."""
    body, at = json.dumps(event).encode(), int(time.time())
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return payment.receive_event(body, f"t={at},v1={signed}")


def test_a_page_is_opened_once(made: Purchase) -> None:
    for _ in range(2):
        payment.begin(made.payment.id)
    again = queries.get_payment(made.payment.id)
    assert again.session_id == made.payment.session_id
    assert again.checkout_url.startswith("http://127.0.0.1:8000/sandbox/")
    assert now(made) == ("placed", "open")


def test_a_gateway_that_does_not_answer_is_asked_again_with_the_same_key(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, offer, keys = market.buyer(), market.offered(market.listed()), []
    create = StripeGateway.create_checkout

    def lost(self: StripeGateway, **question: object) -> object:
        keys.append(question["idempotency_key"])
        opened = create(self, **question)
        if len(keys) == 1:
            raise Unavailable
        return opened

    monkeypatch.setattr(StripeGateway, "create_checkout", lost)
    with transaction():
        order_id = purchase.place_order(who, offer.id, offer.terms_sha256)
    waiting = purchase.read(who, order_id).payment
    with pytest.raises(Unavailable):
        payment.begin(waiting.id)
    assert queries.get_payment(waiting.id).session_id is None
    payment.begin(waiting.id)
    assert len(set(keys)) == 1
    sessions = "SELECT count(*) FROM sandbox_object WHERE id LIKE 'cs\\_%'"
    assert db.session.execute(text(sessions)).scalar_one() == 1


def test_a_declined_card_leaves_the_page_open_for_another(app: Flask, made: Purchase) -> None:
    assert market.visit(app, made, "decline").status_code == 402
    market.learn()
    assert now(made) == ("placed", "open")
    assert market.visit(app, made).status_code == 303
    market.learn()
    assert now(made) == ("fulfilled", "paid")


def test_an_unpaid_page_expires_and_with_it_the_order(made: Purchase) -> None:
    with clock.stopped(clock.now() + timedelta(hours=24)):
        jobs.run_pending()
        db.session.expire_all()
        facilities.current().gateway.fetch_checkout(made.payment.session_id)
        market.learn()
    assert now(made) == ("expired", "expired")
    assert counted("access_grant") == 0
    assert counted("invoice") == 0


def test_money_that_comes_after_all_is_honoured(app: Flask, made: Purchase) -> None:
    with transaction():
        orders.mark_expired(SYSTEM, made.order.id)
    market.visit(app, made)
    market.learn()
    assert now(made) == ("fulfilled", "paid")
    assert counted("access_grant") == 1


@pytest.mark.parametrize("seed", range(5))
def test_reports_in_any_order_and_any_number_fulfil_once(app: Flask, made: Purchase, seed: int) -> None:
    market.visit(app, made, "decline")
    market.visit(app, made)
    reports = events() * 2
    random.Random(seed).shuffle(reports)
    fresh = [report(event) for event in reports]
    assert fresh.count(True) == len(reports) / 2
    payment.work_inbox()
    payment.work_inbox()
    assert now(made) == ("fulfilled", "paid")
    assert (counted("access_grant"), counted("invoice")) == (1, 1)
    assert ledger_queries.trial_balance().total_minor == 0


def test_every_order_of_two_reports_ends_alike(app: Flask) -> None:
    offer = market.offered(market.listed())
    for order in itertools.permutations(range(2)):
        made = market.ordered(market.buyer(), offer)
        market.visit(app, made)
        mine = [event for event in events() if made.payment.id in json.dumps(event)][:2]
        for n in order:
            report(mine[n])
            payment.work_inbox()
        assert now(made) == ("fulfilled", "paid")


def test_a_report_is_kept_once_and_wakes_the_worker_once(app: Flask, made: Purchase) -> None:
    market.visit(app, made)
    event = events()[0]
    db.session.execute(text("DELETE FROM procrastinate_jobs"))
    assert [report(event), report(event)] == [True, False]
    assert counted("procrastinate_jobs WHERE task_name = 'billing.events'") == 1


def test_a_forged_report_is_refused_and_kept_nowhere(app: Flask, made: Purchase) -> None:
    market.visit(app, made)
    with pytest.raises(WebhookForged):
        report(events()[0], "whsec_guessed")
    assert counted("stripe_event") == 0


def test_an_event_that_fails_keeps_its_trace_and_comes_back(
    app: Flask, made: Purchase, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.visit(app, made)
    payment.backfill()
    monkeypatch.setattr(purchase, "_grant", lambda *_: 1 / 0)
    payment.work_inbox()
    assert now(made) == ("placed", "open")
    assert any("ZeroDivisionError" in event.trouble for event in inbox.list_troubled())
    monkeypatch.undo()
    with clock.stopped(clock.now() + timedelta(hours=2)):
        payment.work_inbox()
    assert now(made) == ("fulfilled", "paid")


def test_an_invoice_of_usage_is_paid_by_card(app: Flask) -> None:
    who = market.buyer()
    offer = market.offered(market.listed(), PriceKind.PER_UNIT, 2**20)
    grant_id = market.ordered(who, offer).grant_id
    market.fetched(who, grant_id)
    with clock.stopped(clock.now() + timedelta(minutes=1)):
        (invoice,) = settlement.settle(SYSTEM)
    stranger = market.buyer()
    with pytest.raises(InvoiceNotFound), transaction():
        payment.pay_invoice(stranger, invoice.id)
    with transaction():
        payment_id = payment.pay_invoice(who, invoice.id)
    payment.begin(payment_id)
    opened = queries.get_payment(payment_id)
    assert opened.amount_minor == invoice.amount_gross_yen
    assert app.test_client().post(f"/sandbox/pay/{opened.session_id}/pay").status_code == 303
    market.learn()
    db.session.expire_all()
    assert queries.require_invoice(invoice.id).state == "paid"
    assert ledger_queries.balance_of(f"Assets:Receivable:{who.organization_id}") == 0
    assert ledger_queries.trial_balance().total_minor == 0


def test_an_older_report_after_a_newer_one_changes_nothing(app: Flask, made: Purchase) -> None:
    """stripe-cli, cashier, Ghost: a late update overwrote what was newer."""
    market.visit(app, made)
    market.learn()
    assert now(made) == ("fulfilled", "paid")
    old = next(event for event in events() if event["type"] == "payment_intent.created")
    assert report(old | {"id": "evt_replayed"})
    expired = old | {"id": "evt_expired", "type": "checkout.session.expired"}
    gone = {
        "object": "checkout.session",
        "id": made.payment.session_id,
        "status": "expired",
        "payment_status": "unpaid",
    }
    assert report(expired | {"data": {"object": gone}})
    payment.work_inbox()
    assert now(made) == ("fulfilled", "paid")
    assert inbox.get_event("evt_expired").processed_at is not None


def test_an_invoice_that_is_partly_paid_otherwise_takes_what_is_owed_and_owes_back_the_rest(app: Flask) -> None:
    who = market.buyer()
    grant_id = market.ordered(who, market.offered(market.listed(), PriceKind.PER_UNIT, 2**20)).grant_id
    market.fetched(who, grant_id)
    with clock.stopped(clock.now() + timedelta(minutes=1)):
        (invoice,) = settlement.settle(SYSTEM)
    with transaction():
        payment_id = payment.pay_invoice(who, invoice.id)
    payment.begin(payment_id)
    gross, session_id = invoice.amount_gross_yen, queries.get_payment(payment_id).session_id
    assert gross > 10
    controls.pay(session_id)
    with transaction():
        paid_in(SYSTEM, invoice.id, 10, "bank_line_1", account=postings.BANK)
    with pytest.raises(InvoiceNotPayable, match="what was owed before"), transaction():
        payment.pay_invoice(who, invoice.id)
    market.learn()
    assert queries.require_invoice(invoice.id).state == "paid"
    assert ledger_queries.balance_of(f"Assets:Receivable:{who.organization_id}") == 0
    assert ledger_queries.balance_of(f"Liabilities:Unapplied:{who.organization_id}") == -10
    assert [one.state for one in movements.list_movements().items] == ["matched"]


def test_a_page_is_closed_when_something_else_has_paid(app: Flask) -> None:
    made = money.on_credit(app)
    with transaction():
        payment_id = payment.pay_invoice(money.owner(made), made.invoice_id)
    payment.begin(payment_id)
    payment.close_pages()
    assert queries.get_payment(payment_id).state == "open"  # what is owed stays payable
    money.pay_by_bank(made, 5_500)
    payment.close_pages()
    db.session.expire_all()
    paid = queries.get_payment(payment_id)
    assert paid.state == "expired"
    with pytest.raises(WireError, match="takes no such deed"):
        controls.pay(paid.session_id)
    assert money.balances()["Assets:Bank"] == 5_500
    assert postings.CLEARING not in money.balances()
    money.assert_sound()


def test_a_page_that_opens_while_something_else_pays_is_closed_at_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, create = money.on_credit(app), StripeGateway.create_checkout

    def paid_meanwhile(self: StripeGateway, **question: object) -> object:
        opened = create(self, **question)
        money.pay_by_bank(made, 5_500)
        return opened

    monkeypatch.setattr(StripeGateway, "create_checkout", paid_meanwhile)
    with transaction():
        payment_id = payment.pay_invoice(money.owner(made), made.invoice_id)
    payment.begin(payment_id)
    db.session.expire_all()
    assert queries.get_payment(payment_id).state == "expired"
    with pytest.raises(WireError, match="takes no such deed"):
        controls.pay(queries.get_payment(payment_id).session_id)
