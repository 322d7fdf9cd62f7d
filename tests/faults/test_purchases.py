"""Buying twice, at once, with a gateway that fails, and money that comes twice."""

import os
import uuid
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import requests
from sqlalchemy import select

from marketplace.access.models import Grant
from marketplace.audit.verbs import Verb
from marketplace.billing import invoices, payments
from marketplace.billing.discounts import service as discounts
from marketplace.billing.discounts.models import Coupon, DiscountUse
from marketplace.billing.discounts.rules import CouponDraft
from marketplace.billing.invoices import InvoiceDraft, InvoiceLine, InvoiceParty
from marketplace.billing.models import Invoice, Order, Payment
from marketplace.billing.rules import Fact
from marketplace.billing.states import FactKind, InvoiceKind
from marketplace.exchange import facilities, payment
from marketplace.identity.actors import Actor
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing import service as licensing
from marketplace.sandbox.models import SandboxObject
from tests.factories.identity import ApiClientFactory, OrganizationFactory, actor_of
from tests.faults.world import (
    PRICE_YEN,
    SECRET,
    World,
    assert_sold_once,
    assert_sound,
    at_once,
    balance,
    booked,
    count,
    entries,
)

GROSS_YEN = PRICE_YEN * 11 // 10
COUPON_YEN, COUPONS = 1_000, 5
ROUNDS = int(os.environ.get("MONEY_ROUNDS", "20"))


def place(world: World, offer: Any, key: str, by: Actor | None = None, **changes: Any) -> requests.Response:
    """POST /v1/orders as the buyer, or as another."""
    body = {"offer_id": offer.id, "accept_terms_sha256": offer.terms_sha256} | changes
    headers = {"Authorization": f"Bearer {world.party(by or world.buyer).token()}", "Idempotency-Key": key}
    return requests.post(f"{world.base_url}/v1/orders", json=body, headers=headers, timeout=180)


def test_one_key_from_eight_threads_gives_one_order_and_one_answer(open_world: World) -> None:
    offer, key = open_world.offer(), str(uuid.uuid4())
    answers = at_once([lambda: place(open_world, offer, key)] * 8)
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert (count(Order), count(Payment)) == (1, 1)
    assert count(SandboxObject, SandboxObject.kind == "checkout.session") == 1
    assert_sound()


def test_one_key_for_a_free_offer_from_eight_threads_gives_one_grant(open_world: World) -> None:
    offer, key = open_world.offer(0), str(uuid.uuid4())
    answers = at_once([lambda: place(open_world, offer, key)] * 8)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["grant_id"] for answer in answers}) == 1
    assert (count(Order), count(Grant), count(Payment)) == (1, 1, 0)


def test_of_two_buyers_at_once_one_gets_the_last_use_of_a_coupon(open_world: World) -> None:
    """What two organizations can contend for: a grant's quota is one buyer's own, a coupon is whoever's comes first."""
    offer, rivals = open_world.offer(), [open_world.buyer, another_buyer()]
    for turn in range(COUPONS):
        coupon_id, code = last_use_of_a_coupon(open_world)
        deeds = [partial(place, open_world, offer, str(uuid.uuid4()), rival, coupon_code=code) for rival in rivals]
        won, lost = sorted(at_once(deeds), key=lambda answer: answer.status_code)
        assert (won.status_code, won.json()["amount_gross_yen"]) == (201, (PRICE_YEN - COUPON_YEN) * 11 // 10)
        assert (lost.status_code, lost.json()["type"].rsplit("/", 1)[1]) == (409, "coupon-not-usable")
        assert (count(Order), count(Payment)) == (turn + 1, turn + 1)
        assert [used.order_id for used in redeemed(coupon_id)] == [won.json()["id"]]
    assert_sound()


def test_a_key_used_with_another_body_is_refused_and_changes_nothing(open_world: World) -> None:
    offer, other, key = open_world.offer(), open_world.offer(), str(uuid.uuid4())
    assert place(open_world, offer, key).status_code == 201
    refused = place(open_world, other, key)
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[1]) == (422, "idempotency-key-reused")
    assert count(Order) == 1


