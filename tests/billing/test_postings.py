"""Postings: every deed balances per currency, whatever the amounts, and moves just the accounts it should."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing import postings, shares, tax
from marketplace.billing.postings import CLEARING, Sale
from marketplace.billing.shares import alone
from marketplace.billing.states import SellerRole
from marketplace.billing.tax import Quote

amounts = st.integers(0, 10**12)
SALE = Sale(alone("org_p"), net=5000, tax=500, commission=500, commission_tax=50)
PART = shares.owed(SALE)
NOTHING = shares.owed(Sale(alone("org_p"), 0, 0, 0, 0))
HALVES = Sale((("org_p", 5000), ("org_q", 5000)), net=101, tax=10, commission=11, commission_tax=1)
AGENT, PRINCIPAL = SellerRole.AGENT, SellerRole.PRINCIPAL

# Event, what it books; debit positive.
EVENTS = {
    "sale by card": (
        postings.sold(PART, CLEARING, AGENT),
        {
            "Assets:Clearing:Stripe": 5500,
            "Liabilities:Provider:org_p:Pending": -4950,
            "Income:MarketplaceFee": -500,
            "Liabilities:ConsumptionTax:Output": -50,
        },
    ),
    "invoice issued": (
        postings.sold(PART, postings.receivable("org_b"), AGENT),
        {
            "Assets:Receivable:org_b": 5500,
            "Liabilities:Provider:org_p:Pending": -4950,
            "Income:MarketplaceFee": -500,
            "Liabilities:ConsumptionTax:Output": -50,
        },
    ),
    "sale that two share": (
        postings.sold(shares.owed(HALVES), CLEARING, AGENT),
        {
            "Assets:Clearing:Stripe": 111,
            "Liabilities:Provider:org_p:Pending": -50,
            "Liabilities:Provider:org_q:Pending": -49,
            "Income:MarketplaceFee": -11,
            "Liabilities:ConsumptionTax:Output": -1,
        },
    ),
    "sale paid outside": (
        postings.sold_outside(PART, AGENT),
        {"Assets:Receivable:org_p": 550, "Income:MarketplaceFee": -500, "Liabilities:ConsumptionTax:Output": -50},
    ),
    "sale as principal": (
        postings.sold(PART, CLEARING, PRINCIPAL),
        {
            "Assets:Clearing:Stripe": 5500,
            "Liabilities:Provider:org_p:Pending": -4950,
            "Income:Sales": -5000,
            "Liabilities:ConsumptionTax:Output": -500,
            "Expenses:CostOfSales": 4500,
            "Assets:ConsumptionTax:Input": 450,
        },
    ),
    "sale as principal paid outside": (
        postings.sold_outside(PART, PRINCIPAL),
        {
            "Assets:Receivable:org_p": 550,
            "Income:Sales": -5000,
            "Liabilities:ConsumptionTax:Output": -500,
            "Expenses:CostOfSales": 4500,
            "Assets:ConsumptionTax:Input": 450,
        },
    ),
    "refund while pending": (
        postings.taken_back(PART, postings.REFUNDS_IN_TRANSIT, AGENT, available=False),
        {
            "Liabilities:RefundsInTransit": -5500,
            "Liabilities:Provider:org_p:Pending": 4950,
            "Income:MarketplaceFee": 500,
            "Liabilities:ConsumptionTax:Output": 50,
        },
    ),
    "dispute lost after the release": (
        postings.taken_back(PART, postings.DISPUTES_HELD, AGENT, available=True),
        {
            "Assets:DisputesHeld": -5500,
            "Liabilities:Provider:org_p:Available": 4950,
            "Income:MarketplaceFee": 500,
            "Liabilities:ConsumptionTax:Output": 50,
        },
    ),
    "refund of what was paid outside": (
        postings.taken_back_outside(PART, AGENT),
        {"Assets:Receivable:org_p": -550, "Income:MarketplaceFee": 500, "Liabilities:ConsumptionTax:Output": 50},
    ),
    "invoice paid by card": (
        postings.invoice_paid(5500, "org_b"),
        {"Assets:Clearing:Stripe": 5500, "Assets:Receivable:org_b": -5500},
    ),
    "paid twice": (
        postings.paid_twice_by_card(5500, "org_b"),
        {"Assets:Clearing:Stripe": 5500, "Liabilities:Unapplied:org_b": -5500},
    ),
    "invoice paid by transfer": (
        postings.invoice_paid(5500, "org_b", postings.BANK),
        {"Assets:Bank": 5500, "Assets:Receivable:org_b": -5500},
    ),
    "transfer for nothing open": (
        postings.transfer_unapplied(500, "org_b"),
        {"Assets:Bank": 500, "Liabilities:Unapplied:org_b": -500},
    ),
    "transfer explained that pays nothing": (
        postings.transfer_unapplied(500, "org_b", postings.SUSPENSE),
        {"Assets:Suspense": 500, "Liabilities:Unapplied:org_b": -500},
    ),
    "transfer sent back to its payer": (
        postings.transfer_returned(500, "org_b"),
        {"Liabilities:Unapplied:org_b": 500, "Assets:Bank": -500},
    ),
    "transfer of nobody sent back": (
        postings.transfer_returned(500, None),
        {"Assets:Suspense": 500, "Assets:Bank": -500},
    ),
    "unapplied money used": (
        postings.unapplied_used(500, "org_b"),
        {"Liabilities:Unapplied:org_b": 500, "Assets:Receivable:org_b": -500},
    ),
    "unapplied money returned": (
        postings.unapplied_returned(500, "org_b"),
        {"Liabilities:Unapplied:org_b": 500, "Liabilities:RefundsInTransit": -500},
    ),
    "unexplained money": (postings.unexplained("Assets:Bank", 70), {"Assets:Bank": 70, "Assets:Suspense": -70}),
    "unexplained loss": (postings.unexplained("Assets:Bank", -70), {"Assets:Bank": -70, "Assets:Suspense": 70}),
    "money explained": (
        postings.explained("Liabilities:Unapplied:org_b", 70),
        {"Assets:Suspense": 70, "Liabilities:Unapplied:org_b": -70},
    ),
    "hold period over": (
        postings.hold_over({"org_p": 4950, "org_q": 1, "org_r": 0}),
        {
            "Liabilities:Provider:org_p:Pending": 4950,
            "Liabilities:Provider:org_p:Available": -4950,
            "Liabilities:Provider:org_q:Pending": 1,
            "Liabilities:Provider:org_q:Available": -1,
        },
    ),
    "gateway fee": (postings.processing_fee(198), {"Expenses:PaymentProcessing": 198, "Assets:Clearing:Stripe": -198}),
    "gateway fee returned": (
        postings.processing_fee_returned(198),
        {"Expenses:PaymentProcessing": -198, "Assets:Clearing:Stripe": 198},
    ),
    "gateway payout": (postings.gateway_payout(900), {"Assets:Bank": 900, "Assets:Clearing:Stripe": -900}),
    "gateway payout failed": (
        postings.gateway_payout_failed(900),
        {"Assets:Bank": -900, "Assets:Clearing:Stripe": 900},
    ),
    "refund settled": (
        postings.refund_settled(5500),
        {"Liabilities:RefundsInTransit": 5500, "Assets:Clearing:Stripe": -5500},
    ),
    "refund settled by bank": (
        postings.refund_settled(5500, postings.BANK),
        {"Liabilities:RefundsInTransit": 5500, "Assets:Bank": -5500},
    ),
    "refund bounced": (
        postings.refund_bounced(5500),
        {"Assets:Clearing:Stripe": 5500, "Liabilities:RefundsInTransit": -5500},
    ),
    "dispute opened": (
        postings.dispute_opened(5500, 1500),
        {"Assets:DisputesHeld": 5500, "Expenses:DisputeFee": 1500, "Assets:Clearing:Stripe": -7000},
    ),
    "dispute won": (postings.dispute_won(5500), {"Assets:Clearing:Stripe": 5500, "Assets:DisputesHeld": -5500}),
    "dispute won with its fee": (
        postings.dispute_won(5500, 1500),
        {"Assets:Clearing:Stripe": 7000, "Assets:DisputesHeld": -5500, "Expenses:DisputeFee": -1500},
    ),
    "payout created": (
        postings.payout_created("org_p", 4950),
        {"Liabilities:Provider:org_p:Available": 4950, "Liabilities:PayoutsInTransit": -4950},
    ),
    "payout paid": (postings.payout_paid(4950), {"Liabilities:PayoutsInTransit": 4950, "Assets:Bank": -4950}),
    "Connect transfer": (
        postings.payout_paid(4950, postings.CLEARING),
        {"Liabilities:PayoutsInTransit": 4950, "Assets:Clearing:Stripe": -4950},
    ),
    "payout failed": (
        postings.payout_failed("org_p", 4950),
        {"Liabilities:PayoutsInTransit": 4950, "Liabilities:Provider:org_p:Available": -4950},
    ),
    "payout returned": (
        postings.payout_returned("org_p", 4950),
        {"Assets:Bank": 4950, "Liabilities:Provider:org_p:Available": -4950},
    ),
    "commission tax rounded up": (
        postings.commission_tax_rounded(2),
        {"Expenses:Rounding": 2, "Liabilities:ConsumptionTax:Output": -2},
    ),
    "commission tax rounded down": (
        postings.commission_tax_rounded(-1),
        {"Expenses:Rounding": -1, "Liabilities:ConsumptionTax:Output": 1},
    ),
    "one yen": (postings.processing_fee(1), {"Expenses:PaymentProcessing": 1, "Assets:Clearing:Stripe": -1}),
    "nothing sold": (postings.sold(NOTHING, CLEARING, AGENT), {}),
    "nothing sold as principal": (postings.sold(NOTHING, CLEARING, PRINCIPAL), {}),
    "nothing paid": (postings.invoice_paid(0, "org_b"), {}),
    "nothing released": (postings.hold_over({"org_p": 0}), {}),
    "nothing exchanged": (postings.exchanged(0, "USD", 0), {}),
}


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_moves_its_accounts(event: str) -> None:
    entries, expected = EVENTS[event]
    assert dict(entries) == expected
    assert len(entries) == len(expected)
    assert sum(entry[1] for entry in entries) == 0


def test_money_is_changed_through_equity_so_that_each_currency_sums_to_zero() -> None:
    entries = postings.exchanged(1000, "USD", 150_000)
    assert entries == [
        ("Equity:Conversion:USD", 1000, "USD"),
        ("Assets:Clearing:Stripe:USD", -1000, "USD"),
        ("Assets:Clearing:Stripe", 150_000, "JPY"),
        ("Equity:Conversion:JPY", -150_000, "JPY"),
    ]
    for currency in ("USD", "JPY"):
        assert sum(entry[1] for entry in entries if entry[2] == currency) == 0


@pytest.mark.parametrize(
    ("net", "deducted", "basis_points", "commission", "commission_tax"),
    # The base is the net after deductions and before tax; both fees are floored.
    [
        (5000, 0, 1000, 500, 50),
        (5000, 1000, 1000, 400, 40),
        (99, 0, 1000, 9, 0),
        (9, 0, 1000, 0, 0),
        (105, 0, 333, 3, 0),
    ],
)
def test_the_base_of_the_commission_is_the_net_after_deductions(
    net, deducted, basis_points, commission, commission_tax
) -> None:
    quote = tax.quote(net - deducted, date(2026, 11, 22), seller_registered=True)
    sale = shares.sale_of(alone("org_p"), quote, basis_points, 1000)
    assert (sale.commission, sale.commission_tax) == (commission, commission_tax)


def quotes():
    return st.builds(lambda net: tax.quote(net, date(2026, 11, 22), seller_registered=True), amounts)


@given(
    quote=quotes(),
    commission=st.integers(0, 9000),
    fee_tax=st.sampled_from([0, 1000]),
    points=st.integers(1, 9999),
    role=st.sampled_from(SellerRole),
)
def test_every_sale_sums_to_zero_and_holds_no_empty_leg(quote, commission, fee_tax, points, role):
    sale = shares.sale_of((("org_p", points), ("org_q", 10_000 - points)), quote, commission, fee_tax)
    parts = shares.owed(sale)
    for entries in (
        postings.sold(parts, CLEARING, role),
        postings.sold(parts, postings.receivable("org_b"), role),
        postings.sold_outside(parts, role),
        postings.taken_back(parts, postings.BANK, role, available=True),
        postings.taken_back_outside(parts, role),
    ):
        assert sum(entry[1] for entry in entries) == 0
        assert all(entry[1] != 0 and isinstance(entry[1], int) for entry in entries)
        assert len(entries) != 1


@given(quote=quotes(), commission=st.integers(0, 9000))
def test_a_sale_loses_no_yen(quote: Quote, commission: int):
    sale = shares.sale_of(alone("org_p"), quote, commission, 1000)
    assert sale.payable + sale.commission + sale.commission_tax == quote.net_yen + quote.tax_yen == sale.gross


@pytest.mark.parametrize(
    "parts", [(-1, 0, 0, 0), (0, -1, 0, 0), (100, 10, -1, 0), (100, 10, 0, -1), (100, 10, 100, 11)]
)
def test_impossible_sales_are_refused(parts):
    with pytest.raises(ValueError, match=r"negative part|larger than"):
        Sale(alone("org_p"), *parts)


@pytest.mark.parametrize(
    "among",
    [
        (("org_p", 9999),),
        (("org_p", 5000), ("org_p", 5000)),
        (("org_p", 10_000), ("org_q", 0)),
        (("p", 10_001), ("q", -1)),
    ],
)
def test_impossible_shares_are_refused(among):
    with pytest.raises(ValueError, match="basis points"):
        Sale(among, 1, 0, 0, 0)


@pytest.mark.parametrize(
    "book",
    [
        lambda: postings.processing_fee(-1),
        lambda: postings.transfer_unapplied(-1, "org_b"),
        lambda: postings.dispute_opened(5, -1),
        lambda: postings.dispute_won(-5),
        lambda: postings.exchanged(-1, "USD", 5),
    ],
)
def test_negative_amounts_are_refused(book):
    with pytest.raises(ValueError, match="zero or more"):
        book()
