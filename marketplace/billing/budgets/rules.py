"""What usage that is not settled yet may come to: pure, and never less than its settlement."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from marketplace.billing import pricing
from marketplace.billing.budgets.states import BudgetPeriod
from marketplace.licensing.prices import Price

PERCENTS = (50, 80, 100)
"""The shares of its limit at which the owners of a budget are told."""
BUDGETS_MAX, GRANTS_MAX = 50, 1000
NAME_LENGTH_MAX = 100
YEN_MAX = 10**15
"""A thousand times any limit: what comes to more is counted as this much."""


@dataclass(frozen=True, slots=True)
class BudgetDraft:
    """A budget to be set; ``grant_ids`` None means all grants, also those to come."""

    name: str
    limit_yen: int
    period: BudgetPeriod = BudgetPeriod.MONTH
    grant_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Worth:
    """How a grant is charged: its price, and the basis points that its order takes off, in their order."""

    price: Price
    off: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Spent:
    """Whole yen, rounded up: what was used, and what running downloads may add to it."""

    yen_used: int
    yen_held: int


def period_of(period: BudgetPeriod, month: date) -> str:
    """Return the name of the period of a budget that a month belongs to."""
    return f"{month:%Y-%m}" if period is BudgetPeriod.MONTH else period.value


def charged(worth: Worth, count: int) -> Decimal:
    """Return what a closed period of that many bytes, rows, requests or downloads costs exactly, less its discounts."""
    return _charged(worth, _quantity(worth.price, count))


def spent(worth: Worth, used: int, held: int, yen_before: Decimal = Decimal(0)) -> Spent:
    """Return what ``used`` units come to, and what they may come to with any part of ``held`` more.

    A volume price may fall as usage rises, and downloads may break off anywhere, so what is held is measured
    at the dearest quantity in between. ``yen_before`` was counted in earlier months.
    """
    now = _whole(charged(worth, used), yen_before)
    most = max(_charged(worth, quantity) for quantity in _peaks(worth.price, used, used + held))
    return Spent(now, max(_whole(most, yen_before) - now, 0))


def reached(limit_yen: int, yen: int) -> list[int]:
    """Return the percents of its limit that a budget has reached."""
    return [percent for percent in PERCENTS if yen >= limit_yen * Fraction(percent, 100)]


def _peaks(price: Price, low: int, high: int) -> Iterator[Decimal]:
    """Where the price may be dearest between two counts: within a tier it rises, so at its end."""
    least, most = _quantity(price, low), _quantity(price, high)
    yield least
    yield most
    ends = (tier.up_to + price.included_units for tier in price.tiers if tier.up_to is not None)
    yield from (end for end in ends if least < end < most)


def _quantity(price: Price, count: int) -> Decimal:
    if price.unit is None:
        raise ValueError("only a price by units is counted")
    return pricing.quantity_of(price.unit, count)


def _charged(worth: Worth, quantity: Decimal) -> Decimal:
    return pricing.discounted(pricing.charge(worth.price, quantity), worth.off)


def _whole(exact: Decimal, before: Decimal) -> int:
    return min(max(pricing.whole_yen_up(pricing.sum_exact([exact, before.copy_negate()])), 0), YEN_MAX)