def test_a_refused_order_leaves_its_key_free(open_world: World) -> None:
    offer, key = open_world.offer(), str(uuid.uuid4())
    assert place(open_world, offer, key, accept_terms_sha256="0" * 64).status_code == 409
    assert place(open_world, offer, key).status_code == 201
    assert count(Order) == 1


def test_an_order_without_a_key_is_refused(open_world: World) -> None:
    offer = open_world.offer()
    assert place(open_world, offer, "").status_code == 400
    assert place(open_world, offer, "k" * 256).status_code == 400
    assert count(Order) == 0


def test_an_offer_withdrawn_while_the_buyer_decides_is_refused_but_a_placed_order_goes_on(world: World) -> None:
    offer = world.offer()
    order_id = world.order(offer)
    with transaction():
        licensing.withdraw_offer(world.provider, offer.id)
    with pytest.raises(licensing.OfferNotOpen):
        world.order(offer)
    world.pay(order_id)
    payment.backfill()
    jobs.run_pending("billing.events")
    assert_sold_once(order_id)


def test_a_gateway_that_is_down_is_a_503_and_the_same_key_succeeds_later(
    open_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer, key = open_world.offer(), str(uuid.uuid4())
    with monkeypatch.context() as away:
        away.setattr(facilities.current().gateway, "_client", client_that(before=True))
        answers = [place(open_world, offer, key) for _ in range(2)]
    for answer in answers:
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json()["type"].endswith("/problems/gateway-unavailable")
    placed = place(open_world, offer, key)
    assert (placed.status_code, placed.json()["payment_state"]) == (201, "open")
    assert placed.json()["checkout_url"]
    assert (count(Order), count(Payment)) == (1, 1)


def test_a_gateway_that_answers_too_late_has_opened_one_page_all_the_same(
    open_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer, key = open_world.offer(), str(uuid.uuid4())
    with monkeypatch.context() as slow:
        slow.setattr(facilities.current().gateway, "_client", client_that(before=False))
        assert place(open_world, offer, key).status_code == 503
    [session] = sessions()
    placed = place(open_world, offer, key)
    assert placed.status_code == 201
    assert session.id in placed.json()["checkout_url"]
    assert [one.id for one in sessions()] == [session.id]


def test_the_return_page_and_the_webhook_at_once_fulfil_once(open_world: World) -> None:
    offer = open_world.offer()
    for _ in range(ROUNDS):
        order_id = open_world.order(offer)
        open_world.pay(order_id)
        payment.backfill()
        buyer = open_world.party(open_world.buyer)
        deeds = [
            payment.work_inbox,
            payment.work_inbox,
            lambda party=buyer, one=order_id: party.get(f"/v1/orders/{one}"),
        ]
        at_once(deeds, open_world.app)
        assert_fulfilled(order_id)
    assert booked("sale") == ROUNDS
    assert count(Grant) == count(Invoice) == ROUNDS
    numbers = [invoice.number for invoice in db.session.scalars(select(Invoice).order_by(Invoice.number))]
    assert [int(number.rsplit("-", 1)[1]) for number in numbers] == list(range(1, ROUNDS + 1))
    assert_sound()


def test_eight_clicks_on_the_pay_button_take_the_money_once(open_world: World) -> None:
    order_id = open_world.order()
    page = f"{open_world.base_url}/sandbox/pay/{open_world.payment(order_id).session_id}/pay"
    db.session.rollback()
    answers = at_once([lambda: requests.post(page, allow_redirects=False, timeout=180).status_code] * 8)
    assert sorted(answers) == [303] + [409] * 7
    payment.backfill()
    jobs.run_pending("billing.events")
    assert_sold_once(order_id)


def test_a_payment_reported_again_by_other_objects_fulfils_once(world: World) -> None:
    order_id = world.order()
    payment_id = world.payment(order_id).id
    paid = Fact(FactKind.SESSION_COMPLETED_PAID, "cs_1", GROSS_YEN, "JPY", clock.now(), "evt_1")
    again = Fact(FactKind.INTENT_SUCCEEDED, "pi_1", GROSS_YEN, "JPY", clock.now(), "evt_2")
    for fact in (paid, again, paid):
        with transaction():
            payment.apply(payments.record_facts(payment_id, [fact]))
    assert_sold_once(order_id)
    assert entries(Verb.PAYMENT_UNAPPLIED) == []


def test_money_that_comes_twice_for_one_invoice_is_owed_back_and_recorded(world: World) -> None:
    invoice_id = open_invoice(world)
    first, second = two_attempts(world, invoice_id)
    for payment_id in (second, first):
        paid = Fact(FactKind.SESSION_COMPLETED_PAID, f"cs_{payment_id}", GROSS_YEN, "JPY", clock.now())
        for _ in range(2):
            with transaction():
                payment.apply(payments.record_facts(payment_id, [paid]))
    assert db.session.get_one(Invoice, invoice_id).state == "paid"
    assert (booked("invoice_paid"), booked("payment_unapplied")) == (1, 1)
    [entry] = entries(Verb.PAYMENT_UNAPPLIED)
    assert (entry.subject, entry.amount_minor) == (first, GROSS_YEN)
    assert balance(f"Liabilities:Unapplied:{world.buyer.organization_id}") == -GROSS_YEN
    assert balance("Assets:Clearing:Stripe") == 2 * GROSS_YEN
    assert_sound()


def another_buyer() -> Actor:
    """A second organization that buys."""
    with transaction():
        rival = OrganizationFactory(buyer=True)
        return actor_of(rival, ApiClientFactory(organization=rival, secret=SECRET))


def last_use_of_a_coupon(world: World) -> tuple[str, str]:
    """A coupon of the provider that one order can use, and its code."""
    until = clock.now() + timedelta(days=1)
    with transaction():
        coupon, code = discounts.issue_coupon(world.provider, CouponDraft(until, amount_yen=COUPON_YEN))
        return coupon.id, code


def redeemed(coupon_id: str) -> list[DiscountUse]:
    db.session.rollback()
    assert db.session.get_one(Coupon, coupon_id).redemptions == 1
    return list(db.session.scalars(select(DiscountUse).where(DiscountUse.coupon_id == coupon_id)))


def open_invoice(world: World) -> str:
    """An invoice of the provider that the buyer owes."""
    line = InvoiceLine("データ配信", "Data delivered", "1", "byte", PRICE_YEN, PRICE_YEN, 1000)
    draft = InvoiceDraft(
        kind=InvoiceKind.USAGE,
        idem="usage:test",
        issuer=InvoiceParty(world.provider.organization_id, "提供者", "Provider"),
        registration_number="T1234567890123",
        recipient=InvoiceParty(world.buyer.organization_id, "利用者", "Buyer"),
        lines=[line],
        transaction_on=clock.today(),
        period_from=clock.today(),
        period_to=clock.today(),
    )
    with transaction():
        return invoices.issue(world.provider, draft).id


def two_attempts(world: World, invoice_id: str) -> tuple[str, str]:
    """Two payments of one invoice: the first was given up before its money came."""
    with transaction():
        first = payment.pay_invoice(world.buyer, invoice_id)
    failed = Fact(FactKind.SESSION_ASYNC_FAILED, f"cs_{first}", GROSS_YEN, "JPY", clock.now())
    with transaction():
        payment.apply(payments.record_facts(first, [failed]))
    with transaction():
        second = payment.pay_invoice(world.buyer, invoice_id)
    assert first != second
    return first, second


def sessions() -> list[SandboxObject]:
    db.session.rollback()
    return list(db.session.scalars(select(SandboxObject).where(SandboxObject.kind == "checkout.session")))


def assert_fulfilled(order_id: str) -> None:
    db.session.rollback()
    assert db.session.get_one(Order, order_id).state == "fulfilled"


def client_that(*, before: bool) -> Any:
    """An SDK client whose network fails: before the request is sent, or after the gateway has acted on it."""
    import stripe

    gateway = facilities.current().gateway
    working = gateway._transport()

    class Failing(stripe.HTTPClient):
        name = "failing"

        def request(self, *args: Any, **kwargs: Any) -> Any:
            if not before:
                working.request(*args, **kwargs)
            raise stripe.APIConnectionError("the network failed")

        def close(self) -> None:
            """Nothing is open."""

    base = {"api": gateway._api_base}
    return stripe.StripeClient("sk_test_sandbox", base_addresses=base, http_client=Failing(), max_network_retries=0)
