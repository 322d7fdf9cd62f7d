"""Payouts: each yen that a provider earned goes to it once, with the papers that say so."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.app import install
from marketplace.billing import postings
from marketplace.billing.balance import queries as balance_queries
from marketplace.billing.balance import rules as balance_rules
from marketplace.billing.bank import queries as bank
from marketplace.billing.gateways.stripe import StripeGateway
from marketplace.billing.orders import Slip
from marketplace.billing.payouts import queries, service
from marketplace.billing.payouts.errors import (
    ClaimNotCovered,
    NothingToClaim,
    NothingToDraw,
    NothingToTransfer,
    PayoutMoved,
    PayoutNotFound,
    SecondPersonNeeded,
)
from marketplace.billing.payouts.models import Payout
from marketplace.exchange import banking, facilities, outside, payout, purchase, refund
from marketplace.exchange.refund import Why
from marketplace.identity.actors import SYSTEM, on_behalf_of
from marketplace.identity.models import Organization
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, Refusal, Unavailable
from marketplace.kit.transaction import transaction
from marketplace.licensing.offers import Share
from marketplace.licensing.states import PriceKind, Rail
from tests.factories import market, money, payouts

ACCT = "acct_1SandboxSapporo"


def refused(reason: type[Refusal], deed, *args: object) -> Refusal:
    """The deed is refused, and neither the books nor the payouts changed."""
    before = money.balances(), [(one.id, one.state) for one in db.session.scalars(select(Payout))]
    with pytest.raises(reason) as refusal, transaction():
        deed(*args)
    assert (money.balances(), [(one.id, one.state) for one in db.session.scalars(select(Payout))]) == before
    return refusal.value


def sent(actor, provider: str) -> Payout:
    made = payouts.drawn(actor, provider)
    with transaction():
        service.put_in_file(actor, clock.today())
    return payouts.now(made.id)


def note(deed, *args: object) -> Payout:
    with transaction():
        return payouts.now(deed(*args).id)


def sold_outside(yen: int, on: market.Listed) -> str:
    """An order that was paid to the provider on its own slip."""
    offer = market.offered(on, PriceKind.ONE_OFF, yen, said={"rails": (Rail.OUTSIDE,)})
    placed = market.ordered(market.buyer(), offer)
    with transaction():
        outside.note_payment(on.provider, placed.order.id, Slip(f"納付-{yen}", clock.today(), "札幌市手数料条例"))
    return placed.order.id


def available(provider: str) -> int:
    return -money.balances().get(postings.provider_available(provider), 0)


@pytest.fixture
def operator(app: Flask):
    return payouts.operator()


@pytest.fixture
def configured(app: Flask, monkeypatch):
    """Change settings of the application for one test."""
    whole = app.config["MUSUBI_SETTINGS"]

    def configure(**changes: object) -> None:
        monkeypatch.setitem(app.config, "MUSUBI_SETTINGS", replace(whole, **changes))
        install(app)

    yield configure
    settings.install(whole)


@pytest.fixture
def connect(configured):
    configured(stripe_connect="transfers")


def test_what_is_drawn_sent_and_paid_leaves_the_bank_with_its_papers(app: Flask, operator) -> None:
    provider = payouts.earned(app, 20_000)
    made = payouts.paid(operator, provider)
    assert (made.amount_yen, made.state, made.way) == (19_800, "paid", "bank")
    papers = payouts.papers_of(made.id)
    statement, commission = papers["purchase_statement"], papers["commission_invoice"]
    assert (statement.amount_yen, commission.amount_yen) == (22_000, 2_200)
    balances = money.balances()
    assert balances["Assets:Bank"] == -19_800
    assert postings.provider_available(provider) not in balances
    assert money.in_transit() == {}
    money.assert_sound()


def test_nothing_is_drawn_before_the_hold_period_is_over_nor_below_the_minimum(app: Flask, operator) -> None:
    provider = money.sold(app, 20_000).order.provider_organization_id
    payouts.account_of(provider)
    refused(NothingToDraw, service.draw, operator, provider)
    [pending] = queries.payables(operator)
    assert (pending.amount_yen, pending.pending_yen) == (0, 19_800)
    payouts.released()
    little = payouts.earned(app, 10_000)
    assert refused(NothingToDraw, service.draw, operator, little).members == {"minimum_yen": 10_000}
    with transaction():
        assert [one.organization_id for one in payout.draw_all(operator)] == [provider]
    refused(NothingToDraw, service.draw, operator, provider)


def test_a_provider_without_an_account_or_suspended_waits(app: Flask, operator) -> None:
    unnamed = money.sold(app, 20_000).order.provider_organization_id
    suspended = payouts.earned(app)
    organization = db.session.get(Organization, suspended)
    organization.state, organization.suspended_reason = "suspended", "規約違反"
    db.session.commit()
    for provider in (unnamed, suspended):
        refused(NothingToDraw, service.draw, operator, provider)
    assert {one.organization_id for one in queries.payables(operator)} == {unnamed, suspended}
    assert queries.payables(on_behalf_of(market.buyer().organization_id)) == []


def test_two_persons_with_credentials_of_their_own_approve_what_is_much(app: Flask, operator) -> None:
    made = payouts.drawn(operator, payouts.earned(app, 1_200_000))
    assert made.state == "created"
    refused(SecondPersonNeeded, service.approve, operator, made.id)
    refused(NothingToTransfer, service.put_in_file, operator, clock.today())
    refused(PayoutMoved, payout.note_paid, operator, made.id, clock.today())
    second = payouts.colleague(operator)
    assert note(service.approve, second, made.id).state == "approved"
    assert note(service.approve, second, made.id).state == "approved"
    assert set(queries.approvers_of(made.id)) == {operator.client_id, second.client_id}


def test_what_the_exchange_draws_by_itself_nobody_has_approved(app: Flask, operator) -> None:
    made = payouts.drawn(SYSTEM, payouts.earned(app))
    assert made.state == "created"
    assert note(service.approve, operator, made.id).state == "approved"


def test_a_payout_that_was_sent_is_never_called_off(app: Flask, operator) -> None:
    """polar 2676727a84: a payout was cancelled, and sent all the same."""
    provider = payouts.earned(app)
    first = payouts.drawn(operator, provider)
    assert note(service.cancel, operator, first.id).state == "cancelled"
    assert note(service.cancel, operator, first.id).state == "cancelled"
    assert available(provider) == 19_800
    refused(NothingToTransfer, service.put_in_file, operator, clock.today())
    second = sent(operator, provider)
    assert second.id != first.id
    refused(PayoutMoved, service.cancel, operator, second.id)
    refused(PayoutMoved, service.approve, operator, second.id)
    money.assert_sound()


@pytest.mark.parametrize("was_paid", [False, True])
def test_a_payout_that_fails_gives_its_own_earnings_back_and_is_drawn_anew(app: Flask, operator, was_paid) -> None:
    """polar 3dc0fb4a2d, 452ada3784: what came back was not there again, or stood on another payout."""
    provider, other = payouts.earned(app), payouts.earned(app, 30_000)
    kept, made = sent(operator, other), sent(operator, provider)
    if was_paid:
        note(payout.note_paid, operator, made.id, clock.today())
    assert note(payout.note_failed, operator, made.id, "口座相違").failure == "口座相違"
    assert note(payout.note_failed, operator, made.id, "口座相違").state == "failed"
    assert available(provider) == 19_800
    assert payouts.now(kept.id).state == "sent"
    assert money.in_transit() == {"Liabilities:PayoutsInTransit": -29_700}
    refused(PayoutMoved, payout.note_paid, operator, made.id, clock.today())
    again = payouts.paid(operator, provider)
    # What its papers showed already they show no second time.
    assert bool(payouts.papers_of(again.id)) is not was_paid
    assert money.balances()["Assets:Bank"] == -19_800
    money.assert_sound()


def test_paid_is_noted_once_and_on_a_day_that_can_be(app: Flask, operator) -> None:
    made = sent(operator, payouts.earned(app))
    for day in (clock.today() + timedelta(days=1), clock.today() - timedelta(days=1)):
        refused(Invalid, payout.note_paid, operator, made.id, day)
    for _ in range(2):
        assert note(payout.note_paid, operator, made.id, clock.today()).state == "paid"
    refused(PayoutMoved, payout.note_paid, operator, made.id, date(2020, 1, 1))
    refused(PayoutNotFound, payout.note_paid, operator, "pyt_x\0", clock.today())


def test_a_lost_file_is_had_again_byte_by_byte(app: Flask, operator) -> None:
    payouts.account_of(operator.organization_id, bank_code="0001")
    one, other = payouts.earned(app), payouts.earned(app, 30_000)
    for provider in (one, other):
        payouts.drawn(operator, provider)
    refused(Invalid, service.put_in_file, operator, clock.today() - timedelta(days=1))
    with transaction():
        file_id = service.put_in_file(operator, clock.today()).id
    text = payout.file_text(file_id)
    assert [line.split(",")[9] for line in text.splitlines()[1:-2]] == ["19800", "29700"]
    # Neither a new account nor what became of a payout changes what the bank was told.
    payouts.account_of(one, account_number="7654321")
    note(payout.note_failed, operator, queries.list_of_file(file_id)[0].id, "口座相違")
    assert payout.file_text(file_id) == text
    assert "0001" in text.splitlines()[0]


def test_a_payout_too_large_for_a_record_is_sent_by_hand(app: Flask, operator, monkeypatch) -> None:
    made = payouts.drawn(operator, payouts.earned(app))
    monkeypatch.setattr(queries, "FILE_AMOUNT_MAX", 19_799)
    refused(NothingToTransfer, service.put_in_file, operator, clock.today())
    for _ in range(2):
        assert note(payout.note_sent, operator, made.id).state == "sent"
    assert note(payout.note_paid, operator, made.id, clock.today()).state == "paid"


def test_a_refund_after_the_payout_is_a_debt_that_the_next_payout_nets(app: Flask, operator) -> None:
    on = market.listed()
    made = money.sold(app, 20_000, on=on)
    provider = on.provider.organization_id
    payouts.account_of(provider)
    payouts.released()
    first = payouts.paid(operator, provider)
    money.refunded(made, 11_000)
    assert available(provider) == -9_900
    [debt] = queries.payables(operator)
    assert debt.amount_yen == -9_900
    refused(NothingToDraw, service.draw, operator, provider)
    money.assert_sound()
    money.sold(app, 50_000, on=on)
    payouts.released()
    second = payouts.paid(operator, provider)
    assert second.amount_yen == 49_500 - 9_900
    statement = payouts.papers_of(second.id)["purchase_statement"]
    assert (statement.amount_yen, first.amount_yen) == (55_000 - 11_000, 19_800)
    assert available(provider) == 0
    money.assert_sound()


def test_commission_of_sales_paid_outside_is_invoiced_and_taken_off_the_payout(app: Flask, operator) -> None:
    on = market.listed()
    provider = on.provider.organization_id
    payouts.account_of(provider)
    sold_outside(10_000, on)
    money.sold(app, 20_000, on=on)
    payouts.released()
    [payable] = queries.payables(operator)
    assert (payable.available_yen, payable.offset_yen, payable.amount_yen) == (19_800, 1_100, 18_700)
    made = payouts.paid(operator, provider)
    papers = payouts.papers_of(made.id)
    assert papers["purchase_statement"].amount_yen == 22_000
    assert papers["commission_invoice"].amount_yen == 3_300
    assert (made.amount_yen, made.offset_yen) == (18_700, 1_100)
    assert not {code for code in money.balances() if "Receivable" in code or "Provider" in code}
    money.assert_sound()
    # It comes back with the debt it had netted.
    note(payout.note_failed, operator, made.id, "口座相違")
    assert money.balances()[postings.receivable(provider)] == 1_100
    money.assert_sound()


def test_a_provider_that_sells_outside_alone_is_claimed_and_pays_by_bank(app: Flask, operator) -> None:
    on = market.listed()
    provider = on.provider.organization_id
    refused(NothingToClaim, service.claim, operator, provider)
    sold_outside(20_000, on)
    refused(NothingToDraw, service.draw, operator, provider)
    with transaction():
        claimed = payout.claim(operator, provider)
    assert (claimed.amount_yen, claimed.way, claimed.state) == (2_200, "claim", "sent")
    assert payouts.papers_of(claimed.id)["commission_invoice"].amount_yen == 2_200
    refused(NothingToClaim, service.claim, operator, provider)
    refused(PayoutMoved, service.cancel, operator, claimed.id)
    refused(PayoutMoved, payout.note_failed, operator, claimed.id, "no")
    assert refused(ClaimNotCovered, payout.note_paid, operator, claimed.id, clock.today()).members == {
        "unapplied_yen": 0
    }
    banking.import_statement(SYSTEM, "日付,入金額,振込依頼人名\n2026/11/22,2200,テイキヨウシヤ\n".encode())
    with transaction():
        banking.assign_line(operator, bank.list_lines().items[0].id, organization_id=provider)
    assert note(payout.note_paid, operator, claimed.id, clock.today()).state == "paid"
    assert {code for code in money.balances() if provider in code} == set()
    money.assert_sound()


def test_commission_given_back_of_a_sale_outside_is_paid_out_with_a_note(app: Flask, operator, configured) -> None:
    configured(payout_minimum_yen=1)
    on = market.listed()
    provider = on.provider.organization_id
    payouts.account_of(provider)
    order_id = sold_outside(10_000, on)
    with transaction():
        payout.claim(operator, provider)
    with transaction():
        refund.give_back(SYSTEM, purchase.read(on.provider, order_id).invoice_id, None, Why("req_1"))
    made = payouts.paid(operator, provider)
    assert (made.amount_yen, made.offset_yen) == (1_100, -1_100)
    assert {kind: document.amount_yen for kind, document in payouts.papers_of(made.id).items()} == {
        "credit_note": -1_100
    }
    money.assert_sound()


def test_an_operator_without_a_number_invoices_its_commission_without_tax(app: Flask) -> None:
    operator = payouts.operator(invoice_registration_number=None)
    made = payouts.paid(operator, payouts.earned(app))
    commission = payouts.papers_of(made.id)["commission_invoice"]
    assert (commission.amount_yen, commission.content["amount_tax_yen"]) == (2_200, "0")
    money.assert_sound()


def test_as_principal_the_statement_is_over_what_the_exchange_bought(app: Flask, operator, configured) -> None:
    configured(seller="principal")
    made = payouts.paid(operator, payouts.earned(app))
    papers = payouts.papers_of(made.id)
    assert {kind: document.amount_yen for kind, document in papers.items()} == {"purchase_statement": 19_800}
    money.assert_sound()


def test_each_of_those_who_share_a_sale_has_a_payout_of_its_own(app: Flask, operator) -> None:
    on, partner = market.listed(), market.seller()
    shares = (Share(on.provider.organization_id, 7_000), Share(partner.organization_id, 3_000))
    money.sold(app, 100_001, on=on, shares=shares)
    for share in shares:
        payouts.account_of(share.organization_id)
    payouts.released()
    made = [payouts.paid(operator, share.organization_id) for share in shares]
    statements = [payouts.papers_of(one.id)["purchase_statement"].amount_yen for one in made]
    assert sum(statements) == 110_001
    assert sum(one.amount_yen for one in made) == 110_001 - 10_000 - 1_000
    money.assert_sound()


def transfers() -> list:
    return facilities.current().gateway.list_transfers(destination=ACCT)


def funded(app: Flask) -> str:
    """A provider with a connected account, and money at the gateway that may be moved on."""
    with clock.stopped(clock.now() - timedelta(days=30)):  # at the gateway money may be moved on after some days
        return payouts.earned(app, connect_account_id=ACCT)


def test_a_transfer_at_the_gateway_is_paid_once_and_its_movement_is_found(app: Flask, operator, connect) -> None:
    made = payouts.drawn(operator, funded(app))
    assert (made.way, made.state) == ("connect", "approved")
    refused(NothingToTransfer, service.put_in_file, operator, clock.today())
    refused(PayoutNotFound, payout.note_paid, operator, made.id, clock.today())
    payout.pursue()
    payout.pursue()
    payout.transfer(made.id)
    [report] = transfers()
    paid = payouts.now(made.id)
    assert (paid.state, paid.gateway_transfer_id, report.amount_minor) == ("paid", report.transfer_id, 19_800)
    market.learn()
    assert money.in_transit() == {}
    assert "Assets:Suspense" not in money.balances()
    money.assert_sound()


def test_what_the_gateway_refuses_fails_and_is_drawn_again(app: Flask, operator, connect, monkeypatch) -> None:
    provider = funded(app)
    payouts.account_of(provider, connect_account_id="acct_doesNotExist")
    made = payouts.drawn(operator, provider)
    create = StripeGateway.create_transfer

    def too_much(self, **said: object):
        return create(self, **(said | {"amount_minor": 10**11}))

    monkeypatch.setattr(StripeGateway, "create_transfer", too_much)
    payout.transfer(made.id)
    assert payouts.now(made.id).state == "failed"
    assert available(provider) == 19_800
    money.assert_sound()


def taken_back(transfer_id: str, yen: int) -> None:
    """Somebody takes back a transfer, or a part of it, in the gateway's own pages."""
    facilities.current().gateway._client.v1.transfers.reversals.create(transfer_id, {"amount": yen})


