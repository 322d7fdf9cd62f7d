"""Refunds: money, papers and access go back together, to the yen, once, whatever the gateway says later."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.access.errors import GrantRevoked
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.billing import queries
from marketplace.billing.documents.models import Document
from marketplace.billing.errors import InvoiceNotFound
from marketplace.billing.gateways.stripe import StripeGateway
from marketplace.billing.orders import Slip
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.refunds.errors import RefundConflict, RefundNotByBank, RefundNotYours, RefundTooLarge
from marketplace.billing.refunds.models import Refund
from marketplace.billing.refunds.states import RefundReason
from marketplace.billing.subscriptions import queries as subscriptions
from marketplace.exchange import afterpay, facilities, outside, purchase, refund, renewal, settlement
from marketplace.exchange.refund import Why
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Refusal, Unavailable
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, Rail
from marketplace.sandbox import controls
from tests.factories import market, money


def notes(made) -> list[Document]:
    """The order's credit notes, oldest first."""
    query = select(Document).where(Document.kind == "credit_note", Document.about.contains([made.order.id]))
    return list(db.session.scalars(query.order_by(Document.id)))


def learnt(gateway_refund_id: str) -> None:
    refund.learn(gateway_refund_id, "evt_test")


def refused(reason: type[Refusal], made, yen: int | None = None, **why: object) -> Refusal:
    before = money.balances(), len(refunds.list_of_invoice(made.invoice_id))
    with pytest.raises(reason) as refusal:
        money.give_back(made, yen, **why)
    assert (money.balances(), len(refunds.list_of_invoice(made.invoice_id))) == before
    return refusal.value


def test_a_full_refund_sends_the_money_takes_the_grant_and_writes_a_note(app: Flask) -> None:
    buyer = market.buyer()
    made = money.sold(app, 12_345, buyer)
    [sent] = money.refunded(made)
    assert (sent.amount_yen, sent.way, sent.state) == (13_579, "gateway", "succeeded")
    with pytest.raises(GrantRevoked):
        market.fetched(buyer, made.grant_id)
    [note] = notes(made)
    assert (note.amount_yen, note.content["amount_net_yen"], note.content["amount_tax_yen"]) == (
        -13_579,
        "-12345",
        "-1234",
    )
    left = {code for code in money.balances() if code != "Expenses:PaymentProcessing"}
    assert left == {"Assets:Clearing:Stripe"}
    assert money.in_transit() == {}
    money.assert_sound()


def test_a_partial_refund_keeps_access_unless_it_is_to_end(app: Flask) -> None:
    buyer = market.buyer()
    made = money.sold(app, 5000, buyer)
    money.refunded(made, 1100)
    assert market.fetched(buyer, made.grant_id)
    money.refunded(made, 1100, ends_access=True)
    with pytest.raises(GrantRevoked):
        market.fetched(buyer, made.grant_id)


def test_three_partial_refunds_come_to_exactly_the_whole_and_a_fourth_is_refused(app: Flask) -> None:
    """polar #12740, medusa 9de9b3825f: the cumulative total was taken for this refund."""
    made = money.sold(app, 10_001)
    assert money.invoice(made).amount_gross_yen == 11_001
    for yen in (3_667, 3_667, 3_667):
        [one] = money.refunded(made, yen)
        assert one.amount_yen == yen
        learnt(one.gateway_refund_id)
    assert [note.amount_yen for note in notes(made)] == [-3_667] * 3
    assert sum(int(note.content["amount_tax_yen"]) for note in notes(made)) == -1_000
    assert refused(RefundTooLarge, made, 1).members == {"left_yen": 0}
    assert money.grant_state(made) == "revoked"
    assert money.in_transit() == {}
    money.assert_sound()


@pytest.mark.parametrize("yen", [0, -1, 5_501])
def test_no_more_than_was_paid_and_nothing_of_nothing_goes_back(app: Flask, yen: int) -> None:
    refused(RefundTooLarge, money.sold(app), yen)


def test_a_refund_of_one_of_two_purchases_leaves_the_others_access(app: Flask) -> None:
    """convex-revenuecat #28: the refund revoked what another purchase still granted."""
    buyer, on = market.buyer(), market.listed()
    first, second = money.sold(app, 5000, buyer, on), money.sold(app, 5000, buyer, on)
    money.refunded(first)
    with pytest.raises(GrantRevoked):
        market.fetched(buyer, first.grant_id)
    assert market.fetched(buyer, second.grant_id)


