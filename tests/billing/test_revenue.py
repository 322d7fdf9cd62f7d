"""Revenue: by dataset, class of buyer and month, and the same as the ledger."""

import csv
import io
from datetime import date

from sqlalchemy.orm import Session

from marketplace.billing import postings, revenue
from marketplace.billing.states import Via
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.identity.states import Capacity
from tests.factories import money
from tests.factories.billing import TradedDatasetFactory
from tests.factories.identity import OrganizationFactory
from tests.factories.sales import Trade, give_back

AUDITOR = Actor("org_x", capacities=frozenset({Capacity.AUDITOR}))
OCTOBER, NOVEMBER = date(2026, 10, 31), date(2026, 11, 1)


def test_what_was_sold_is_split_by_month_dataset_and_class_of_buyer(session: Session) -> None:
    trade = Trade()
    city = OrganizationFactory(kind="municipality").id
    session.flush()
    trade.book(ref="ord_1", on=OCTOBER)
    trade.book(ref="ord_2", on=NOVEMBER)
    trade.buyer = city
    trade.book(ref="ord_3", on=NOVEMBER, nets={trade.datasets[0]: 2_000, trade.datasets[1]: 3_000})
    trade.book(ref="ord_4", on=NOVEMBER, via=Via.OUTSIDE)
    give_back(1_100, ref="ord_2", on=NOVEMBER)
    rows = revenue.list_revenue(on_behalf_of(trade.provider))
    told = [(row.month, row.buyer_kind, row.sales, row.net_yen, row.outside_yen, row.payable_yen) for row in rows]
    assert sorted(told) == [
        ("2026-10", "company", 1, 5_000, 0, 4_950),
        ("2026-11", "company", 1, 4_000, 0, 3_960),
        ("2026-11", "municipality", 1, 3_000, 0, 2_970),
        ("2026-11", "municipality", 2, 7_000, 5_500, 1_980),
    ]
    assert revenue.list_revenue(on_behalf_of(trade.provider), date_to=OCTOBER) == rows[:1]
    assert revenue.list_revenue(on_behalf_of(trade.provider), date_from=NOVEMBER) == rows[1:]
    assert revenue.list_revenue(on_behalf_of(city)) == []


def test_the_sums_of_all_reports_are_those_of_the_ledger(session: Session) -> None:
    trade = Trade()
    shares = ((trade.provider, 7_001), (trade.partner, 2_999))
    trade.book(trade.sale(9_999, 999, 999, 99, shares), ref="ord_1", on=OCTOBER)
    trade.book(ref="ord_2", via=Via.OUTSIDE)
    give_back(777, ref="ord_1")
    rows, books = revenue.list_revenue(AUDITOR), money.balances()
    assert {row.organization_id for row in rows} == {trade.provider, trade.partner}
    assert sum(row.commission_yen for row in rows) == -books[postings.FEE_INCOME]
    assert sum(row.commission_tax_yen for row in rows) == -books[postings.OUTPUT_TAX]
    for provider in (trade.provider, trade.partner):
        own = revenue.list_revenue(on_behalf_of(provider))
        assert own == [row for row in rows if row.organization_id == provider]
        assert sum(row.payable_yen for row in own) == -books[postings.provider_pending(provider)]


def test_the_csv_opens_in_spreadsheets_and_runs_nothing_there(session: Session) -> None:
    trade = Trade()
    hostile = TradedDatasetFactory(
        provider=None, organization_id=trade.provider, title_ja='=1+1,"人流"', title_en="@x"
    ).id
    session.flush()
    trade.book(nets={hostile: 5_000})
    content = b"".join(revenue.as_csv(revenue.list_revenue(AUDITOR)))
    assert content.startswith(b"\xef\xbb\xbfmonth,")
    [head, row] = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    said = dict(zip(head, row, strict=True))
    assert (said["title_ja"], said["title_en"]) == ('\'=1+1,"人流"', "'@x")
    assert (said["net_yen"], said["commission_tax_yen"], said["payable_yen"]) == ("5000", "50", "4950")
