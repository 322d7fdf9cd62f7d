"""Splitting: no yen is lost, none is made, whatever is split among whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing import shares
from marketplace.billing.shares import Part, Sale
from marketplace.billing.splitting import allocate

totals = st.integers(0, 2**53)
weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=12)


@given(total=totals, among=weights)
def test_parts_sum_to_the_whole_and_lie_within_one_of_their_share(total, among):
    parts = allocate(total, among)
    assert sum(parts) == total
    if any(among):
        for part, weight in zip(parts, among, strict=True):
            exact, rest = divmod(total * weight, sum(among))
            assert exact <= part <= exact + bool(rest)


@given(among=st.lists(st.integers(0, 10**9), min_size=1, max_size=12), data=st.data())
def test_no_part_exceeds_its_room(among, data):
    room = [data.draw(st.integers(0, 10**9)) for _one in among]
    total = data.draw(st.integers(0, sum(room)))
    parts = allocate(total, among, room)
    assert sum(parts) == total
    assert all(0 <= part <= space for part, space in zip(parts, room, strict=True))


@pytest.mark.parametrize(
    ("total", "among", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (101, [1, 1, 1], [34, 34, 33]),
        (1, [3333, 3333, 3334], [0, 0, 1]),
        (0, [1, 2], [0, 0]),
        (7, [0, 0], [4, 3]),
        (2**53, [1, 2], [3002399751580331, 6004799503160661]),
    ],
)
def test_the_largest_remainder_gets_what_is_left(total, among, parts):
    assert allocate(total, among) == parts


@pytest.mark.parametrize(
    ("total", "among", "room"),
    [(-1, [1], None), (1, [-1, 2], None), (1, [], None), (3, [1, 1], [1, 1]), (1, [1], [1, 1])],
)
def test_what_cannot_be_split_is_refused(total, among, room):
    with pytest.raises(ValueError, match=r"split|room"):
        allocate(total, among, room)


@st.composite
def sold(draw):
    points = draw(st.lists(st.integers(1, 100), min_size=1, max_size=5))
    basis = allocate(10_000 - len(points), points)
    net = draw(st.integers(0, 10**7))
    tax = draw(st.integers(0, net // 5))
    commission = draw(st.integers(0, net))
    commission_tax = draw(st.integers(0, min(tax, commission)))
    sale = Sale(tuple((f"org_{n}", one + 1) for n, one in enumerate(basis)), net, tax, commission, commission_tax)
    nets = allocate(net, draw(st.lists(st.integers(0, 9), min_size=1, max_size=4)))
    return sale, {f"ds_{n}": one for n, one in enumerate(nets)}


AMOUNTS = ("net", "tax", "commission", "commission_tax", "payable", "gross")


def total(parts: list[Part], name: str) -> int:
    return sum(getattr(part, name) for part in parts)


@given(trade=sold())
def test_the_parts_of_a_sale_are_the_sale_and_none_is_negative(trade):
    sale, nets = trade
    parts = shares.parts_of(sale, nets)
    for name in AMOUNTS:
        assert total(parts, name) == getattr(sale, name)
        assert all(getattr(part, name) >= 0 for part in parts)
    for whole in shares.owed(sale):
        own = [part for part in parts if part.provider == whole.provider]
        assert total(own, "payable") == whole.payable


@given(trade=sold(), data=st.data())
def test_random_refunds_sum_to_the_original_and_no_leg_gives_more_than_it_got(trade, data):
    sale, nets = trade
    left = shares.parts_of(sale, nets)
    for number in range(6):
        gross = total(left, "gross")
        amount = gross if number == 5 else data.draw(st.integers(0, gross))
        back = shares.take_back(amount, left)
        assert total(back, "gross") == amount
        for got, given_back in zip(left, back, strict=True):
            assert all(0 <= getattr(given_back, name) <= getattr(got, name) for name in AMOUNTS)
        left = [
            Part(one.provider, one.dataset, *(getattr(one, name) - getattr(gone, name) for name in AMOUNTS[:4]))
            for one, gone in zip(left, back, strict=True)
        ]
    assert all(total(left, name) == 0 for name in AMOUNTS)


def test_more_than_is_left_cannot_be_taken_back():
    with pytest.raises(ValueError, match="room"):
        shares.take_back(2, [Part("org_p", "ds_1", 1, 0, 0, 0)])