def test_a_transfer_taken_back_is_learnt_from_its_event_and_drawn_again(app: Flask, operator, connect) -> None:
    provider = funded(app)
    made = payouts.drawn(operator, provider)
    payout.transfer(made.id)
    [report] = transfers()
    taken_back(report.transfer_id, 800)
    payout.learn(report.transfer_id, "evt_1")
    assert payouts.now(made.id).state == "paid"
    taken_back(report.transfer_id, 19_000)
    for _ in range(2):
        payout.learn(report.transfer_id, "evt_2")
    assert (payouts.now(made.id).state, payouts.now(made.id).failure) == ("failed", "reversed")
    assert available(provider) == 19_800


def test_a_transfer_taken_back_in_parts_is_matched_with_all_of_them_together(app: Flask, operator, connect) -> None:
    provider = funded(app)
    made = payouts.drawn(operator, provider)
    payout.transfer(made.id)
    market.learn()
    [report] = transfers()
    for part in (800, 4_000):
        taken_back(report.transfer_id, part)
    payout.learn(report.transfer_id, "evt_1")
    with clock.stopped(clock.now() + balance_rules.GRACE * 2):
        market.learn()
        assert money.balances()["Assets:Suspense"] == -4_800
        taken_back(report.transfer_id, 15_000)
        payout.learn(report.transfer_id, "evt_2")
        market.learn()
    with clock.stopped(clock.now() + balance_rules.GRACE * 4):
        for _ in range(2):
            market.learn()
        assert "Assets:Suspense" not in money.balances()
        money.assert_sound()
    assert {one.state for one in balance_queries.list_movements().items} == {"matched"}
    assert (payouts.now(made.id).state, available(provider)) == ("failed", 19_800)


