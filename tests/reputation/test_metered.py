"""Bills of metered usage are sales as orders are: paid ones count, and what went back or was contested of them."""

from datetime import date

from flask import Flask

from marketplace.billing import payments, queries
from marketplace.billing.models import Invoice
from marketplace.catalog.groups import service as groups
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.exchange import dispute, facilities, payment, refund, settlement
from marketplace.exchange.refund import Why
from marketplace.identity.actors import SYSTEM, Actor, on_behalf_of
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from marketplace.reputation import facts, rules
from marketplace.reputation.rules import Facts, Share
from marketplace.sandbox import controls
from tests.factories import market, money

MIB = bytes(2**20)


def used(app: Flask, *listings: market.Listed, who: Actor | None = None) -> Actor:
    """Somebody who has fetched from each of these, metered, and is not billed yet."""
    who = who or market.buyer()
    for on in listings:
        made = market.bought(app, who, market.offered(on, PriceKind.PER_UNIT, 300))
        market.fetched(who, made.grant_id)
    return who


def bills() -> dict[str, Invoice]:
    """The bills of everything used until now, by buyer."""
    issued = settlement.settle(SYSTEM, clock.now())
    return {invoice.recipient_organization_id: invoice for invoice in issued}


def paid(bill: Invoice) -> str:
    """Pay a bill by card; returns the gateway's name of the charge."""
    with transaction():
        opened = payments.open_for_invoice(on_behalf_of(bill.recipient_organization_id), bill.id).id
    payment.begin(opened)
    session_id = queries.get_payment(opened).session_id
    controls.pay(session_id)
    market.learn()
    db.session.expire_all()
    return facilities.current().gateway.fetch_checkout(session_id).charge_id


def given_back(bill: Invoice, yen: int | None = None) -> None:
    with transaction():
        opened = refund.give_back(SYSTEM, bill.id, yen, Why(f"asked:{bill.id}"))
    for one in opened:
        refund.send(one)
        assert money.found(one).state == "succeeded"


def counted(on: market.Listed) -> Facts:
    with transaction():
        return facts.of_months(on.provider.organization_id, this_month())


def this_month() -> date:
    return clock.today().replace(day=1)


def test_paid_bills_count_beside_orders_with_what_was_given_back_and_contested(own_database: Flask) -> None:
    on = market.listed(content=MIB)
    fine, back, contested, owing = (used(own_database, on) for _ in range(4))
    money.sold(own_database, on=on, who=fine)
    made = bills()
    paid(made[fine.organization_id])
    paid(made[back.organization_id])
    given_back(made[back.organization_id], 1)
    lost = controls.open_dispute(paid(made[contested.organization_id]))["id"]
    dispute.learn(lost, "evt_1")
    assert counted(on).disputed == Share(1, 1)
    assert counted(on).lost == Share()
    controls.close_dispute(lost, "lost")
    dispute.learn(lost, "evt_2")

    found = counted(on)
    assert found.sold == Share(4, 3), "an order and three bills of three buyers; what is owed is no sale yet"
    assert (found.refunded, found.disputed, found.lost) == (Share(1, 1), Share(1, 1), Share(1, 1))
    assert made[owing.organization_id].state == "open"


def test_bills_of_other_months_and_for_corrections_are_not_in_the_shares(own_database: Flask) -> None:
    on = market.listed(content=MIB)
    who = used(own_database, on)
    bill = bills()[who.organization_id]
    paid(bill)
    with transaction():
        [cheaper] = refund.give_back(SYSTEM, bill.id, 1, Why("adjusted:1", refund.RefundReason.ADJUSTMENT))
    refund.send(cheaper)
    assert money.found(cheaper).state == "succeeded"
    assert (counted(on).sold, counted(on).refunded) == (Share(1, 1), Share())
    with transaction():
        before = facts.of_months(on.provider.organization_id, facts.first_month(this_month()))
    assert before.sold == Share(), "issued after the last of those months"


def test_a_bill_with_something_private_on_it_is_left_out_whole(own_database: Flask) -> None:
    on = market.listed(content=MIB)
    secret = market.listed(on.provider, content=MIB)
    both, public = used(own_database, on, secret), used(own_database, on)
    for bill in bills().values():
        paid(bill)
    assert counted(on).sold == Share(2, 2)
    with transaction():
        group = groups.make_group(on.provider, GroupDraft("限られた会")).id
        groups.set_audience(on.provider, secret.dataset_id, group)
    assert counted(on).sold == Share(1, 1)
    assert both.organization_id != public.organization_id


def test_of_one_buyer_nothing_is_told_however_many_of_its_bills_went_back() -> None:
    # Twelve bills a year of one buyer beside thirty orders: they are the share of one, and stay untold.
    sold = Share(sales=42, buyers=12)
    told = [
        rules.tell(Facts(sold=sold, refunded=part, disputed=part), 5)
        for part in (Share(1, 1), Share(12, 1), Share(40, 11))
    ]
    assert [one["refunds"] for one in told] == [{"telling": "few", "percent": None}] * 3
    assert [one["disputes"] for one in told] == [{"telling": "few", "percent": None}] * 3
    assert rules.tell(Facts(sold=sold), 5)["refunds"] == {"telling": "shown", "percent": 0}