def test_a_refund_that_fails_later_restores_books_papers_and_access(app: Flask) -> None:
    """polar 5b376a9dd5: the refund failed, and access stayed away."""
    buyer = market.buyer()
    made = money.sold(app, 5000, buyer)
    before = money.balances()
    [sent] = money.refunded(made)
    controls.fail_refund(sent.gateway_refund_id)
    learnt(sent.gateway_refund_id)
    learnt(sent.gateway_refund_id)
    assert money.found(sent.id).state == "failed"
    assert money.found(sent.id).failure == "lost_or_stolen_card"
    assert money.balances() == before
    assert market.fetched(buyer, made.grant_id)
    # The note is taken back by a paper of its own, and the money goes out of the bank next time.
    [again] = money.give_back(made)
    assert (again.way, again.amount_yen) == ("bank", 5_500)
    money.assert_sound()


def test_of_a_refund_that_failed_before_anybody_told_the_books_know_both_ways(app: Flask) -> None:
    made = money.sold(app)
    before = money.balances()
    controls.hold_refunds()
    [sent] = money.refunded(made, 1_100)
    assert money.found(sent.id).state == "sent"
    assert money.in_transit() == {"Liabilities:RefundsInTransit": -1_100}
    controls.fail_refund(sent.gateway_refund_id)
    controls.hold_refunds(held=False)
    learnt(sent.gateway_refund_id)
    assert money.balances() == before
    assert notes(made) == []
    money.assert_sound()


def test_the_last_of_several_refunds_failing_gives_back_access_that_was_taken_for_the_whole(app: Flask) -> None:
    made = money.sold(app)
    [first] = money.refunded(made, 500)
    money.refunded(made)
    assert money.grant_state(made) == "revoked"
    controls.fail_refund(first.gateway_refund_id)
    learnt(first.gateway_refund_id)
    assert money.grant_state(made) == "active"


def test_what_is_still_owed_is_taken_off_before_money_goes_back(app: Flask) -> None:
    operator, made = market.party(operator=True), money.on_credit(app, 10_000)
    money.pay_by_bank(made, 6_000)
    credited, transferred = money.give_back(made, 8_000)
    assert [(one.way, one.amount_yen, one.state) for one in (credited, transferred)] == [
        ("credit", 5_000, "succeeded"),
        ("bank", 3_000, "created"),
    ]
    told = db.session.scalars(select(Entry).where(Entry.verb == Verb.REFUND_OPENED.value))
    assert {entry.facts["request"] for entry in told} == {credited.request}
    assert money.invoice(made).state == "paid"
    assert [note.amount_yen for note in notes(made)] == [-5_000]
    with transaction():
        refund.note_bank_refund(operator, transferred.id, succeeded=True)
    assert [note.amount_yen for note in notes(made)] == [-5_000, -3_000]
    assert money.balances()["Assets:Bank"] == 3_000
    assert money.in_transit() == {}
    money.assert_sound()


def test_an_invoice_nobody_paid_is_only_credited(app: Flask) -> None:
    made = money.on_credit(app, 10_000)
    [one] = money.give_back(made)
    assert (one.way, one.state) == ("credit", "succeeded")
    assert money.balances() == {}
    assert money.invoice(made).state == "paid"
    assert money.grant_state(made) == "revoked"
    money.assert_sound()


def test_a_bank_refund_that_comes_back_is_owed_again_and_sent_anew(app: Flask) -> None:
    operator, made = market.party(operator=True), money.on_credit(app, 10_000)
    money.pay_by_bank(made, 11_000)
    before = money.balances()
    [one] = money.give_back(made)
    for succeeded, failure in ((True, None), (True, None), (False, "口座相違")):
        with transaction():
            refund.note_bank_refund(operator, one.id, succeeded=succeeded, failure=failure)
    assert money.balances() == before
    assert money.found(one.id).failure == "口座相違"
    assert money.grant_state(made) == "active"
    with pytest.raises(RefundNotByBank), transaction():
        refund.note_bank_refund(operator, one.id, succeeded=True)
    [again] = money.give_back(made)
    with transaction():
        refund.note_bank_refund(operator, again.id, succeeded=True)
    assert money.in_transit() == {}
    money.assert_sound()