def test_events_of_other_things_change_nothing(app: Flask, operator, connect) -> None:
    funded(app)
    payout.transfer(payouts.drawn(operator, payouts.earned(app)).id)
    before = money.balances()
    payout.learn("po_1", "evt_1")
    gateway = facilities.current().gateway
    strange = gateway.create_transfer(transfer_id="x", destination=ACCT, amount_minor=1, idempotency_key="x")
    payout.learn(strange.transfer_id, "evt_1")
    assert money.balances() == before
    assert [one.state for one in db.session.scalars(select(Payout))] == ["approved"]


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("step", ["before", "asked", "answered", "forgotten"])
def test_a_process_that_dies_between_any_two_steps_moves_the_money_once(
    app: Flask, operator, connect, monkeypatch, step
) -> None:
    provider = funded(app)
    made = payouts.drawn(operator, provider)
    create, learnt = StripeGateway.create_transfer, payout._learn_report

    def dies_before(*_args: object, **_said: object):
        raise Killed

    def dies_after(self, **said: object):
        create(self, **said)
        raise Killed

    with monkeypatch.context() as patch:
        if step == "answered":
            patch.setattr(payout, "_learn_report", dies_before)
        else:
            patch.setattr(StripeGateway, "create_transfer", dies_before if step == "before" else dies_after)
        with pytest.raises(Killed):
            payout.transfer(made.id)
    assert learnt is payout._learn_report
    db.session.rollback()
    assert payouts.now(made.id).state == "sent"
    refused(PayoutMoved, service.cancel, operator, made.id)
    later = clock.now() + timedelta(hours=25 if step == "forgotten" else 1)
    with clock.stopped(later):
        payout.pursue()
    assert [report.amount_minor for report in transfers()] == [19_800]
    assert payouts.now(made.id).state == "paid"
    assert money.in_transit() == {}
    money.assert_sound()


def test_an_event_that_is_faster_than_the_answer_pays_the_payout(app: Flask, operator, connect, monkeypatch) -> None:
    made = payouts.drawn(operator, funded(app))
    create = StripeGateway.create_transfer

    def lost(self, **said: object):
        create(self, **said)
        raise Unavailable

    monkeypatch.setattr(StripeGateway, "create_transfer", lost)
    with pytest.raises(Unavailable):
        payout.transfer(made.id)
    payout.learn(transfers()[0].transfer_id, "evt_1")
    assert payouts.now(made.id).state == "paid"
