"""The balance and what leaves it: transfers to accounts, payouts to the bank, every yen accounted for once."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import stripe

from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.wire import WireError
from tests.sandbox.conftest import World, line

ACCOUNT = "acct_1ProviderSapporo"


def ripen(world: World) -> None:
    """Let everything pending become available: as if four days had passed since it was booked."""
    with world.app.app_context():
        for row in db.session.query(SandboxObject).filter_by(kind="balance_transaction"):
            row.document = row.document | {"available_on": int((clock.now() - timedelta(days=1)).timestamp())}
        db.session.commit()


def earn(world: World, amount: int = 100_000) -> Any:
    paid = world.paid(line_items=[line(unit_amount=amount)])
    ripen(world)
    return paid.payment_intent.latest_charge


def held(world: World) -> tuple[int, int]:
    balance = world.stripe.v1.balance.retrieve()
    return balance.available[0].amount, balance.pending[0].amount


def test_a_payment_is_pending_for_four_days(world: World) -> None:
    world.paid()
    assert held(world) == (0, 12_234)
    (booked,) = world.stripe.v1.balance_transactions.list().data
    assert booked.status == "pending"
    with world.app.test_client() as client, clock.stopped(clock.now() + timedelta(days=5)):
        asked = client.get("/sandbox/v1/balance", headers={"Authorization": "Bearer sk_test_sandbox"}).get_json()
        listed = client.get(
            "/sandbox/v1/balance_transactions", headers={"Authorization": "Bearer sk_test_sandbox"}
        ).get_json()
    assert (asked["available"][0]["amount"], asked["pending"][0]["amount"]) == (12_234, 0)
    assert listed["data"][0]["status"] == "available"


def test_an_automatic_payout_carries_everything_available_and_says_what(world: World) -> None:
    charge = earn(world)
    world.stripe.v1.refunds.create({"charge": charge.id, "amount": 1_400})
    pending = world.paid().payment_intent.latest_charge
    payout = world.do("pay_out")
    assert (payout["amount"], payout["status"], payout["automatic"]) == (95_000, "in_transit", True)
    assert held(world) == (0, 12_234)
    carried = world.stripe.v1.balance_transactions.list({"payout": payout["id"]}).data
    assert [(one.type, one.net) for one in carried] == [("payout", -95_000), ("refund", -1_400), ("charge", 96_400)]
    assert pending.balance_transaction.id not in {one.id for one in carried}
    assert sum(one.net for one in carried) == 0
    with pytest.raises(WireError, match="cannot be paid out"):
        world.do("pay_out")


def test_a_payout_arrives_on_its_day(world: World) -> None:
    earn(world)
    payout = world.do("pay_out")
    assert world.do("pass_time", clock.now() + timedelta(hours=47)) == {"happened": 0}
    assert world.do("pass_time", clock.now() + timedelta(hours=49)) == {"happened": 1}
    seen = world.stripe.v1.payouts.retrieve(payout["id"], {"expand": ["balance_transaction"]})
    assert (seen.status, seen.balance_transaction.amount, seen.reconciliation_status) == ("paid", -96_400, "completed")
    assert world.types()[-2:] == ["payout.paid", "payout.updated"]
    with pytest.raises(WireError, match="cannot arrive"):
        world.do("settle_payout", payout["id"])


def test_a_payout_that_was_paid_can_fail_and_its_money_comes_back(world: World) -> None:
    earn(world)
    payout = world.do("pay_out")
    world.do("settle_payout", payout["id"])
    failed = world.do("fail_payout", payout["id"], "account_closed")
    assert (failed["status"], failed["failure_code"]) == ("failed", "account_closed")
    back = world.stripe.v1.balance_transactions.retrieve(failed["failure_balance_transaction"])
    assert (back.type, back.amount, back.source) == ("payout_failure", 96_400, payout["id"])
    assert held(world) == (96_400, 0)
    with pytest.raises(WireError, match="status of failed"):
        world.do("fail_payout", payout["id"])
    assert world.do("pay_out")["amount"] == 96_400


def test_a_payout_on_request_sends_no_more_than_is_available(world: World) -> None:
    earn(world)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        world.stripe.v1.payouts.create({"amount": 96_401, "currency": "jpy"})
    assert refused.value.code == "balance_insufficient"
    sent = world.stripe.v1.payouts.create({"amount": 6_400, "currency": "jpy", "metadata": {"payout_id": "p_1"}})
    assert (sent.automatic, sent.status, sent.metadata["payout_id"]) == (False, "in_transit", "p_1")
    assert world.do("pay_out", 90_000)["automatic"] is False
    assert held(world) == (0, 0)
    with pytest.raises(stripe.InvalidRequestError, match="only be filtered on automatic"):
        world.stripe.v1.balance_transactions.list({"payout": sent.id})
    assert [one.id for one in world.stripe.v1.payouts.list({"status": "in_transit"}).data][1] == sent.id


def test_a_transfer_may_use_a_charge_before_it_settles_but_not_twice(world: World) -> None:
    charge = world.paid().payment_intent.latest_charge
    wish = {"currency": "jpy", "destination": ACCOUNT, "source_transaction": charge.id}
    sent = world.stripe.v1.transfers.create(wish | {"amount": 10_000, "expand": ["balance_transaction"]})
    assert (sent.transfer_group, sent.balance_transaction.amount) == ("ord_1", -10_000)
    with pytest.raises(stripe.InvalidRequestError, match="left of the charge"):
        world.stripe.v1.transfers.create(wish | {"amount": 2_691})
    world.stripe.v1.transfers.create(wish | {"amount": 2_690})
    assert [one.amount for one in world.stripe.v1.transfers.list({"transfer_group": "ord_1"}).data] == [2_690, 10_000]


def test_transfers_are_reversed_in_parts_up_to_their_amount(world: World) -> None:
    earn(world)
    sent = world.stripe.v1.transfers.create({"amount": 50_000, "currency": "jpy", "destination": ACCOUNT})
    reversals = world.stripe.v1.transfers.reversals
    first = reversals.create(sent.id, {"amount": 20_000, "expand": ["balance_transaction"]})
    assert (first.balance_transaction.type, first.balance_transaction.amount) == ("transfer_refund", 20_000)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unreversed"):
        reversals.create(sent.id, {"amount": 30_001})
    second = reversals.create(sent.id)
    now = world.stripe.v1.transfers.retrieve(sent.id)
    assert (now.amount_reversed, now.reversed, len(now.reversals.data)) == (50_000, True, 2)
    assert [one.id for one in reversals.list(sent.id).data] == [second.id, first.id]
    assert reversals.retrieve(sent.id, first.id).amount == 20_000
    other = world.stripe.v1.transfers.create({"amount": 1, "currency": "jpy", "destination": ACCOUNT})
    with pytest.raises(stripe.InvalidRequestError, match="No such transfer_reversal"):
        reversals.retrieve(other.id, first.id)
    assert held(world) == (96_399, 0)


@pytest.mark.parametrize(
    "wish",
    [
        {"currency": "jpy", "destination": ACCOUNT},
        {"currency": "usd", "destination": ACCOUNT, "amount": 1},
        {"currency": "jpy", "destination": "ba_1", "amount": 1},
        {"currency": "jpy", "destination": ACCOUNT, "amount": 96_401},
        {"currency": "jpy", "destination": ACCOUNT, "amount": 1, "source_transaction": "ch_none"},
    ],
)
def test_transfers_that_cannot_be_are_refused(world: World, wish: dict[str, Any]) -> None:
    earn(world)
    with pytest.raises(stripe.InvalidRequestError):
        world.stripe.v1.transfers.create(wish)
    assert held(world) == (96_400, 0)


def test_parallel_transfers_and_payouts_never_overdraw_the_balance(world: World) -> None:
    earn(world)
    outcomes: list[bool] = []

    def spend(number: int) -> None:
        try:
            if number % 2:
                world.stripe.v1.payouts.create({"amount": 40_000, "currency": "jpy"})
            else:
                world.stripe.v1.transfers.create({"amount": 40_000, "currency": "jpy", "destination": ACCOUNT})
            outcomes.append(True)
        except stripe.InvalidRequestError:
            outcomes.append(False)

    threads = [threading.Thread(target=spend, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 4 + [True] * 2
    assert held(world) == (16_400, 0)


def test_balance_transactions_are_filtered_and_paged(world: World) -> None:
    first, second = earn(world), earn(world, 2_000)
    refund = world.stripe.v1.refunds.create({"charge": second.id, "amount": 5})
    everything = world.stripe.v1.balance_transactions.list({"limit": 100}).data
    assert [one.type for one in everything] == ["refund", "charge", "charge"]
    listed = world.stripe.v1.balance_transactions.list
    assert [one.source for one in listed({"type": "refund"}).data] == [refund.id]
    assert [one.source for one in listed({"source": first.id}).data] == [first.id]
    assert listed({"created": {"gt": int(clock.now().timestamp()) + 5}}).data == []
    page = listed({"limit": 2})
    assert page.has_more
    assert [one.source for one in listed({"limit": 2, "starting_after": page.data[-1].id}).data] == [first.id]
    assert [one.id for one in listed({"limit": 2}).auto_paging_iter()] == [one.id for one in everything]
