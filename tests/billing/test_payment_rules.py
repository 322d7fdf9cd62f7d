"""A payment's state is a function of the set of its facts; payers return only to us."""

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing import rules
from marketplace.billing.errors import ForeignReturnUrl
from marketplace.billing.rules import Fact
from marketplace.billing.states import FactKind, PaymentState

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
RANK = {state: rank for rank, state in enumerate(PaymentState)}


def fact(kind, amount=5500, currency="JPY", object_id="cs_1", event_id=None):
    return Fact(kind, object_id, amount, currency, AT, event_id)


facts = st.builds(
    fact,
    kind=st.sampled_from(FactKind),
    amount=st.sampled_from([5500, 5499, 55, None]),
    currency=st.sampled_from(["JPY", "USD"]),
    object_id=st.sampled_from(["cs_1", "pi_1", "ch_1"]),
)


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ([], PaymentState.CREATED),
        ([FactKind.SESSION_OPENED], PaymentState.OPEN),
        ([FactKind.INTENT_FAILED], PaymentState.CREATED),
        ([FactKind.SESSION_OPENED, FactKind.INTENT_FAILED], PaymentState.OPEN),
        ([FactKind.CHARGE_FEE], PaymentState.CREATED),
        ([FactKind.SESSION_OPENED, FactKind.SESSION_COMPLETED_UNPAID], PaymentState.PROCESSING),
        ([FactKind.SESSION_COMPLETED_UNPAID, FactKind.SESSION_ASYNC_FAILED], PaymentState.FAILED),
        ([FactKind.SESSION_OPENED, FactKind.SESSION_EXPIRED], PaymentState.EXPIRED),
        ([FactKind.SESSION_COMPLETED_PAID], PaymentState.PAID),
        ([FactKind.INTENT_SUCCEEDED], PaymentState.PAID),
        ([FactKind.SESSION_COMPLETED_PAID, FactKind.SESSION_EXPIRED, FactKind.INTENT_FAILED], PaymentState.PAID),
        ([FactKind.SESSION_ASYNC_FAILED, FactKind.INTENT_SUCCEEDED], PaymentState.PAID),
    ],
)
def test_facts_amount_to_a_state_in_any_order(kinds, state):
    for order in itertools.permutations([fact(kind) for kind in kinds]):
        assert rules.payment_state(5500, "JPY", order) is state


@pytest.mark.parametrize(("amount", "currency"), [(5499, "JPY"), (550_000, "JPY"), (5500, "USD"), (None, "JPY")])
def test_other_money_than_asked_for_is_held(amount, currency):
    assert rules.payment_state(5500, "JPY", [fact(FactKind.SESSION_COMPLETED_PAID, amount, currency)]) == "held"


@given(known=st.lists(facts, max_size=12), seed=st.randoms())
def test_order_and_repetition_of_facts_do_not_matter(known, seed):
    shuffled = [*known, *known[: len(known) // 2]]
    seed.shuffle(shuffled)
    assert rules.payment_state(5500, "JPY", shuffled) == rules.payment_state(5500, "JPY", known)


@given(known=st.lists(facts, max_size=12), more=facts)
def test_another_fact_never_lowers_the_state(known, more):
    before = rules.payment_state(5500, "JPY", known)
    assert RANK[rules.payment_state(5500, "JPY", [*known, more])] >= RANK[before]


@pytest.mark.parametrize(
    "url",
    [
        "https://exchange.example.jp/orders/ord_1?session={CHECKOUT_SESSION_ID}",
        "https://exchange.example.jp",
        "https://exchange.example.jp/注文",
    ],
)
def test_payers_may_return_to_our_own_pages(url):
    assert rules.require_own_url(url, "https://exchange.example.jp") == url


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://exchange.example.jp/",
        "https://exchange.example.jp.evil.example/",
        "https://exchange.example.jp@evil.example/",
        "https://exchange.example.jp:8443/",
        "//evil.example",
        "/orders",
        "javascript:alert(1)",
        "https://exchange.example.jp\\@evil.example/",
        "https://exchange.example.jp/\n",
        " https://exchange.example.jp/",
        "https://[bad/",
        "",
    ],
)
def test_payers_are_sent_nowhere_else(url):
    with pytest.raises(ForeignReturnUrl):
        rules.require_own_url(url, "https://exchange.example.jp")