def test_an_invoice_paid_by_card_is_refunded_to_the_card(app: Flask) -> None:
    made = money.on_credit(app, 10_000)
    paid = money.pay_by_card(made)
    [one] = money.refunded(made, 4_000)
    assert (one.way, one.payment_id, one.state) == ("gateway", paid.id, "succeeded")
    money.assert_sound()


def test_what_was_paid_outside_gives_the_provider_its_commission_back(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    offer = market.offered(on, PriceKind.ONE_OFF, 10_000, said={"rails": (Rail.OUTSIDE,)})
    placed = market.ordered(buyer, offer)
    with transaction():
        outside.note_payment(on.provider, placed.order.id, Slip("納付-000123", clock.today(), "札幌市手数料条例"))
    made = purchase.read(buyer, placed.order.id)
    [part] = money.give_back(made, 1_100)
    assert (part.way, part.state) == ("outside", "succeeded")
    money.give_back(made)
    assert money.balances() == {}
    assert money.grant_state(made) == "revoked"
    assert sum(note.amount_yen for note in notes(made)) == -11_000
    money.assert_sound()


def test_a_usage_invoice_given_back_leaves_the_grant(app: Flask) -> None:
    buyer = market.buyer()
    made = market.bought(app, buyer, market.offered(market.listed(content=bytes(2**20)), PriceKind.PER_UNIT, 300))
    market.fetched(buyer, made.grant_id)
    [invoice] = settlement.settle(SYSTEM, clock.now())
    with transaction():
        [refund_id] = refund.give_back(SYSTEM, invoice.id, None, Why("req_1"))
    assert money.found(refund_id).way == "credit"
    assert money.balances() == {}
    assert market.fetched(buyer, made.grant_id)
    money.assert_sound()


def test_a_full_refund_of_a_renewal_ends_the_subscription_it_carried_on(app: Flask) -> None:
    made = subscribed(app)
    with clock.stopped(clock.now() + timedelta(days=31)):
        [order_id] = renewal.renew(clock.today()).order_ids
        with transaction():
            renewed = purchase.of_order(queries.require_order(order_id))
        money.give_back(renewed)
        assert money.grant_state(made) == "revoked"
        ended = subscriptions.require_subscription(renewed.order.subscription_id)
        assert (ended.state, ended.end_cause) == ("ended", "grant_revoked")
        assert renewal.renew(clock.today() + timedelta(days=40)).order_ids == ()


def subscribed(app: Flask):
    """A monthly subscription on credit."""
    price = Price(PriceKind.SUBSCRIPTION, 3_000, term_months=1)
    offer = market.offered(market.listed(), price=price, said={"rails": (Rail.INVOICE,)})
    return market.bought(app, market.buyer(), offer)


def test_the_gateway_is_asked_by_one_key_however_often_it_does_not_answer(app: Flask, monkeypatch) -> None:
    made, keys = money.sold(app), []
    create = StripeGateway.create_refund

    def lost(self, **question):
        keys.append(question["idempotency_key"])
        answer = create(self, **question)
        if len(keys) < 3:
            raise Unavailable
        return answer

    monkeypatch.setattr(StripeGateway, "create_refund", lost)
    [one] = money.give_back(made, 1_000)
    for _ in range(2):
        with pytest.raises(Unavailable):
            refund.send(one.id)
    refund.pursue()
    refund.send(one.id)
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert money.found(one.id).state == "succeeded"
    assert len(at_the_gateway(made)) == 1


def at_the_gateway(made) -> list:
    return facilities.current().gateway.list_refunds(money.payment_of(made).payment_intent_id)


def test_after_a_day_the_gateway_is_looked_at_before_it_is_asked(app: Flask, monkeypatch) -> None:
    made = money.sold(app)
    create = StripeGateway.create_refund
    monkeypatch.setattr(StripeGateway, "create_refund", lambda self, **asked: create(self, **asked) and 1 / 0)
    [one] = money.give_back(made, 1_000)
    with pytest.raises(ZeroDivisionError):
        refund.send(one.id)
    monkeypatch.setattr(StripeGateway, "create_refund", None)
    with clock.stopped(clock.now() + timedelta(hours=25)):
        refund.send(one.id)
    assert money.found(one.id).state == "succeeded"
    assert len(at_the_gateway(made)) == 1


def test_what_the_gateway_refuses_has_failed_and_everything_is_as_before(app: Flask) -> None:
    made = money.sold(app)
    before = money.balances()
    [one] = money.give_back(made)
    with transaction():
        db.session.get_one(Refund, one.id).created_at = clock.now()
    # Somebody refunded it at the gateway meanwhile: nothing is left there.
    adopted = made_at_the_gateway(made, 5_500)
    refund.send(one.id)
    assert money.found(one.id).state == "failed"
    assert money.balances() == before
    learnt(adopted)
    assert [(each.state, each.reason) for each in refunds.list_of_invoice(made.invoice_id)] == [
        ("failed", "requested"),
        ("succeeded", "gateway"),
    ]
    assert money.grant_state(made) == "revoked"
    money.assert_sound()


def made_at_the_gateway(made, yen: int) -> str:
    """Refund as somebody does in the gateway's own pages: without our labels."""
    client = facilities.current().gateway._client
    intent = money.payment_of(made).payment_intent_id
    return client.v1.refunds.create({"payment_intent": intent, "amount": yen}).id


def test_a_refund_made_at_the_gateway_is_taken_over_once(app: Flask) -> None:
    made = money.sold(app)
    name = made_at_the_gateway(made, 2_000)
    market.learn()
    learnt(name)
    [one] = refunds.list_of_invoice(made.invoice_id)
    assert (one.amount_yen, one.reason, one.state, one.gateway_refund_id) == (2_000, "gateway", "succeeded", name)
    assert [note.amount_yen for note in notes(made)] == [-2_000]
    assert len(at_the_gateway(made)) == 1
    money.assert_sound()


def test_the_same_request_again_is_the_same_refund_and_another_under_its_name_is_refused(app: Flask) -> None:
    made, other = money.sold(app), money.sold(app)
    [first] = money.give_back(made, 1_000, "req_1")
    [again] = money.give_back(made, 1_000, "req_1")
    assert again.id == first.id
    refused(RefundConflict, made, 2_000, request="req_1")
    refused(RefundConflict, other, 1_000, request="req_1")


def test_only_the_provider_and_the_operator_refund(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    made = money.sold(app, 5000, buyer, on)
    auditor, rival, operator = market.party(auditor=True), market.seller(), market.party(operator=True)
    for stranger, reason in ((buyer, RefundNotYours), (auditor, RefundNotYours), (rival, InvoiceNotFound)):
        with pytest.raises(reason), transaction():
            refund.request_refund(stranger, made.invoice_id, 100, Why("req_1"))
    assert refunds.list_of_invoice(made.invoice_id) == []
    for number, who in enumerate((on.provider, operator)):
        with transaction():
            assert refund.request_refund(who, made.invoice_id, 100, Why(f"req_{number}"))


def test_a_credit_for_a_missed_service_level_never_ends_access(app: Flask) -> None:
    made = money.sold(app)
    money.refunded(made, None, reason=RefundReason.SERVICE_LEVEL)
    assert money.grant_state(made) == "active"


def test_crediting_an_overdue_invoice_opens_what_it_had_suspended(app: Flask) -> None:
    made = money.on_credit(app, 10_000)
    late = money.invoice(made).due_on + timedelta(days=90)
    afterpay.chase_overdue(SYSTEM, late)
    assert money.grant_state(made) == "suspended"
    money.pay_by_bank(made, 1_000)
    money.give_back(made, 10_000)
    assert money.invoice(made).state == "paid"
    assert money.grant_state(made) == "active"


def test_of_refunds_asked_for_at_once_no_yen_goes_back_twice(own_database: Flask) -> None:
    with own_database.app_context():
        made = money.sold(own_database, 5000)

    def ask(number: int) -> bool:
        with own_database.app_context():
            try:
                money.refunded(made, 2_000, request=f"req_{number % 4}")
            except RefundTooLarge:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    with own_database.app_context():
        done = refunds.list_of_invoice(made.invoice_id)
        assert [one.amount_yen for one in done] == [2_000, 2_000]
        assert {one.state for one in done} == {"succeeded"}
        assert sum(answers) == 4
        assert sum(report.amount_minor for report in at_the_gateway(made)) == 4_000
        assert queries.require_invoice(made.invoice_id)
        assert money.in_transit() == {}
        money.assert_sound()
