"""Japanese consumption tax (消費税) and the commission. Pure, integer yen, one rounding per invoice and rate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

# Rates by the day they came into force, in basis points (消費税法29条 and its amendments).
STANDARD_RATES = (
    (date(2019, 10, 1), 1000),
    (date(2014, 4, 1), 800),
    (date(1997, 4, 1), 500),
    (date(1989, 4, 1), 300),
)
WHOLE = 10_000


class Rounding(StrEnum):
    """How an issuer turns the tax of one rate into whole yen: down, to the nearest, or up (基通1-8-15)."""

    FLOOR = "floor"
    HALF_UP = "half_up"
    CEIL = "ceil"


@dataclass(frozen=True, slots=True)
class RateTotal:
    """The net total of one rate on one invoice, and its tax, rounded once."""

    rate_basis_points: int
    net_yen: int
    tax_yen: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What a buyer is asked to pay for one thing."""

    net_yen: int
    tax_yen: int
    rate_basis_points: int

    @property
    def gross_yen(self) -> int:
        """Net and tax together: what the card is charged."""
        return self.net_yen + self.tax_yen


def rate_on(day: date) -> int:
    """Return the standard rate in basis points on the day of the transaction; ValueError before 1989-04-01."""
    for start, rate in STANDARD_RATES:
        if day >= start:
            return rate
    raise ValueError(f"there was no consumption tax on {day}")


def tax_on(net_yen: int, rate_basis_points: int, rounding: Rounding = Rounding.FLOOR) -> int:
    """Return the tax on a net total; call it once per invoice and rate, never per line."""
    _require_yen(net_yen)
    return _divided(net_yen * rate_basis_points, WHOLE, rounding)


def totals(lines: Iterable[tuple[int, int]], rounding: Rounding = Rounding.FLOOR) -> list[RateTotal]:
    """Sum lines of (net yen, rate) per rate and round each tax once, highest rate first.

    消費税法施行令70条の10 allows one rounding per invoice and rate; rounding each line is not allowed.
    """
    nets: dict[int, int] = {}
    for net_yen, rate in lines:
        nets[rate] = nets.get(rate, 0) + net_yen
    return [RateTotal(rate, net, tax_on(net, rate, rounding)) for rate, net in sorted(nets.items(), reverse=True)]


def quote(net_yen: int, day: date, *, seller_registered: bool, rounding: Rounding = Rounding.FLOOR) -> Quote:
    """Return net, tax and rate of one sale; an unregistered seller (免税事業者) charges no tax."""
    rate = rate_on(day) if seller_registered else 0
    return Quote(net_yen, tax_on(net_yen, rate, rounding), rate)


def commission_on(net_yen: int, commission_basis_points: int) -> int:
    """Return the exchange's commission (販売手数料) on a net price, floored."""
    return tax_on(net_yen, commission_basis_points)


def transitional_percent(day: date, table: Sequence[tuple[date, int]]) -> int:
    """Return the share of tax that a buyer may deduct though the seller is unregistered (経過措置), in percent.

    ``table`` says until which day each share holds, in order; after its last day nothing may be deducted.
    """
    return next((percent for last, percent in table if day <= last), 0)


def _divided(part: int, whole: int, rounding: Rounding) -> int:
    floor, rest = divmod(part, whole)
    if rounding is Rounding.CEIL:
        return floor + (rest > 0)
    return floor + (rounding is Rounding.HALF_UP and 2 * rest >= whole)


def _require_yen(amount: int) -> None:
    if isinstance(amount, bool) or not isinstance(amount, int) or amount < 0:
        raise ValueError(f"yen are whole numbers, zero or more: {amount!r}")
