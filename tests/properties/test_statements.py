"""Whatever is sold, given back and paid out: papers, earnings, payouts, report and ledger say the same to the yen."""

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from marketplace.billing import postings, revenue, shares, tax
from marketplace.billing.documents.models import Document
from marketplace.billing.earning_models import Earning
from marketplace.billing.errors import ReversalTooLarge
from marketplace.billing.payouts import service
from marketplace.billing.payouts.errors import NothingToClaim
from marketplace.billing.payouts.models import Payout
from marketplace.billing.payouts.states import PayoutState
from marketplace.billing.states import Via
from marketplace.exchange import payout
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.states import Capacity
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from tests.factories import money, payouts
from tests.factories.sales import Trade, give_back

OVERSEER = Actor("org_x", capacities=frozenset({Capacity.AUDITOR}))
SALE = st.tuples(st.just("sale"), st.integers(1, 200_000), st.sampled_from([Via.GATEWAY, Via.OUTSIDE]))
REFUND = st.tuples(st.just("refund"), st.integers(0, 9), st.integers(1, 60_000))
PAY = st.tuples(st.sampled_from(["pay", "fail", "bounce"]), st.just(0), st.just(0))
CLAIM = st.tuples(st.just("claim"), st.just(0), st.just(0))


class Shop:
    """A provider and a partner who share all sales."""

    def __init__(self) -> None:
        self.operator = payouts.operator()
        with transaction():
            self.trade = Trade()
        self.shares = ((self.trade.provider, 6_667), (self.trade.partner, 3_333))
        for provider, _points in self.shares:
            payouts.account_of(provider)
        self.refs: list[str] = []

    def sale(self, net: int, via: Via) -> None:
        quote = tax.Quote(net, tax.tax_on(net, 1000), 1000)
        self.refs.append(new_id("ord"))
        with transaction():
            sale = shares.sale_of(self.shares, quote, 1000, 1000)
            self.trade.book(sale, ref=self.refs[-1], via=via, on=clock.today())
        payouts.released()

    def refund(self, which: int, yen: int) -> None:
        if not self.refs:
            return
        ref = self.refs[which % len(self.refs)]
        try:
            with transaction():
                give_back(yen, ref=ref, idem=f"refund:{new_id('rfd')}", on=clock.today(), credit_to=postings.BANK)
        except ReversalTooLarge:
            db.session.rollback()

    def pay(self, *_nothing: object) -> list[str]:
        with transaction():
            made = [one.id for one in payout.draw_all(SYSTEM)]
        for payout_id in made:
            with transaction():
                service.approve(self.operator, payout_id)
                service.mark_sent(self.operator, payout_id)
                payout.note_paid(self.operator, payout_id, clock.today())
        return made

    def bounce(self, *_nothing: object) -> None:
        for payout_id in self.pay():
            with transaction():
                payout.note_failed(self.operator, payout_id, "口座相違")

    def fail(self, *_nothing: object) -> None:
        with transaction():
            for one in payout.draw_all(SYSTEM):
                service.cancel(self.operator, one.id)

    def claim(self, *_nothing: object) -> None:
        for provider, _points in self.shares:
            try:
                with transaction():
                    payout.claim(self.operator, provider)
            except NothingToClaim:
                db.session.rollback()


def total(column, *conditions) -> int:
    return int(db.session.scalar(select(func.coalesce(func.sum(column), 0)).where(*conditions)) or 0)


def papers(among: list[str], *kinds: str) -> int:
    return total(Document.amount_yen, Document.kind.in_(kinds), Document.recipient_organization_id.in_(among))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.one_of(SALE, SALE, REFUND, PAY, CLAIM), min_size=1, max_size=12))
def test_papers_earnings_payouts_and_ledger_say_the_same(app: Flask, deeds) -> None:
    shop, before = Shop(), money.balances()
    for name, one, other in deeds:
        getattr(shop, name)(one, other)
    money.assert_sound()
    shop.claim()
    shop.sale(900_000, Via.GATEWAY)
    shop.pay()
    now = money.balances()
    moved = {code: now.get(code, 0) - before.get(code, 0) for code in now.keys() | before.keys()}
    _compare([provider for provider, _points in shop.shares], moved)
    money.assert_sound()


def _compare(among: list[str], moved: dict[str, int]) -> None:
    own, outside = Earning.organization_id.in_(among), Earning.via == Via.OUTSIDE.value
    commission, charged = total(Earning.commission_yen, own), total(Earning.commission_tax_yen, own)
    # Every earning is on exactly one paper, and every yen of tax on a commission is on an invoice or on Rounding.
    sold = total(Earning.net_yen + Earning.tax_yen, own, ~outside)
    assert papers(among, "purchase_statement") == sold
    invoiced = papers(among, "commission_invoice", "credit_note")
    assert invoiced == commission + charged + moved.get("Expenses:Rounding", 0)
    assert moved.get("Income:MarketplaceFee", 0) == -commission
    assert moved.get("Liabilities:ConsumptionTax:Output", 0) == -(invoiced - commission)
    # What was paid is what was payable, less what was owed and not claimed.
    theirs = Payout.organization_id.in_(among)
    paid = total(Payout.amount_yen, theirs, Payout.state == PayoutState.PAID.value)
    claimed = total(Payout.amount_yen, theirs, Payout.way == "claim")
    owed = total(Earning.commission_yen + Earning.commission_tax_yen, own, outside)
    assert paid - claimed == total(Earning.payable_yen, own) - owed
    assert sum(moved.get(postings.receivable(provider), 0) for provider in among) == claimed
    assert [provider for provider in among if moved.get(postings.provider_available(provider), 0)] == []
    rows = [row for row in revenue.list_revenue(OVERSEER) if row.organization_id in among]
    assert sum(row.payable_yen for row in rows) == total(Earning.payable_yen, own)
    assert sum(row.commission_yen for row in rows) == commission
