"""Disputes: in whatever order the bank's words come, money, access and papers end in the same state."""

import itertools
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import select, text

from marketplace.access.errors import GrantRevoked, GrantSuspended
from marketplace.billing import ledger_checks, postings, queries
from marketplace.billing.disputes import queries as disputes
from marketplace.billing.disputes.models import Dispute
from marketplace.billing.documents.models import Document
from marketplace.billing.errors import PaymentUnknown
from marketplace.billing.gateways.stripe import StripeGateway
from marketplace.billing.refunds.errors import RefundDisputed
from marketplace.billing.refunds.states import RefundReason
from marketplace.exchange import balance, dispute, facilities, payment, refund
from marketplace.exchange.refund import Why
from marketplace.identity.actors import SYSTEM
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.sandbox import controls
from tests.factories import market, money, payouts


@pytest.fixture
def buyer(app: Flask):
    return market.buyer()


@pytest.fixture
def made(app: Flask, buyer):
    """A paid order of 5,500 yen whose money is tied to the gateway's balance."""
    sold = money.sold(app, 5000, buyer)
    balance.reconcile()
    return sold


def learnt(name: str) -> None:
    dispute.learn(name, "evt_test")


def the_dispute() -> Dispute:
    db.session.expire_all()
    return db.session.scalars(select(Dispute)).one()


def notes(made) -> list[int]:
    query = select(Document.amount_yen).where(Document.kind == "credit_note", Document.about.contains([made.order.id]))
    return list(db.session.scalars(query.order_by(Document.id)))


def movements() -> set[str]:
    db.session.expire_all()
    return set(db.session.scalars(text("SELECT DISTINCT state FROM balance_transaction")))


def test_while_a_payment_is_disputed_access_rests_and_the_bank_holds_the_money(made, buyer) -> None:
    before = money.balances()
    name = controls.open_dispute(money.charge_of(made))["id"]
    market.learn()
    learnt(name)
    assert the_dispute().state == "opened"
    with pytest.raises(GrantSuspended):
        market.fetched(buyer, made.grant_id)
    now = money.balances()
    assert now["Assets:DisputesHeld"] == 5_500
    assert now["Assets:Clearing:Stripe"] == before["Assets:Clearing:Stripe"] - 5_500 - now["Expenses:DisputeFee"]
    with pytest.raises(RefundDisputed):
        money.give_back(made, 100)
    money.assert_sound()


def test_a_dispute_won_gives_back_money_and_access(made, buyer) -> None:
    before = money.balances()
    name = controls.open_dispute(money.charge_of(made))["id"]
    learnt(name)
    controls.submit_evidence(name)
    controls.close_dispute(name, "won")
    learnt(name)
    assert market.fetched(buyer, made.grant_id)
    now = money.balances()
    assert now.pop("Expenses:DisputeFee") == before["Assets:Clearing:Stripe"] - now["Assets:Clearing:Stripe"]
    assert money.in_transit() == {}
    assert notes(made) == []
    balance.reconcile()
    assert movements() == {"matched"}
    money.refunded(made, 100)
    money.assert_sound()


def test_a_dispute_lost_takes_the_sale_back_and_the_grant(made, buyer) -> None:
    name = controls.open_dispute(money.charge_of(made))["id"]
    learnt(name)
    controls.close_dispute(name, "lost")
    learnt(name)
    learnt(name)
    with pytest.raises(GrantRevoked):
        market.fetched(buyer, made.grant_id)
    lost = the_dispute()
    assert (lost.state, lost.lost_yen, lost.absorbed_yen) == ("lost", 5_500, 0)
    assert notes(made) == [-5_500]
    assert {code.split(":")[1] for code in money.balances()} <= {"Clearing", "PaymentProcessing", "DisputeFee"}
    balance.reconcile()
    assert movements() == {"matched"}
    money.assert_sound()


def test_a_dispute_of_a_part_takes_that_part_and_leaves_the_grant(made, buyer) -> None:
    name = controls.open_dispute(money.charge_of(made), 1_100)["id"]
    learnt(name)
    controls.close_dispute(name, "lost")
    learnt(name)
    assert market.fetched(buyer, made.grant_id)
    assert notes(made) == [-1_100]
    assert money.in_transit() == {}
    [rest] = money.refunded(made)
    assert rest.amount_yen == 4_400
    money.assert_sound()


def test_the_books_name_a_dispute_that_ended_and_still_holds_money(made) -> None:
    learnt(controls.open_dispute(money.charge_of(made))["id"])
    money.assert_sound()
    db.session.execute(text("UPDATE dispute SET state = 'won', closed_at = now()"))
    [finding] = ledger_checks.check_transit()
    assert (finding.invariant, finding.trouble) == ("I2", "is won, yet 5500 are held")


def test_an_inquiry_moves_nothing(made, buyer) -> None:
    before = money.balances()
    name = controls.open_dispute(money.charge_of(made), inquiry=True)["id"]
    learnt(name)
    controls.close_dispute(name, "warning_closed")
    learnt(name)
    assert the_dispute().state == "warning"
    assert market.fetched(buyer, made.grant_id)
    assert money.balances() == before
    money.refunded(made, 100)


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_the_banks_words_in_any_order_and_number_end_the_same(app: Flask, monkeypatch, outcome: str) -> None:
    """polar ecf2dc8259: closed came before created: a double, stuck in needs_response."""
    fetch, ends = StripeGateway.fetch_dispute, set()
    for order in itertools.permutations(range(3)):
        made = money.sold(app)
        charge = money.charge_of(made)
        name = controls.open_dispute(charge)["id"]
        told = [facilities.current().gateway.fetch_dispute(name)]
        controls.submit_evidence(name)
        told.append(facilities.current().gateway.fetch_dispute(name))
        controls.close_dispute(name, outcome)
        told.append(facilities.current().gateway.fetch_dispute(name))
        said = deque(told[place] for place in (*order, order[0]))
        monkeypatch.setattr(StripeGateway, "fetch_dispute", lambda _self, _name, said=said: said.popleft())
        for _ in range(4):
            learnt(name)
        monkeypatch.setattr(StripeGateway, "fetch_dispute", fetch)
        known = db.session.scalars(select(Dispute).where(Dispute.gateway_dispute_id == name)).one()
        ends.add((known.state, known.lost_yen, money.grant_state(made), len(notes(made))))
    assert ends == ({("won", 0, "active", 0)} if outcome == "won" else {("lost", 5_500, "revoked", 1)})
    assert money.in_transit() == {}
    money.assert_sound()


