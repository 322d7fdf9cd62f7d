"""What an offer may say: price, limits, and how they agree with the terms. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from marketplace.kit.money import AMOUNT_MAX
from marketplace.licensing.reading import Collector
from marketplace.licensing.states import Fee, PriceKind, ReleaseScope
from marketplace.licensing.terms import UsageTerms

# The least that a card payment in yen can carry (Stripe's minimum charge for JPY is 50 yen). A dearer-than-free
# offer below it could be ordered and never be paid, so it is refused when it is made. The amount is before tax,
# hence holds whatever the rate. Metered prices are exempt: what is charged is the sum of a period.
CARD_MINIMUM_YEN = 50
# And the most: Stripe takes 99,999,999 yen at once, tax included.
CARD_MAXIMUM_YEN = 90_909_090
COUNT_MAX = 2**53 - 1
INCLUDED_MIB_MAX = 2**40
DAYS_MAX = 36_525


@dataclass(frozen=True, slots=True)
class Price:
    """What the data cost, in integer yen before tax.

    ``per_mib`` counts every mebibyte delivered beyond the first ``included_mib``; the other kinds include all.
    """

    kind: PriceKind
    amount_yen: int = 0
    included_mib: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a grant lasts and how much it may fetch; None where there is no limit."""

    duration_days: int | None = None
    quota_bytes: int | None = None
    quota_downloads: int | None = None


@dataclass(frozen=True, slots=True)
class OfferDraft:
    """An offer as its provider asks for it."""

    dataset_id: str
    terms_id: str
    price: Price
    limits: Limits = field(default_factory=Limits)
    release_scope: ReleaseScope = ReleaseScope.CURRENT


def check_offer(draft: OfferDraft, terms: UsageTerms, today: date) -> None:
    """Raise Invalid, with a pointer for each fault, unless price and limits are sound and agree with the terms."""
    collector = Collector()
    for pointer, detail in (*_price_faults(draft.price), *_limit_faults(draft.limits)):
        collector.add(pointer, detail)
    collector.settle()
    for pointer, detail in (*_fee_faults(draft.price, terms), *_period_faults(draft.limits, terms, today)):
        collector.add(pointer, detail)
    collector.settle()


def _price_faults(price: Price) -> Iterator[tuple[str, str]]:
    low, high = {
        PriceKind.FREE: (0, 0),
        PriceKind.ONE_OFF: (CARD_MINIMUM_YEN, CARD_MAXIMUM_YEN),
        PriceKind.PER_MIB: (1, AMOUNT_MAX),
    }[price.kind]
    if not _is_count(price.amount_yen, low, high):
        yield "/price/amount_yen", f"a {price.kind} price takes whole yen from {low:,} to {high:,}"
    included_max = INCLUDED_MIB_MAX if price.kind is PriceKind.PER_MIB else 0
    if not _is_count(price.included_mib, 0, included_max):
        yield "/price/included_mib", f"a {price.kind} price includes whole MiB from 0 to {included_max:,}"


def _limit_faults(limits: Limits) -> Iterator[tuple[str, str]]:
    for name, value, high in (
        ("duration_days", limits.duration_days, DAYS_MAX),
        ("quota_bytes", limits.quota_bytes, COUNT_MAX),
        ("quota_downloads", limits.quota_downloads, COUNT_MAX),
    ):
        if value is not None and not _is_count(value, 1, high):
            yield f"/limits/{name}", f"a whole number from 1 to {high:,} is needed, or nothing for no limit"


def _fee_faults(price: Price, terms: UsageTerms) -> Iterator[tuple[str, str]]:
    free = price.kind is PriceKind.FREE
    if free != (terms.fee is Fee.FREE):
        yield "/price/kind", f"the terms say {terms.fee.value} ({terms.fee.ja}), the price says {price.kind.value}"
    if price.kind is PriceKind.ONE_OFF and terms.price_range and price.amount_yen not in terms.price_range:
        yield "/price/amount_yen", "the price lies outside the price range that the terms state"


def _period_faults(limits: Limits, terms: UsageTerms, today: date) -> Iterator[tuple[str, str]]:
    period = terms.usage_license_period
    if terms.data_effective_period and _is_past(terms.data_effective_period.end, today):
        yield "/terms_id", "the data's period of validity in these terms has ended"
    if period is None:
        return
    if _is_past(period.end, today):
        yield "/terms_id", "the licence in these terms has ended"
    longest = period.days_max
    if longest and (limits.duration_days is None or limits.duration_days > longest):
        yield "/limits/duration_days", f"the terms end use after {period.value} {period.unit}: at most {longest} days"


def _is_past(end: date | None, today: date) -> bool:
    return end is not None and end < today


def _is_count(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
