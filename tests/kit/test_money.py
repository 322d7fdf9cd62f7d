"""Money: minor units by ISO 4217, and where the gateway counts otherwise."""

import pytest

from marketplace.kit import money
from marketplace.kit.money import MixedMoney, Money, UnknownCurrency


@pytest.mark.parametrize(
    ("currency", "iso", "gateway"),
    [
        ("JPY", 0, 0),
        ("KRW", 0, 0),
        ("USD", 2, 2),
        ("KWD", 3, 3),
        ("UGX", 0, 2),
        ("ISK", 0, 2),
        ("HUF", 2, 2),
        ("TWD", 2, 2),
        ("CLF", 4, 4),
    ],
)
def test_each_currency_has_its_decimals(currency: str, iso: int, gateway: int) -> None:
    assert money.decimals(currency) == iso
    assert money.gateway_decimals(currency) == gateway


@pytest.mark.parametrize(
    ("minor", "currency", "amount"),
    [(500, "JPY", 500), (500, "UGX", 50_000), (500, "ISK", 50_000), (1234, "USD", 1234), (1230, "KWD", 1230)],
)
def test_amounts_go_to_the_gateway_and_come_back(minor: int, currency: str, amount: int) -> None:
    assert money.to_gateway(minor, currency) == amount
    assert money.from_gateway(amount, currency) == minor


def test_what_the_gateway_cannot_count_is_refused() -> None:
    with pytest.raises(ValueError, match="last of three"):
        money.to_gateway(1234, "KWD")
    with pytest.raises(ValueError, match="fraction"):
        money.from_gateway(50_001, "UGX")


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (1234, "JPY", "1234"),
        (1234, "USD", "12.34"),
        (-5, "USD", "-0.05"),
        (1, "KWD", "0.001"),
        (2**53, "JPY", "9007199254740992"),
    ],
)
def test_amounts_are_written_with_all_their_decimals(minor: int, currency: str, shown: str) -> None:
    assert money.decimal_text(minor, currency) == shown


@pytest.mark.parametrize("currency", ["", "jpy", "YEN", "XXX", "US"])
def test_what_is_no_currency_is_refused(currency: str) -> None:
    assert not money.is_known(currency)
    with pytest.raises(UnknownCurrency):
        Money(1, currency)


def test_money_of_one_currency_adds_up() -> None:
    assert Money(5, "JPY") + Money(7, "JPY") == Money(12, "JPY")
    assert Money(5, "JPY") - Money(7, "JPY") == -Money(2, "JPY")
    assert Money(5, "JPY") < Money(7, "JPY") <= Money(7, "JPY")
    assert str(Money(1234, "USD")) == "12.34 USD"


@pytest.mark.parametrize("other", [Money(1, "USD"), 1, 1.0, None])
def test_money_is_not_mixed_with_other_units(other: object) -> None:
    for mix in (
        lambda: Money(1, "JPY") + other,
        lambda: Money(1, "JPY") - other,
        lambda: Money(1, "JPY") < other,
        lambda: Money(1, "JPY") <= other,
    ):
        with pytest.raises(MixedMoney):
            mix()
    assert Money(1, "JPY") != other


@pytest.mark.parametrize("minor", [1.0, True, "1", None])
def test_minor_units_are_whole_numbers(minor: object) -> None:
    with pytest.raises(MixedMoney):
        Money(minor, "JPY")
