"""Prices: what data may cost, read strictly and written canonically. Pure; ``billing.pricing`` computes with them."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from marketplace.kit.money import AMOUNT_MAX
from marketplace.licensing import reading
from marketplace.licensing.states import BillingPeriod, DownloadDue, PriceKind, UsageUnit

TIERS_MAX = 100
TERM_MONTHS_MAX = 36
TRIAL_DAYS_MAX = 366
COUNT_MAX = 2**40
# ASCII digits alone: Decimal itself also reads "1e999999999", "NaN", "1_000" and digits of every script.
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tier:
    """A stretch of usage up to and including ``up_to`` units (None: without end), in yen a unit and yen flat."""

    up_to: Decimal | None
    unit_yen: Decimal
    flat_yen: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Price:
    """What the data cost in yen before tax; which members count depends on ``kind`` (``FIELDS``).

    ``amount_yen`` is the whole of a one-off price, one term of a subscription, one package. The first
    ``included_units`` of a period cost nothing; ``minimum_yen`` and ``maximum_yen`` bound a period. ``download_due``
    says when a download falls due where ``unit`` is that, and nothing otherwise.
    """

    kind: PriceKind
    amount_yen: int = 0
    unit: UsageUnit | None = None
    download_due: DownloadDue = DownloadDue.FULL_COVERAGE
    unit_yen: Decimal = Decimal(0)
    tiers: tuple[Tier, ...] = ()
    package_size: int = 0
    included_units: int = 0
    minimum_yen: int | None = None
    maximum_yen: int | None = None
    flat_fee_at_zero: bool = False
    period: BillingPeriod = BillingPeriod.MONTH
    term_months: int | None = None
    fiscal_year: bool = False
    trial_days: int = 0

    @property
    def is_metered(self) -> bool:
        """Whether usage is billed after the fact."""
        return self.kind in METERED

    @property
    def falls_due(self) -> DownloadDue | None:
        """When a download falls due; None where the price counts something else."""
        return self.download_due if self.unit is UsageUnit.DOWNLOAD else None

    @property
    def is_recurring(self) -> bool:
        """Whether it is paid term by term, in advance."""
        return self.kind is PriceKind.SUBSCRIPTION


METERED = frozenset({PriceKind.PER_UNIT, PriceKind.GRADUATED, PriceKind.VOLUME, PriceKind.PACKAGE})
# Only these can be billed while the period still runs: what more usage costs never lowers what was billed.
BILLED_ALONG = frozenset({PriceKind.PER_UNIT, PriceKind.GRADUATED, PriceKind.PACKAGE})
_USAGE = ("unit", "download_due", "included_units", "minimum_yen", "maximum_yen", "period", "trial_days")
FIELDS: dict[PriceKind, tuple[str, ...]] = {
    PriceKind.FREE: (),
    PriceKind.ONE_OFF: ("amount_yen",),
    PriceKind.SUBSCRIPTION: ("amount_yen", "term_months", "fiscal_year", "trial_days"),
    PriceKind.PER_UNIT: ("unit_yen", *_USAGE),
    PriceKind.GRADUATED: ("tiers", "flat_fee_at_zero", *_USAGE),
    PriceKind.VOLUME: ("tiers", "flat_fee_at_zero", *_USAGE),
    PriceKind.PACKAGE: ("amount_yen", "package_size", *_USAGE),
}
_NEEDED = ("amount_yen", "unit", "unit_yen", "tiers", "package_size")


def read_price(document: Any, pointer: str = "/price") -> Price:
    """Read a price from decoded JSON; decimals are texts. What is left out or null takes its default.

    Raises Invalid naming every fault with a JSON pointer (RFC 6901), first of single fields, then of
    fields that disagree. Reading what ``price_document`` wrote gives back the same price.
    """
    if not isinstance(document, Mapping):
        raise reading.refuse(pointer, "an object is needed")
    kind = reading.code(PriceKind)(document.get("kind"), f"{pointer}/kind")
    collector = reading.Collector()
    given = {name: value for name, value in document.items() if name != "kind" and value is not None}
    for name in (name for name in given if name not in FIELDS[kind]):
        detail = f"a {kind.value} price ({kind.ja}) has no such field"
        collector.add(f"{pointer}/{reading.escape(name)}", detail)
    for name in (name for name in FIELDS[kind] if name in _NEEDED and name not in given):
        collector.add(f"{pointer}/{name}", "this field is needed")
    values = {
        name: collector.take(_READERS[name], given[name], f"{pointer}/{name}", None)
        for name in FIELDS[kind]
        if name in given
    }
    collector.settle()
    price = Price(kind, **values)
    if "download_due" in values and price.unit is not UsageUnit.DOWNLOAD:
        raise reading.refuse(f"{pointer}/download_due", "a price by the download alone says when one falls due")
    return _agreed(price, pointer)


def price_document(price: Price) -> dict[str, Any]:
    """Return the price as canonical JSON: the members of its kind in a fixed order, decimals as texts."""
    names = [name for name in FIELDS[price.kind] if name != "download_due" or price.falls_due]
    return {"kind": price.kind.value} | {name: _written(getattr(price, name)) for name in names}


def decimal_text(value: Decimal) -> str:
    """Return a decimal as the shortest text without an exponent."""
    digits = format(value, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _written(value: Any) -> Any:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, tuple):
        return [{name: _written(getattr(tier, name)) for name in ("up_to", "unit_yen", "flat_yen")} for tier in value]
    return value.value if isinstance(value, UsageUnit | DownloadDue | BillingPeriod) else value


def _agreed(price: Price, pointer: str) -> Price:
    collector = reading.Collector()
    for name, detail in (*_term_faults(price), *_bound_faults(price), *_tier_faults(price.tiers), *_worth(price)):
        collector.add(f"{pointer}/{name}", detail)
    collector.settle()
    return price


def _term_faults(price: Price) -> Iterator[tuple[str, str]]:
    if price.is_recurring and price.fiscal_year == (price.term_months is not None):
        yield "term_months", f"state a term of 1 to {TERM_MONTHS_MAX} months, or fiscal_year (April to March)"
    if price.period is not BillingPeriod.GRANT or not price.is_metered:
        return
    if price.kind not in BILLED_ALONG or price.minimum_yen or price.flat_fee_at_zero:
        # A grant may have no end, and these are known only at the end of a period.
        yield "period", "volume prices, minimums and flat fees for no usage are charged by the month"


def _bound_faults(price: Price) -> Iterator[tuple[str, str]]:
    if price.minimum_yen is not None and price.maximum_yen is not None and price.minimum_yen > price.maximum_yen:
        yield "maximum_yen", "the maximum lies below the minimum"


def _tier_faults(tiers: tuple[Tier, ...]) -> Iterator[tuple[str, str]]:
    reached = Decimal(0)
    for index, tier in enumerate(tiers):
        is_last = index == len(tiers) - 1
        if is_last != (tier.up_to is None):
            yield f"tiers/{index}/up_to", "the last tier, and only the last, has no upper end (null)"
        if tier.up_to is not None and tier.up_to <= reached:
            yield f"tiers/{index}/up_to", "each tier ends above the one before, and the first above 0"
        reached = tier.up_to or reached


def _worth(price: Price) -> Iterator[tuple[str, str]]:
    if price.tiers and not price.minimum_yen and not any(tier.unit_yen or tier.flat_yen for tier in price.tiers):
        yield "tiers", "these tiers cost nothing: make a free offer instead"


def _decimal(low: Decimal) -> Callable[[Any, str], Decimal]:
    def read(value: Any, pointer: str) -> Decimal:
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value) or (found := Decimal(value)) < low:
            least = "more than 0, " if low else ""
            raise reading.refuse(pointer, f'a decimal as text, such as "0.25", is needed: {least}at most 12 decimals')
        return found

    return read


def _tiers(value: Any, pointer: str) -> tuple[Tier, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= TIERS_MAX:
        raise reading.refuse(pointer, f"a list of 1 to {TIERS_MAX} tiers is needed")
    collector = reading.Collector()
    tiers: list[Tier] = []
    for index, part in enumerate(value):
        collector.take(lambda one, at: tiers.append(_tier(one, at)), part, f"{pointer}/{index}", None)
    collector.settle()
    return tuple(tiers)


def _tier(value: Any, pointer: str) -> Tier:
    fields = reading.table(value, pointer, ("up_to", "unit_yen", "flat_yen"))
    collector = reading.Collector()
    up_to = collector.take(reading.optional(_decimal(Decimal(0))), fields.get("up_to"), f"{pointer}/up_to", None)
    unit_yen, flat_yen = (
        collector.take(_decimal(Decimal(0)), fields.get(name, default), f"{pointer}/{name}", Decimal(0))
        for name, default in (("unit_yen", None), ("flat_yen", "0"))
    )
    collector.settle()
    return Tier(up_to, unit_yen, flat_yen)


def _truth(value: Any, pointer: str) -> bool:
    if not isinstance(value, bool):
        raise reading.refuse(pointer, "true or false is needed")
    return value


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "amount_yen": reading.whole(1, AMOUNT_MAX),
    "unit": reading.code(UsageUnit),
    "download_due": reading.code(DownloadDue),
    "unit_yen": _decimal(Decimal("1e-12")),
    "tiers": _tiers,
    "package_size": reading.whole(1, COUNT_MAX),
    "included_units": reading.whole(0, COUNT_MAX),
    "minimum_yen": reading.whole(0, AMOUNT_MAX),
    "maximum_yen": reading.whole(1, AMOUNT_MAX),
    "flat_fee_at_zero": _truth,
    "period": reading.code(BillingPeriod),
    "term_months": reading.whole(1, TERM_MONTHS_MAX),
    "fiscal_year": _truth,
    "trial_days": reading.whole(0, TRIAL_DAYS_MAX),
}