def test_what_was_refunded_before_it_was_lost_the_exchange_bears(made) -> None:
    """The gateway lets nobody dispute what is refunded; should it happen, no account is left open."""
    name = controls.open_dispute(money.charge_of(made))["id"]
    learnt(name)
    with transaction():
        db.session.execute(text("UPDATE dispute SET state = 'warning'"))
    money.give_back(made, 2_000)
    controls.close_dispute(name, "lost")
    learnt(name)
    lost = the_dispute()
    assert (lost.lost_yen, lost.absorbed_yen) == (3_500, 2_000)
    assert money.balances()["Expenses:DisputeLoss"] == 2_000
    assert "Assets:DisputesHeld" not in money.balances()


def test_a_dispute_lost_over_what_was_given_back_already_leaves_the_access_that_was_left(made, buyer) -> None:
    name = controls.open_dispute(money.charge_of(made))["id"]
    learnt(name)
    with pytest.raises(GrantSuspended):
        market.fetched(buyer, made.grant_id)
    with transaction():
        db.session.execute(text("UPDATE dispute SET state = 'warning'"))
    with transaction():
        refund.give_back(SYSTEM, made.invoice_id, None, Why("goodwill", RefundReason.ADJUSTMENT))
    controls.close_dispute(name, "lost")
    learnt(name)
    lost = the_dispute()
    assert (lost.lost_yen, lost.absorbed_yen) == (0, 5_500)
    assert market.fetched(buyer, made.grant_id)


def test_a_dispute_lost_after_the_payout_is_a_debt_that_the_next_payout_nets(app: Flask) -> None:
    on, operator = market.listed(), payouts.operator()
    made = money.sold(app, 20_000, on=on)
    provider = on.provider.organization_id
    payouts.account_of(provider)
    payouts.released()
    assert payouts.paid(operator, provider).amount_yen == 19_800
    name = controls.open_dispute(money.charge_of(made))["id"]
    learnt(name)
    controls.close_dispute(name, "lost")
    learnt(name)
    assert money.balances()[postings.provider_available(provider)] == 19_800
    assert money.in_transit() == {}
    money.assert_sound()
    money.sold(app, 50_000, on=on)
    payouts.released()
    assert payouts.paid(operator, provider).amount_yen == 49_500 - 19_800
    assert postings.provider_available(provider) not in money.balances()
    money.assert_sound()


def test_a_dispute_heard_of_before_its_payment_waits(app: Flask) -> None:
    placed = market.ordered(market.buyer(), market.offered(market.listed()))
    assert market.visit(app, placed).status_code == 303
    charge = facilities.current().gateway.fetch_checkout(placed.payment.session_id).charge_id
    name = controls.open_dispute(charge)["id"]
    with pytest.raises(PaymentUnknown):
        learnt(name)
    assert disputes.list_disputes(market.party(operator=True)).items == []
    market.learn()
    learnt(name)
    assert the_dispute().state == "opened"
    money.assert_sound()


def test_a_dispute_told_of_by_many_at_once_is_one(own_database: Flask) -> None:
    """lago 6697f21c0: webhooks of one customer locked each other out."""
    with own_database.app_context():
        made = money.sold(own_database, 5000)
        name = controls.open_dispute(money.charge_of(made))["id"]
        db.session.refresh(made.order)
        db.session.expunge(made.order)

    def tell(number: int) -> None:
        with own_database.app_context():
            if number == 3:
                controls.close_dispute(name, "lost")
            learnt(name)
            refund.pursue()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tell, range(8)))
    with own_database.app_context():
        learnt(name)
        assert (the_dispute().state, the_dispute().lost_yen) == ("lost", 5_500)
        assert notes(made) == [-5_500]
        assert money.in_transit() == {}
        money.assert_sound()


def test_a_loss_takes_no_more_of_the_payers_own_money_than_is_left_of_it(app: Flask, buyer) -> None:
    made = money.on_credit(app, 5000, who=buyer)
    with transaction():
        payment_id = payment.pay_invoice(buyer, made.invoice_id)
    payment.begin(payment_id)
    session_id = queries.get_payment(payment_id).session_id
    controls.pay(session_id)
    # The bank was faster: of the card's 5,500 yen 500 pay the rest of the invoice, and 5,000 are the payer's own.
    money.pay_by_bank(made, 5_000)
    market.learn()
    own = postings.unapplied(buyer.organization_id)
    assert money.balances()[own] == -5_000
    name = controls.open_dispute(facilities.current().gateway.fetch_checkout(session_id).charge_id)["id"]
    learnt(name)
    controls.close_dispute(name, "lost")
    learnt(name)
    learnt(name)
    assert (the_dispute().lost_yen, the_dispute().absorbed_yen) == (5_000, 500)
    assert own not in money.balances()
    assert money.balances()["Expenses:DisputeLoss"] == 500
    assert money.in_transit() == {}
    money.assert_sound()
