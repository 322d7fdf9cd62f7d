"""Sales: every yen has an owner; what goes back goes back leg by leg, and never more than came."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace.billing import ledger_checks, ledger_queries, postings, sales
from marketplace.billing.errors import LedgerConflict, NotRestorable, ReversalTooLarge
from marketplace.billing.states import Via
from marketplace.identity.actors import SYSTEM
from marketplace.kit import settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.identity import OrganizationFactory
from tests.factories.sales import DAY, REF, Trade, earnings, give_back, restore

HOLD = timedelta(days=7)


def balances() -> dict[str, int]:
    return {account.code: account.balance_minor for account in ledger_queries.trial_balance().accounts}


def unsound() -> list[str]:
    db.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    checks = (ledger_checks.check_seals, ledger_checks.check_transit, ledger_checks.check_sales)
    return [str(finding) for check in (*checks, ledger_checks.check_providers) for finding in check()]


@pytest.fixture
def trade(session: Session) -> Trade:
    made = Trade()
    made.book(ref="ord_noise", nets={made.datasets[1]: 5000})
    return made


@pytest.fixture
def principal(session: Session):
    before = settings.current()
    from dataclasses import replace

    settings.install(replace(before, seller="principal"))
    yield
    settings.install(before)


def test_a_sale_and_all_it_earns_is_one_statement(trade: Trade, session: Session) -> None:
    asked: list[str] = []
    event.listen(session.connection(), "before_cursor_execute", lambda *given: asked.append(given[2]))
    both = {trade.datasets[0]: 4000, trade.datasets[1]: 1000}
    txn_id = trade.book(trade.sale(shares=((trade.provider, 7000), (trade.partner, 3000))), nets=both)
    assert len(asked) == 1
    assert trade.book(trade.sale(shares=((trade.provider, 7000), (trade.partner, 3000))), nets=both) == txn_id
    assert len(asked) == 2
    assert [earning.txn_id for earning in earnings(ref=REF)] == [txn_id] * 4


def test_a_sale_is_booked_with_what_it_earns(trade: Trade) -> None:
    txn_id = trade.book()
    [earning] = earnings(ref=REF)
    assert (earning.txn_id, earning.kind, earning.via, earning.role) == (txn_id, "sale", "gateway", "agent")
    assert (earning.net_yen, earning.tax_yen, earning.commission_yen, earning.commission_tax_yen) == (
        5000,
        500,
        500,
        50,
    )
    assert (earning.payable_yen, earning.available_on, earning.released_on) == (4950, DAY + HOLD, None)
    assert (earning.organization_id, earning.dataset_id) == (trade.provider, trade.datasets[0])
    assert trade.book() == txn_id
    assert len(earnings(ref=REF)) == 1
    assert unsound() == []


def test_a_sale_key_with_another_sale_behind_it_is_refused(trade: Trade) -> None:
    trade.book()
    with pytest.raises(LedgerConflict):
        trade.book(trade.sale(5001))
    assert len(earnings(ref=REF)) == 1


def test_a_sale_of_nothing_leaves_a_row_but_no_posting(trade: Trade) -> None:
    assert trade.book(trade.sale(0, 0, 0, 0)) is None
    assert [earning.payable_yen for earning in earnings(ref=REF)] == [0]


@pytest.mark.parametrize("yen", [1, 2**53 - 2])
def test_one_yen_and_as_many_as_a_double_can_count_are_sold_and_given_back(trade: Trade, yen: int) -> None:
    trade.book(trade.sale(yen, 0, 0, 0), ref="ord_2")
    assert (
        sales.reverse(
            SYSTEM, ref="ord_2", amount_yen=yen, credit_to=postings.BANK, kind="refund", idem="refund:r", on=DAY
        ).gross
        == yen
    )
    assert unsound() == []


def test_three_share_a_sale_by_largest_remainder(trade: Trade) -> None:
    third = OrganizationFactory().id
    shares = ((trade.provider, 3334), (trade.partner, 3333), (third, 3333))
    trade.book(trade.sale(1000, 100, 100, 10, shares))
    paid = [trade.pending(provider) for provider in (trade.provider, trade.partner, third)]
    assert paid == [330 + 4950, 330, 330]
    trade.book(trade.sale(101, 10, 10, 1, shares), ref="ord_2")
    payable = {one.organization_id: one.payable_yen for one in earnings(ref="ord_2")}
    assert [payable[provider] for provider, _points in shares] == [34, 33, 33]
    assert unsound() == []


def test_each_dataset_of_an_invoice_earns_its_own_net(trade: Trade) -> None:
    first, second = trade.datasets
    trade.book(trade.sale(1000, 100, 100, 10), nets={first: 333, second: 667})
    rows = {row.dataset_id: row for row in earnings(ref=REF)}
    assert (rows[first].net_yen, rows[second].net_yen) == (333, 667)
    assert sum(row.payable_yen for row in rows.values()) == 990
    with pytest.raises(ValueError, match="nets of the datasets"):
        trade.book(trade.sale(1000, 100, 100, 10), ref="ord_x", nets={first: 333})


def test_what_is_paid_outside_leaves_only_the_commission_to_be_paid_by_the_provider(trade: Trade) -> None:
    trade.book(via=Via.OUTSIDE)
    assert ledger_queries.balance_of(postings.receivable(trade.provider)) == 550
    assert trade.pending() == 4950  # the other sale
    assert [row.payable_yen for row in earnings(ref=REF)] == [0]
    give_back(5500)
    assert ledger_queries.balance_of(postings.receivable(trade.provider)) == 0
    assert ledger_queries.balance_of(postings.REFUNDS_IN_TRANSIT) == 0
    assert unsound() == []


def test_as_principal_the_exchange_sells_the_whole_and_buys_what_it_owes_the_provider(trade: Trade, principal) -> None:
    before = balances()
    trade.book()
    moved = {code: total - before.get(code, 0) for code, total in balances().items() if total != before.get(code, 0)}
    assert moved == {
        "Assets:Clearing:Stripe": 5500,
        postings.provider_pending(trade.provider): -4950,
        "Income:Sales": -5000,
        "Liabilities:ConsumptionTax:Output": -500,
        "Expenses:CostOfSales": 4500,
        "Assets:ConsumptionTax:Input": 450,
    }
    for number, amount in enumerate((1, 2000, 3499)):
        give_back(amount, idem=f"refund:{number}")
    left = {code: total - before.get(code, 0) for code, total in balances().items() if total != before.get(code, 0)}
    assert left == {"Assets:Clearing:Stripe": 5500, "Liabilities:RefundsInTransit": -5500}
    assert unsound() == []


def test_a_partial_refund_takes_from_every_leg_its_part(trade: Trade) -> None:
    trade.book()
    back = give_back(1100)
    assert (back.net, back.tax, back.commission, back.commission_tax, back.gross) == (1000, 100, 100, 10, 1100)
    assert trade.pending() == 2 * 4950 - 990
    assert balances()["Liabilities:RefundsInTransit"] == -1100
    assert give_back(1100) == back
    with pytest.raises(LedgerConflict):
        give_back(1101)
    assert unsound() == []


def test_three_partial_refunds_sum_to_the_original_and_a_fourth_is_refused(trade: Trade) -> None:
    trade.book(trade.sale(1001, 100, 100, 10))
    for number, amount in enumerate((367, 367, 367)):
        give_back(amount, idem=f"refund:{number}")
    with pytest.raises(ReversalTooLarge) as refused:
        give_back(1, idem="refund:4")
    assert refused.value.members["left_yen"] == 0
    rows = earnings(ref=REF)
    for column in ("net_yen", "tax_yen", "commission_yen", "commission_tax_yen", "payable_yen"):
        assert sum(getattr(row, column) for row in rows) == 0
    assert unsound() == []


@pytest.mark.parametrize("amount", [0, -1, 5501])
def test_nothing_less_than_nothing_and_too_much_are_not_taken_back(trade: Trade, amount: int) -> None:
    trade.book()
    with pytest.raises(ReversalTooLarge):
        give_back(amount)
    with pytest.raises(ReversalTooLarge):
        give_back(1, ref="ord_unknown")
    assert len(earnings(ref=REF)) == 1


def test_a_failed_refund_is_restored_to_the_yen_once(trade: Trade) -> None:
    trade.book()
    before = balances()
    give_back(333)
    assert restore().gross == 333
    assert restore().gross == 333
    assert balances() == before | {"Liabilities:RefundsInTransit": 0}
    with pytest.raises(NotRestorable):
        restore("refund_failed:again")
    with pytest.raises(NotRestorable):
        restore("other", of="refund:unknown")
    assert give_back(5500, idem="refund:2").gross == 5500
    assert unsound() == []


def test_money_is_drawn_after_the_hold_period_and_not_before(trade: Trade) -> None:
    trade.book(on=DAY + timedelta(days=1))
    give_back(1100)
    assert sales.release_due(SYSTEM, DAY + HOLD - timedelta(days=1)) == 0
    assert trade.available() == 0
    assert sales.release_due(SYSTEM, DAY + HOLD) == 1
    assert (trade.available(), trade.pending()) == (4950, 4950 - 990)
    assert sales.release_due(SYSTEM, DAY + HOLD + timedelta(days=1)) == 1
    assert (trade.available(), trade.pending()) == (2 * 4950 - 990, 0)
    assert sales.release_due(SYSTEM, DAY + timedelta(days=99)) == 0
    assert unsound() == []


def test_a_release_takes_no_more_sales_than_it_is_told_to_and_the_oldest_first(trade: Trade) -> None:
    trade.book()
    sales.release_due(SYSTEM, DAY + HOLD - timedelta(days=1))
    assert sales.release_due(SYSTEM, DAY + HOLD, 1) == 1
    assert sales.release_due(SYSTEM, DAY + HOLD, 1) == 1
    assert sales.release_due(SYSTEM, DAY + HOLD, 1) == 0
    assert (trade.available(), trade.pending()) == (2 * 4950, 0)
    assert unsound() == []


def test_what_is_taken_back_after_the_release_comes_from_what_is_available_and_returns_there(trade: Trade) -> None:
    trade.book()
    sales.release_due(SYSTEM, DAY + HOLD)
    give_back(5500)
    assert (trade.available(), trade.pending()) == (4950, 0)
    restore()
    assert trade.available() == 2 * 4950
    assert unsound() == []


def test_a_receivable_waits_for_its_payment(trade: Trade) -> None:
    trade.book(via=Via.RECEIVABLE)
    assert ledger_queries.balance_of(postings.receivable(trade.buyer)) == 5500
    assert sales.release_due(SYSTEM, DAY + timedelta(days=99)) == 1  # the noise
    assert sales.make_available(REF, DAY + timedelta(days=30)) == 1
    assert sales.make_available(REF, DAY) == 0
    assert earnings(ref=REF)[0].available_on == DAY + timedelta(days=37)
    assert sales.release_due(SYSTEM, DAY + timedelta(days=36)) == 0
    assert sales.release_due(SYSTEM, DAY + timedelta(days=37)) == 1
    assert unsound() == []


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE earning SET payable_yen = payable_yen + 1, net_yen = net_yen + 1",
        "UPDATE earning SET available_on = '2020-01-01'",
        "DELETE FROM earning",
        "TRUNCATE earning",
        "UPDATE earning SET released_on = NULL",
    ],
)
def test_the_database_refuses_to_falsify_earnings(trade: Trade, session: Session, attack: str) -> None:
    sales.release_due(SYSTEM, DAY + HOLD)
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(text(attack))
    assert unsound() == []


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=20, derandomize=True
)
@given(data=st.data())
def test_any_refunds_of_any_sale_end_at_exactly_nothing(trade: Trade, session: Session, data) -> None:
    with session.begin_nested() as savepoint:
        points = data.draw(st.integers(1, 9999))
        net = data.draw(st.integers(0, 5000))
        tax = net // 10
        commission = net * data.draw(st.integers(0, 9000)) // 10_000
        first = data.draw(st.integers(0, net))
        shares = ((trade.provider, points), (trade.partner, 10_000 - points))
        sale = trade.sale(net, tax, commission, commission // 10, shares)
        trade.book(sale, nets=dict(zip(trade.datasets, (first, net - first), strict=True)))
        left, number = sale.gross, 0
        while left:
            amount = data.draw(st.integers(1, left)) if number < 5 else left
            number += 1
            back = give_back(amount, idem=f"refund:{number}")
            assert back.gross == amount
            assert min((leg.payable, leg.net, leg.tax, leg.commission) for leg in back.legs) >= (0, 0, 0, 0)
            if number == 2:
                restore(f"refund_failed:{number}", of=f"refund:{number}")
                left += amount
            left -= amount
        assert trade.pending() == 4950
        assert trade.pending(trade.partner) == 0
        assert [finding for finding in unsound() if "transit" not in finding] == []
        savepoint.rollback()


def test_eight_refunds_at_once_give_back_no_yen_too_much(own_database: Flask) -> None:
    with transaction():
        trade = Trade()
        trade.book()

    def work(number: int) -> int:
        try:
            with own_database.app_context(), transaction():
                return give_back(1000, idem=f"refund:{number}").gross
        except ReversalTooLarge:
            return 0

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 5000
    assert balances()["Liabilities:RefundsInTransit"] == -5000


def test_eight_releases_at_once_release_each_sale_once(own_database: Flask) -> None:
    with transaction():
        trade = Trade()
        first, second = trade.datasets
        for number in range(6):
            trade.book(ref=f"ord_{number}", nets={first: 2000, second: 3000})

    def work(_number: int) -> int:
        with own_database.app_context(), transaction():
            return sales.release_due(SYSTEM, DAY + HOLD)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 6
    assert (trade.pending(), trade.available()) == (0, 6 * 4950)
