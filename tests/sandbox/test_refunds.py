"""Refunds: never more than was paid, back when they fail, by bank transfer where there is no card."""

import threading

import pytest
import stripe

from marketplace.sandbox.wire import WireError
from tests.sandbox.conftest import World
from tests.sandbox.test_rails import BANK, customer


def balance(world: World) -> int:
    held = world.stripe.v1.balance.retrieve()
    return held.available[0].amount + held.pending[0].amount


def test_three_partial_refunds_sum_to_the_charge_and_a_fourth_is_refused(world: World) -> None:
    charge = world.paid().payment_intent.latest_charge
    refunds = world.stripe.v1.refunds
    for part in (4_230, 4_230):
        refunds.create({"charge": charge.id, "amount": part})
    assert not world.stripe.v1.charges.retrieve(charge.id).refunded
    last = refunds.create({"payment_intent": charge.payment_intent, "reason": "requested_by_customer"})
    assert (last.amount, last.status, last.reason) == (4_230, "succeeded", "requested_by_customer")
    now = world.stripe.v1.charges.retrieve(charge.id)
    assert (now.amount_refunded, now.refunded) == (12_690, True)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        refunds.create({"charge": charge.id, "amount": 1})
    assert refused.value.code == "charge_already_refunded"
    assert balance(world) == -456
    assert len(refunds.list({"charge": charge.id}).data) == 3


def test_a_refund_takes_its_money_from_the_balance_and_keeps_the_fee(world: World) -> None:
    charge = world.paid().payment_intent.latest_charge
    refund = world.stripe.v1.refunds.create(
        {"charge": charge.id, "amount": 690, "metadata": {"refund_id": "rf_1"}, "expand": ["balance_transaction"]}
    )
    taken = refund.balance_transaction
    assert (taken.type, taken.amount, taken.fee, taken.net, taken.source) == ("refund", -690, 0, -690, refund.id)
    assert taken.reporting_category == "refund"
    assert world.types()[-2:] == ["refund.created", "charge.refunded"]
    seen = world.stripe.v1.refunds.retrieve(refund.id)
    assert (seen.metadata["refund_id"], seen.destination_details.type) == ("rf_1", "card")


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"charge": "ch_none"},
        {"payment_intent": "pi_none"},
        {"charge": "CHARGE", "amount": 12_691},
        {"charge": "CHARGE", "amount": 0},
        {"charge": "CHARGE", "payment_intent": "pi_1"},
        {"charge": "CHARGE", "reason": "bored"},
        {"charge": "CHARGE", "reverse_transfer": True},
    ],
)
def test_refunds_that_cannot_be_are_refused(world: World, params: dict[str, object]) -> None:
    charge = world.paid().payment_intent.latest_charge.id
    wish = {name: charge if value == "CHARGE" else value for name, value in params.items()}
    with pytest.raises(stripe.InvalidRequestError):
        world.stripe.v1.refunds.create(wish)
    assert world.stripe.v1.refunds.list().data == []
    assert world.stripe.v1.charges.retrieve(charge).amount_refunded == 0


def test_nothing_unpaid_is_refunded(world: World) -> None:
    declined = world.do("decline", world.session().id)["payment_intent"]
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        world.stripe.v1.refunds.create({"payment_intent": declined})


def test_a_refund_that_had_succeeded_fails_and_gives_everything_back(world: World) -> None:
    charge = world.paid().payment_intent.latest_charge
    refund = world.stripe.v1.refunds.create({"charge": charge.id, "amount": 5_000})
    world.do("fail_refund", refund.id, "expired_or_canceled_card")
    failed = world.stripe.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    back = failed.failure_balance_transaction
    assert (back.type, back.amount, back.source) == ("refund_failure", 5_000, refund.id)
    assert world.stripe.v1.charges.retrieve(charge.id).amount_refunded == 0
    assert balance(world) == 12_234
    assert {"refund.failed", "refund.updated", "charge.refund.updated"} <= set(world.types())
    with pytest.raises(WireError, match="status of failed"):
        world.do("fail_refund", refund.id)
    assert world.stripe.v1.refunds.create({"charge": charge.id}).amount == 12_690


def test_a_held_refund_waits_until_it_is_settled(world: World) -> None:
    world.do("hold_refunds")
    charge = world.paid().payment_intent.latest_charge
    refund = world.stripe.v1.refunds.create({"charge": charge.id})
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    assert world.do("settle_refund", refund.id)["status"] == "succeeded"
    with pytest.raises(WireError, match="status of succeeded"):
        world.do("settle_refund", refund.id)


def by_konbini(world: World) -> str:
    session = world.session()
    world.do("pay", session.id, "konbini")
    world.do("pay_at_till", session.id)
    return world.newest_session().payment_intent.id


def test_a_konbini_refund_asks_the_buyer_for_a_bank_account(world: World) -> None:
    intent = by_konbini(world)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        world.stripe.v1.refunds.create({"payment_intent": intent})
    assert refused.value.param == "instructions_email"
    refund = world.stripe.v1.refunds.create({"payment_intent": intent, "instructions_email": "k@buyer.example.jp"})
    assert (refund.status, refund.balance_transaction) == ("requires_action", None)
    assert refund.next_action.display_details.email_sent.email_sent_to == "k@buyer.example.jp"
    settled = world.do("settle_refund", refund.id)
    assert settled["status"] == "succeeded"
    assert world.stripe.v1.balance_transactions.retrieve(settled["balance_transaction"]).type == "payment_refund"
    seen = [event.data.object["status"] for event in world.stripe.v1.events.list({"type": "refund.updated"}).data]
    assert seen == ["succeeded", "pending"]


def test_a_refund_that_still_asks_can_be_canceled_or_fail_without_any_money(world: World) -> None:
    intent = by_konbini(world)
    wish = {"payment_intent": intent, "amount": 100, "instructions_email": "k@buyer.example.jp"}
    first, second = (world.stripe.v1.refunds.create(wish) for _ in range(2))
    assert world.stripe.v1.refunds.cancel(first.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        world.stripe.v1.refunds.cancel(first.id)
    assert "failure_balance_transaction" not in world.do("fail_refund", second.id, "declined")
    assert world.newest_session().payment_intent.latest_charge.amount_refunded == 0
    assert balance(world) == 12_234


def test_a_bank_transfer_is_refunded_to_the_address_of_its_customer(world: World) -> None:
    buyer = customer(world)
    session = world.session(customer=buyer, payment_method_options=BANK)
    world.do("pay", session.id, "bank_transfer")
    world.do("fund", buyer, 12_690)
    refund = world.stripe.v1.refunds.create({"payment_intent": world.newest_session().payment_intent.id})
    assert refund.instructions_email == "keiri@buyer.example.jp"


def test_parallel_refunds_never_sum_above_the_charge(world: World) -> None:
    charge = world.paid().payment_intent.latest_charge
    outcomes: list[str] = []

    def refund() -> None:
        try:
            outcomes.append(world.stripe.v1.refunds.create({"charge": charge.id, "amount": 5_000}).status)
        except stripe.InvalidRequestError:
            outcomes.append("refused")

    threads = [threading.Thread(target=refund) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 4 + ["succeeded"] * 2
    assert world.stripe.v1.charges.retrieve(charge.id).amount_refunded == 10_000
