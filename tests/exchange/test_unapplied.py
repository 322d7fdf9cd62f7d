"""Money that came through the gateway and paid nothing goes back the way it came, once, and never more than it was."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from marketplace.billing import payments, postings, queries
from marketplace.billing.models import Payment
from marketplace.billing.receivables.errors import NothingUnapplied
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.refunds.errors import RefundConflict
from marketplace.billing.refunds.models import Refund
from marketplace.exchange import banking, dispute, facilities, payment, refund, unapplied
from marketplace.exchange.purchase import Purchase
from marketplace.identity.actors import SYSTEM
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import Rail
from marketplace.sandbox import controls
from tests.factories import market, money

GROSS = 5_500


def paid_twice(app: Flask, made: Purchase | None = None) -> tuple[Purchase, Payment]:
    """An invoice whose card payment came when a transfer had paid it already."""
    made = made or money.on_credit(app)
    with transaction():
        opened = payments.open_for_invoice(money.owner(made), made.invoice_id).id
    payment.begin(opened)
    money.pay_by_bank(made, GROSS)
    controls.pay(queries.get_payment(opened).session_id)
    market.learn()
    db.session.expire_all()
    return made, queries.get_payment(opened)


def given_back(paid: Payment, yen: int | None = None, request: str = "asked:1") -> Refund:
    with transaction():
        made = unapplied.give_back(SYSTEM, paid.id, yen, request, "二重のお支払い")
    return money.found(made)


def owed(made: Purchase) -> int:
    return -money.balances().get(postings.unapplied(made.order.organization_id), 0)


def test_a_second_payment_goes_back_to_its_card_and_no_paper_changes(app: Flask) -> None:
    made, paid = paid_twice(app)
    assert owed(made) == GROSS
    back = given_back(paid)
    assert (back.invoice_id, back.sale_ref, back.way, back.reason) == (None, made.invoice_id, "gateway", "unapplied")
    assert (owed(made), money.in_transit()) == (0, {postings.REFUNDS_IN_TRANSIT: -GROSS})
    refund.send(back.id)
    refund.send(back.id)
    market.learn()
    assert (money.found(back.id).state, money.in_transit(), owed(made)) == ("succeeded", {}, 0)
    assert money.invoice(made).state == "paid"
    assert refunds.left_yen(money.invoice(made)) == GROSS
    assert money.grant_state(made) == "active"
    money.assert_sound()


def test_it_goes_back_once_in_parts_and_never_more_than_there_is(app: Flask) -> None:
    made, paid = paid_twice(app)
    part = given_back(paid, 2_000)
    assert given_back(paid, 2_000).id == part.id
    with pytest.raises(RefundConflict):
        given_back(paid, 2_001)
    with pytest.raises(NothingUnapplied) as refused:
        given_back(paid, 3_501, "asked:2")
    assert refused.value.members["unapplied_yen"] == 3_500
    assert given_back(paid, None, "asked:2").amount_yen == 3_500
    with pytest.raises(NothingUnapplied):
        given_back(paid, 1, "asked:3")
    with pytest.raises(NotFound):
        given_back(Payment(id="pay_nothing"), 1, "asked:4")
    assert owed(made) == 0


def test_what_has_paid_another_invoice_is_not_sent_back(app: Flask) -> None:
    made, paid = paid_twice(app)
    other = money.on_credit(app, who=money.owner(made), yen=1_000)
    with transaction():
        assert banking.apply_unapplied(SYSTEM, other.invoice_id, 1_100) == 1_100
    with pytest.raises(NothingUnapplied):
        given_back(paid, GROSS)
    assert given_back(paid, None).amount_yen == GROSS - 1_100
    ordinary = money.sold(app)
    with pytest.raises(NothingUnapplied):
        given_back(money.payment_of(ordinary), 1, "asked:5")


def test_a_lost_dispute_over_what_went_back_takes_no_other_money_of_its_payer(app: Flask) -> None:
    made, paid = paid_twice(app)
    name = controls.open_dispute(paid.charge_id)["id"]
    dispute.learn(name, "evt_opened")
    given_back(paid, 5_000)
    paid_twice(app, money.on_credit(app, who=money.owner(made)))
    assert owed(made) == 500 + GROSS
    controls.close_dispute(name, "lost")
    dispute.learn(name, "evt_closed")
    assert owed(made) == GROSS
    assert money.balances()["Expenses:DisputeLoss"] == 5_000
    money.assert_sound()


@pytest.mark.parametrize("learnt_before", [False, True])
def test_a_return_that_fails_is_the_payers_again_and_then_goes_by_bank(app: Flask, learnt_before: bool) -> None:
    made, paid = paid_twice(app)
    back = given_back(paid)
    refund.send(back.id)
    if learnt_before:
        market.learn()
    controls.fail_refund(money.found(back.id).gateway_refund_id)
    market.learn()
    assert (money.found(back.id).state, owed(made), money.in_transit()) == ("failed", GROSS, {})
    money.assert_sound()
    by_bank = given_back(paid, request="asked:2")
    assert (by_bank.way, by_bank.payment_id) == ("bank", None)
    operator = market.party(operator=True)
    with transaction():
        refund.note_bank_refund(operator, by_bank.id, succeeded=True)
    assert (owed(made), money.in_transit()) == (0, {})
    money.assert_sound()


def test_what_was_sent_back_at_the_gateway_itself_is_taken_over(app: Flask) -> None:
    made, paid = paid_twice(app)
    told = facilities.current().gateway.create_refund(
        refund_id="by_hand", payment_intent_id=paid.payment_intent_id, amount_minor=GROSS, idempotency_key=new_id("key")
    )
    refund.learn(told.refund_id, "evt_1")
    market.learn()
    (taken,) = refunds.list_of_request(f"gateway:{told.refund_id}")
    assert (taken.state, taken.reason, owed(made), money.in_transit()) == ("succeeded", "unapplied", 0, {})
    money.assert_sound()


def test_konbini_money_goes_back_by_bank(app: Flask) -> None:
    made, paid = paid_twice(app)
    with transaction():
        queries.get_payment(paid.id).rail = Rail.KONBINI.value
    assert given_back(paid).way == "bank"
    assert owed(made) == 0


def test_eight_at_once_send_back_no_yen_twice(own_database: Flask) -> None:
    _made, paid = paid_twice(own_database)
    payment_id = paid.id
    db.session.remove()

    def one(number: int) -> int:
        with own_database.app_context():
            try:
                with transaction():
                    back = unapplied.give_back(SYSTEM, payment_id, 2_000, f"asked:{number}")
                    return refunds.require_refund(back).amount_yen
            except NothingUnapplied:
                return 0

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(one, range(8))) == [0] * 6 + [2_000] * 2
