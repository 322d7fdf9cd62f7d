"""Disputes: money goes at once, comes back when won, never for an inquiry; the fee stays."""

import pytest
import stripe

from marketplace.sandbox.wire import WireError
from tests.sandbox.conftest import World
from tests.sandbox.test_refunds import balance, by_konbini


def test_a_lost_dispute_costs_the_amount_and_the_fee(world: World) -> None:
    charge = world.paid().payment_intent.latest_charge
    opened = world.do("open_dispute", charge.id, reason="product_not_received")
    assert (opened["status"], opened["amount"], opened["is_charge_refundable"]) == ("needs_response", 12_690, False)
    (withdrawn,) = world.stripe.v1.disputes.retrieve(opened["id"]).balance_transactions
    assert (withdrawn.type, withdrawn.reporting_category) == ("adjustment", "dispute")
    assert (withdrawn.amount, withdrawn.fee, withdrawn.net) == (-12_690, 1_300, -13_990)
    assert withdrawn.source == opened["id"]
    world.do("submit_evidence", opened["id"])
    assert world.do("close_dispute", opened["id"], "lost")["status"] == "lost"
    assert balance(world) == 12_234 - 13_990
    assert world.stripe.v1.charges.retrieve(charge.id).disputed
    assert world.types()[5:] == [
        "charge.dispute.created",
        "charge.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.dispute.closed",
    ]


def test_a_won_dispute_gives_the_money_back_but_not_the_fee(world: World) -> None:
    charge = world.paid().payment_intent.latest_charge
    opened = world.do("open_dispute", charge.id)
    closed = world.do("close_dispute", opened["id"], "won")
    assert [one["amount"] for one in closed["balance_transactions"]] == [-12_690, 12_690]
    assert closed["balance_transactions"][1]["reporting_category"] == "dispute_reversal"
    assert balance(world) == 12_234 - 1_300
    assert world.types()[-2:] == ["charge.dispute.funds_reinstated", "charge.dispute.closed"]
    with pytest.raises(WireError, match="it has ended"):
        world.do("close_dispute", opened["id"], "lost")
    assert balance(world) == 12_234 - 1_300


def test_an_inquiry_moves_no_money_and_leaves_the_charge_refundable(world: World) -> None:
    charge = world.paid().payment_intent.latest_charge
    opened = world.do("open_dispute", charge.id, inquiry=True)
    assert (opened["status"], opened["balance_transactions"]) == ("warning_needs_response", [])
    assert world.stripe.v1.refunds.create({"charge": charge.id, "amount": 90}).status == "succeeded"
    assert world.do("submit_evidence", opened["id"])["status"] == "warning_under_review"
    with pytest.raises(WireError, match="warning_closed"):
        world.do("close_dispute", opened["id"], "lost")
    assert world.do("close_dispute", opened["id"], "warning_closed")["status"] == "warning_closed"
    assert balance(world) == 12_234 - 90


def test_a_disputed_charge_is_not_refunded_too(world: World) -> None:
    charge = world.paid().payment_intent.latest_charge
    world.stripe.v1.refunds.create({"charge": charge.id, "amount": 2_690})
    assert world.do("open_dispute", charge.id)["amount"] == 10_000
    with pytest.raises(stripe.InvalidRequestError) as refused:
        world.stripe.v1.refunds.create({"charge": charge.id})
    assert refused.value.code == "charge_disputed"
    assert len(world.stripe.v1.refunds.list().data) == 1


def test_what_cannot_be_disputed_is_refused(world: World) -> None:
    world.do("decline", world.session().id)
    failed = world.stripe.v1.charges.list().data[0].id
    by_konbini(world)
    cash = world.newest_session().payment_intent.latest_charge.id
    card = world.paid().payment_intent.latest_charge.id
    for arguments in (("ch_none",), (failed,), (cash,), (card, 12_691), (card, 0), (card, None, "bored")):
        with pytest.raises(WireError):
            world.do("open_dispute", *arguments)
    world.do("open_dispute", card, 1_000)
    with pytest.raises(WireError, match="disputed already"):
        world.do("open_dispute", card)
    assert [one.amount for one in world.stripe.v1.disputes.list({"charge": card}).data] == [1_000]


def test_evidence_is_taken_once(world: World) -> None:
    opened = world.do("open_dispute", world.paid().payment_intent.latest_charge.id)
    assert world.do("submit_evidence", opened["id"])["evidence_details"]["has_evidence"]
    with pytest.raises(WireError, match="takes no evidence"):
        world.do("submit_evidence", opened["id"])
