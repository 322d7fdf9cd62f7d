"""Postings: every deed balances, whatever the amounts."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing import postings, tax
from marketplace.billing.postings import Sale
from marketplace.billing.shares import alone
from marketplace.billing.tax import Quote

amounts = st.integers(0, 10**12)


def quotes():
    return st.builds(lambda net: tax.quote(net, date(2026, 11, 22), seller_registered=True), amounts)


def test_a_card_sale_is_split_between_provider_exchange_and_tax_office():
    sale = postings.sale_of(alone("org_p"), Quote(5000, 500, 1000), 1000, 1000)
    assert postings.card_sale(sale) == [
        ("Assets:Clearing:Stripe", 5500),
        ("Liabilities:Provider:org_p:Pending", -4950),
        ("Income:MarketplaceFee", -500),
        ("Liabilities:ConsumptionTax:Output", -50),
    ]


def test_an_invoiced_sale_is_owed_by_the_buyer_until_it_is_paid():
    sale = Sale(alone("org_p"), net=5000, tax=500, commission=500, commission_tax=50)
    assert postings.invoice_issued(sale, "org_b")[0] == ("Assets:Receivable:org_b", 5500)
    assert postings.invoice_paid_by_card(5500, "org_b") == [
        ("Assets:Clearing:Stripe", 5500),
        ("Assets:Receivable:org_b", -5500),
    ]


def test_the_gateway_keeps_its_fee_back():
    assert postings.processing_fee(198) == [("Expenses:PaymentProcessing", 198), ("Assets:Clearing:Stripe", -198)]


def test_nothing_sold_and_nothing_paid_books_nothing():
    assert postings.card_sale(Sale(alone("org_p"), 0, 0, 0, 0)) == []
    assert postings.invoice_paid_by_card(0, "org_b") == []
    assert postings.processing_fee(0) == []


def test_a_small_sale_has_no_empty_legs():
    assert postings.card_sale(postings.sale_of(alone("org_p"), Quote(9, 0, 1000), 1000, 1000)) == [
        ("Assets:Clearing:Stripe", 9),
        ("Liabilities:Provider:org_p:Pending", -9),
    ]


@given(quote=quotes(), commission=st.integers(0, 9000), fee_tax=st.sampled_from([0, 1000]), fee=amounts)
def test_every_posting_sums_to_zero_and_holds_no_empty_leg(quote, commission, fee_tax, fee):
    sale = postings.sale_of(alone("org_p"), quote, commission, fee_tax)
    for entries in (
        postings.card_sale(sale),
        postings.invoice_issued(sale, "org_b"),
        postings.invoice_paid_by_card(sale.gross, "org_b"),
        postings.processing_fee(fee),
    ):
        assert sum(amount for _account, amount in entries) == 0
        assert all(amount != 0 and isinstance(amount, int) for _account, amount in entries)
        assert len(entries) != 1


@given(quote=quotes(), commission=st.integers(0, 9000))
def test_a_sale_loses_no_yen(quote, commission):
    sale = postings.sale_of(alone("org_p"), quote, commission, 1000)
    assert sale.payable + sale.commission + sale.commission_tax == quote.net_yen + quote.tax_yen == sale.gross


@pytest.mark.parametrize(
    "parts", [(-1, 0, 0, 0), (0, -1, 0, 0), (100, 10, -1, 0), (100, 10, 0, -1), (100, 10, 100, 11)]
)
def test_impossible_sales_are_refused(parts):
    with pytest.raises(ValueError, match=r"negative part|larger than"):
        Sale(alone("org_p"), *parts)


def test_negative_amounts_are_refused():
    with pytest.raises(ValueError, match="zero or more"):
        postings.processing_fee(-1)
