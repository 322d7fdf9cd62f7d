"""Konbini, bank transfer and 3-D Secure: what waits, what comes in parts, what never comes."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import stripe

from marketplace.kit import clock
from marketplace.kit.clock import JST
from marketplace.sandbox.wire import WireError
from tests.sandbox.conftest import World, line

BANK = {"customer_balance": {"funding_type": "bank_transfer", "bank_transfer": {"type": "jp_bank_transfer"}}}


def customer(world: World, **changes: Any) -> str:
    known = {"name": "北海道株式会社", "email": "keiri@buyer.example.jp", "metadata": {"organization_id": "org_1"}}
    return world.stripe.v1.customers.create(known | changes).id


def by_bank(world: World, buyer: str, amount: int) -> str:
    """A session whose buyer was told where to send the money."""
    session = world.session(customer=buyer, payment_method_options=BANK, line_items=[line(unit_amount=amount)])
    world.do("pay", session.id, "bank_transfer")
    return session.id


def states(world: World, session_id: str) -> tuple[str, str, str]:
    session = world.stripe.v1.checkout.sessions.retrieve(session_id, {"expand": ["payment_intent"]})
    return session.status, session.payment_status, session.payment_intent.status


def cash(world: World, buyer: str) -> int:
    available = world.stripe.v1.customers.cash_balance.retrieve(buyer).available
    return available["jpy"] if available else 0


def remaining(world: World, session_id: str) -> int:
    session = world.stripe.v1.checkout.sessions.retrieve(session_id, {"expand": ["payment_intent"]})
    return session.payment_intent.next_action.display_bank_transfer_instructions.amount_remaining


def test_a_page_offers_what_fits_the_amount_the_customer_and_the_filter(world: World) -> None:
    buyer = customer(world)
    offers = lambda **changes: world.session(**changes).payment_method_types  # noqa: E731 - a word for the lines below
    assert offers() == ["card", "konbini"]
    assert offers(line_items=[line(unit_amount=119)]) == ["card"]
    assert offers(line_items=[line(unit_amount=300_000)]) == ["card", "konbini"]
    assert offers(line_items=[line(unit_amount=300_001)]) == ["card"]
    assert offers(customer=buyer, payment_method_options=BANK) == ["card", "konbini", "customer_balance"]
    assert offers(excluded_payment_method_types=["konbini"]) == ["card"]
    assert offers(allowed_payment_method_types=["konbini", "customer_balance"]) == ["konbini"]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"payment_method_options": BANK}, "customer"),
        ({"excluded_payment_method_types": ["card", "konbini"]}, None),
        ({"excluded_payment_method_types": ["cash"]}, "excluded_payment_method_types"),
        ({"customer": "cus_none"}, "customer"),
        ({"payment_method_options": {"konbini": {"expires_after_days": 61}}}, None),
        ({"payment_method_options": {"customer_balance": {"funding_type": "bank_transfer"}}}, None),
    ],
)
def test_pages_that_nobody_could_pay_are_refused(world: World, changes: dict[str, Any], param: str | None) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        world.session(**changes)
    assert param is None or refused.value.param == param
    assert world.stripe.v1.checkout.sessions.list().data == []


def test_a_customer_and_an_address_of_the_payer_exclude_each_other(world: World) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
        world.session(customer=customer(world), customer_email="a@example.jp")


def test_a_konbini_payment_completes_unpaid_and_is_paid_at_the_till(world: World) -> None:
    session = world.session(payment_method_options={"konbini": {"expires_after_days": 2}})
    waiting = world.do("pay", session.id, "konbini")
    assert (waiting["status"], waiting["payment_status"]) == ("complete", "unpaid")
    intent = world.stripe.v1.payment_intents.retrieve(waiting["payment_intent"])
    assert (intent.status, intent.latest_charge) == ("requires_action", None)
    details = intent.next_action.konbini_display_details
    assert set(details.stores.to_dict()) == {"familymart", "lawson", "ministop", "seicomart"}
    last = datetime.fromtimestamp(details.expires_at, JST)
    assert (last.date() - clock.today(), last.time().isoformat()) == (timedelta(days=2), "23:59:59")
    world.do("pay_at_till", session.id, "lawson")
    assert states(world, session.id) == ("complete", "paid", "succeeded")
    charge = world.newest_session().payment_intent.latest_charge
    assert charge.id.startswith("py_")
    assert charge.payment_method_details.konbini.store.chain == "lawson"
    assert (charge.balance_transaction.type, charge.balance_transaction.fee) == ("payment", 456)
    assert world.types() == [
        "payment_intent.created",
        "payment_intent.requires_action",
        "checkout.session.completed",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
        "checkout.session.async_payment_succeeded",
    ]


def test_a_small_konbini_payment_bears_the_least_fee(world: World) -> None:
    session = world.session(line_items=[line(unit_amount=500)])
    world.do("pay", session.id, "konbini")
    world.do("pay_at_till", session.id)
    assert world.newest_session().payment_intent.latest_charge.balance_transaction.fee == 120


def test_a_till_may_report_later(world: World) -> None:
    session = world.session()
    world.do("pay", session.id, "konbini")
    world.do("pay_at_till", session.id, confirmed=False)
    assert states(world, session.id) == ("complete", "unpaid", "processing")
    world.do("pay_at_till", session.id)
    assert states(world, session.id) == ("complete", "paid", "succeeded")
    with pytest.raises(WireError, match="No konbini voucher"):
        world.do("pay_at_till", session.id)


def test_a_voucher_expires_with_its_last_day_and_not_before(world: World) -> None:
    session = world.session()
    world.do("pay", session.id, "konbini")
    intent = world.newest_session().payment_intent
    last = datetime.fromtimestamp(intent.next_action.konbini_display_details.expires_at, JST)
    assert world.do("pass_time", last - timedelta(seconds=1)) == {"happened": 0}
    assert world.do("pass_time", last) == {"happened": 1}
    assert world.do("pass_time", last) == {"happened": 0}
    assert states(world, session.id) == ("complete", "unpaid", "requires_payment_method")
    assert world.types()[-2:] == ["payment_intent.payment_failed", "checkout.session.async_payment_failed"]
    with pytest.raises(WireError):
        world.do("pay_at_till", session.id)


def test_a_voucher_can_be_let_expire_at_once(world: World) -> None:
    session = world.session()
    world.do("pay", session.id, "konbini")
    world.do("let_expire", session.id)
    failed = world.stripe.v1.payment_intents.retrieve(world.newest_session().payment_intent.id)
    assert failed.last_payment_error.code == "payment_intent_payment_attempt_expired"


def test_each_customer_has_a_bank_account_of_its_own(world: World) -> None:
    first, second = customer(world), customer(world)
    account = world.do("virtual_account", first)
    assert account == world.do("virtual_account", first)
    assert account["account_number"] != world.do("virtual_account", second)["account_number"]
    told = world.stripe.v1.customers.funding_instructions.create(
        first, {"funding_type": "bank_transfer", "currency": "jpy", "bank_transfer": {"type": "jp_bank_transfer"}}
    )
    assert told.bank_transfer.financial_addresses[0].zengin.account_number == account["account_number"]


def test_a_bank_transfer_in_full_pays(world: World) -> None:
    buyer = customer(world)
    session_id = by_bank(world, buyer, 50_000)
    assert states(world, session_id) == ("complete", "unpaid", "requires_action")
    world.do("fund", buyer, 50_000)
    assert states(world, session_id) == ("complete", "paid", "succeeded")
    charge = world.newest_session().payment_intent.latest_charge
    assert (charge.customer, charge.billing_details.email) == (buyer, "keiri@buyer.example.jp")
    assert (charge.balance_transaction.amount, charge.balance_transaction.fee) == (50_000, 750)
    assert cash(world, buyer) == 0
    assert "checkout.session.async_payment_succeeded" in world.types()


def test_a_bank_transfer_in_parts_pays_with_the_last_part(world: World) -> None:
    buyer = customer(world)
    session_id = by_bank(world, buyer, 50_000)
    for part, left in ((20_000, 30_000), (29_999, 1)):
        world.do("fund", buyer, part)
        assert states(world, session_id) == ("complete", "unpaid", "requires_action")
        assert remaining(world, session_id) == left
    assert world.types().count("payment_intent.partially_funded") == 2
    world.do("fund", buyer, 1)
    assert states(world, session_id) == ("complete", "paid", "succeeded")


def test_what_is_over_stays_in_the_cash_balance_and_pays_the_next_page(world: World) -> None:
    buyer = customer(world)
    by_bank(world, buyer, 50_000)
    world.do("fund", buyer, 61_000)
    assert cash(world, buyer) == 11_000
    assert "cash_balance.funds_available" in world.types()
    assert states(world, by_bank(world, buyer, 10_000)) == ("complete", "paid", "succeeded")
    assert cash(world, buyer) == 1_000
    moved = world.stripe.v1.customers.cash_balance_transactions.list(buyer).data
    assert [(one.type, one.net_amount, one.ending_balance) for one in moved] == [
        ("applied_to_payment", -10_000, 1_000),
        ("applied_to_payment", -50_000, 11_000),
        ("funded", 61_000, 61_000),
    ]


def test_money_pays_what_it_fits_exactly_and_otherwise_the_oldest(world: World) -> None:
    buyer, stranger = customer(world), customer(world)
    foreign = by_bank(world, stranger, 7_000)
    oldest, newer = by_bank(world, buyer, 30_000), by_bank(world, buyer, 7_000)
    world.do("fund", buyer, 7_000)
    assert states(world, newer)[1] == "paid"
    world.do("fund", buyer, 100)
    assert remaining(world, oldest) == 29_900
    assert states(world, foreign)[1] == "unpaid"


def test_canceling_gives_the_parts_back_to_the_cash_balance(world: World) -> None:
    buyer = customer(world)
    session_id = by_bank(world, buyer, 50_000)
    world.do("fund", buyer, 20_000)
    intent_id = world.stripe.v1.checkout.sessions.retrieve(session_id).payment_intent
    canceled = world.stripe.v1.payment_intents.cancel(intent_id, {"cancellation_reason": "requested_by_customer"})
    assert (canceled.status, canceled.next_action) == ("canceled", None)
    assert cash(world, buyer) == 20_000
    with pytest.raises(stripe.InvalidRequestError, match="status of canceled"):
        world.stripe.v1.payment_intents.cancel(intent_id)
    assert cash(world, buyer) == 20_000


def test_paid_intents_and_those_of_open_pages_are_not_canceled(world: World) -> None:
    paid = world.paid().payment_intent.id
    opened = world.do("decline", world.session().id)["payment_intent"]
    for intent_id in (paid, opened):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            world.stripe.v1.payment_intents.cancel(intent_id)
        assert refused.value.code == "payment_intent_unexpected_state"


def test_a_challenge_waits_and_is_passed(world: World) -> None:
    session = world.session()
    asked = world.do("challenge", session.id)
    assert asked["status"] == "open"
    intent = world.stripe.v1.payment_intents.retrieve(asked["payment_intent"])
    assert intent.status == "requires_action"
    assert intent.next_action.redirect_to_url.url == f"{session.url}/challenge"
    world.do("answer_challenge", session.id)
    assert states(world, session.id) == ("complete", "paid", "succeeded")
    used = world.newest_session().payment_intent.latest_charge.payment_method_details.card
    assert (used.three_d_secure.authentication_flow, used.three_d_secure.result) == ("challenge", "authenticated")


def test_a_failed_challenge_takes_nothing_and_leaves_the_page_open(world: World) -> None:
    session = world.session()
    world.do("challenge", session.id)
    world.do("answer_challenge", session.id, passed=False)
    assert states(world, session.id) == ("open", "unpaid", "requires_payment_method")
    assert world.stripe.v1.charges.list().data == []
    with pytest.raises(WireError, match="No 3-D Secure challenge"):
        world.do("answer_challenge", session.id)
    world.do("pay", session.id)
    assert states(world, session.id)[1] == "paid"


def test_what_a_page_does_not_offer_is_refused(world: World) -> None:
    session = world.session(excluded_payment_method_types=["konbini"])
    for method in ("konbini", "bank_transfer", "cash"):
        with pytest.raises(WireError):
            world.do("pay", session.id, method)
    assert world.stripe.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_customers_are_changed_and_found(world: World) -> None:
    buyer = customer(world, address={"country": "JP", "postal_code": "060-0001", "line1": "北1条西2丁目"})
    customer(world, email="other@example.jp")
    changed = world.stripe.v1.customers.update(buyer, {"name": "札幌市", "metadata": {"organization_id": "", "a": "1"}})
    assert (changed.name, changed.metadata.to_dict(), changed.address.country) == ("札幌市", {"a": "1"}, "JP")
    found = world.stripe.v1.customers.list({"email": "keiri@buyer.example.jp"}).data
    assert [one.id for one in found] == [buyer]
    assert world.types() == ["customer.created", "customer.created", "customer.updated"]
