"""Rating: what a price comes to. Pure and exact; only an invoice line is rounded."""

from collections.abc import Iterable
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, Inexact, localcontext

from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, UsageUnit

MEBIBYTE_BYTES = 2**20
WHOLE_BASIS_POINTS, BASIS_POINT_PLACES = 10_000, 4
# Dividing by 2**20 takes 20 decimals and a unit price has 12; 120 digits hold any usage. Inexact must never happen.
_EXACT = Context(prec=120, traps=[Inexact])
_WIDE = Context(prec=120)


def charge(price: Price, quantity: Decimal) -> Decimal:
    """Return the exact yen before tax of a whole, closed period in which ``quantity`` units were used.

    Sources of the formulas: docs.stripe.com/products-prices/pricing-models (``up_to`` is inclusive), and
    for flat fees of tiers Lago. What no usage at all costs is stated by ``flat_fee_at_zero``, since
    vendors disagree. 0 for prices that are not metered.
    """
    with localcontext(_EXACT):
        used = _charged_units(price, quantity)
        rated = _RATED[price.kind](price, used) if price.is_metered else Decimal(0)
        if price.is_metered and price.minimum_yen is not None:
            rated = max(rated, Decimal(price.minimum_yen))
        return _capped(price, rated)


def accrued(price: Price, quantity: Decimal) -> Decimal:
    """Return the exact yen that may be billed while the period still runs: never more than its ``charge`` will be.

    Rises with the quantity, so bills in between telescope. A volume price, a minimum and a flat fee for
    no usage are known only when the period is closed.
    """
    with localcontext(_EXACT):
        used = _charged_units(price, quantity)
        if not used or price.kind is PriceKind.VOLUME or not price.is_metered:
            return Decimal(0)
        return _capped(price, _RATED[price.kind](price, used))


def discounted(exact: Decimal, off: Iterable[int]) -> Decimal:
    """Return what is left of exact yen after shares in basis points come off, one after the other, exactly.

    The shares of an order never change, so what a period comes to still rises with its usage and bills telescope.
    """
    with localcontext(_EXACT):
        for points in off:
            exact = (exact * (WHOLE_BASIS_POINTS - points)).scaleb(-BASIS_POINT_PLACES)
        return exact


def quantity_of(unit: UsageUnit, count: int) -> Decimal:
    """Return a count of bytes (for MiB), rows, requests or downloads in units of the price, exactly."""
    _require_count("count", count)
    with localcontext(_EXACT):
        return Decimal(count) / MEBIBYTE_BYTES if unit is UsageUnit.MIB else Decimal(count)


def upfront_net_yen(price: Price, on: date) -> int:
    """Return what is due on the day of ordering, before tax: metered and free offers cost nothing yet.

    A fiscal-year subscription begun in mid-year costs the days that are left of it, floored; one that
    begins with a trial nothing.
    """
    if price.is_recurring and price.trial_days:
        return 0
    if price.kind is PriceKind.ONE_OFF or (price.is_recurring and not price.fiscal_year):
        return price.amount_yen
    if not price.is_recurring:
        return 0
    first, last = fiscal_year_of(on)
    return prorated_yen(price.amount_yen, (last - on).days + 1, (last - first).days + 1)


def fiscal_year_of(day: date) -> tuple[date, date]:
    """Return the first and last day of the Japanese fiscal year (会計年度, 地方自治法208条) that a day lies in."""
    begins = day.year if day.month >= 4 else day.year - 1
    return date(begins, 4, 1), date(begins + 1, 3, 31)


def prorated_yen(amount_yen: int, days: int, days_total: int) -> int:
    """Return the share of an amount that falls on some days of a term, floored."""
    if not 0 <= days <= days_total or not days_total:
        raise ValueError(f"{days} days are no part of {days_total}")
    return amount_yen * days // days_total


def sum_exact(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum; plain ``+`` and ``sum`` round to 28 digits in Python's default context."""
    with localcontext(_EXACT):
        return sum(amounts, Decimal(0))


def line_yen(exact: Decimal) -> int:
    """Return the yen of one invoice line: the exact amount, floored once."""
    if exact < 0:
        raise ValueError("an invoice line is not negative: corrections are credit notes")
    return int(exact.to_integral_value(rounding=ROUND_FLOOR, context=_WIDE))


def whole_yen_up(exact: Decimal) -> int:
    """Return exact yen as whole ones that are not less: for what may become due, never for what is billed."""
    return int(exact.to_integral_value(rounding=ROUND_CEILING, context=_WIDE))


def _charged_units(price: Price, quantity: Decimal) -> Decimal:
    if not isinstance(quantity, Decimal) or not quantity.is_finite() or quantity < 0:
        raise ValueError(f"a quantity is a decimal, zero or more: {quantity!r}")
    return max(quantity - price.included_units, Decimal(0))


def _capped(price: Price, rated: Decimal) -> Decimal:
    return rated if price.maximum_yen is None else min(rated, Decimal(price.maximum_yen))


def _per_unit(price: Price, used: Decimal) -> Decimal:
    return used * price.unit_yen


def _graduated(price: Price, used: Decimal) -> Decimal:
    if not used:
        return price.tiers[0].flat_yen if price.flat_fee_at_zero else Decimal(0)
    total, reached = Decimal(0), Decimal(0)
    for tier in price.tiers:
        end = used if tier.up_to is None else min(used, tier.up_to)
        total += (end - reached) * tier.unit_yen + tier.flat_yen
        reached = end
        if reached == used:
            break
    return total


def _volume(price: Price, used: Decimal) -> Decimal:
    if not used and not price.flat_fee_at_zero:
        return Decimal(0)
    tier = next(tier for tier in price.tiers if tier.up_to is None or used <= tier.up_to)
    return used * tier.unit_yen + tier.flat_yen


def _package(price: Price, used: Decimal) -> Decimal:
    begun = used // price.package_size + (1 if used % price.package_size else 0)
    return begun * price.amount_yen


_RATED = {
    PriceKind.PER_UNIT: _per_unit,
    PriceKind.GRADUATED: _graduated,
    PriceKind.VOLUME: _volume,
    PriceKind.PACKAGE: _package,
}


def _require_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} must be a whole number, zero or more: {value!r}")
