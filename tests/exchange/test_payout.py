"""Payouts: each yen that a provider earned goes to it once, with the papers that say so."""

from flask import Flask

from marketplace.billing import postings
from tests.factories import money, payouts


def test_what_is_drawn_sent_and_paid_leaves_the_bank_with_its_papers(app: Flask) -> None:
    operator = payouts.operator()
    provider = payouts.earned(app, 20_000)
    payout = payouts.paid(operator, provider)
    assert (payout.amount_yen, payout.state, payout.way) == (19_800, "paid", "bank")
    papers = payouts.papers_of(payout.id)
    statement, commission = papers["purchase_statement"], papers["commission_invoice"]
    assert (statement.amount_yen, commission.amount_yen) == (22_000, 2_200)
    balances = money.balances()
    assert balances["Assets:Bank"] == -19_800
    assert postings.provider_available(provider) not in balances
    assert money.in_transit() == {}
    money.assert_sound()
