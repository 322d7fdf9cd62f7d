"""What an offer may say: price, rails, limits, shares, and how they agree with the terms. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from typing import Any

from marketplace.licensing.prices import Price, price_document, read_price
from marketplace.licensing.rails import CARRIED_YEN, DEAREST_NET_YEN, can_be_paid
from marketplace.licensing.reading import Collector
from marketplace.licensing.service_levels import CreditStep, faults_of
from marketplace.licensing.states import Cancellation, DiscountClass, Fee, PriceKind, Rail, ReleaseScope
from marketplace.licensing.terms import UsageTerms

CARD_MINIMUM_YEN = CARRIED_YEN[Rail.CARD][0]
CARD_MAXIMUM_YEN = DEAREST_NET_YEN[Rail.CARD]
COUNT_MAX = 2**53 - 1
DAYS_MAX = 36_525
WHOLE_BASIS_POINTS = 10_000
SHARES_MAX = 50
ORDINANCE_MAX = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a grant lasts, how much it may fetch, and how many downloads may run at once; None is no limit."""

    duration_days: int | None = None
    quota_bytes: int | None = None
    quota_downloads: int | None = None
    quota_rows: int | None = None
    quota_requests: int | None = None
    quota_streams: int | None = None


LIMIT_NAMES = tuple(limit.name for limit in fields(Limits))


@dataclass(frozen=True, slots=True)
class Share:
    """The part of the revenue that goes to one organization; all of an offer come to 10,000 basis points."""

    organization_id: str
    basis_points: int


@dataclass(frozen=True, slots=True)
class Discount:
    """What the provider grants to buyers of one class, off the price before tax."""

    discount_class: DiscountClass
    basis_points: int


@dataclass(frozen=True, slots=True)
class OfferDraft:
    """An offer as its provider asks for it; without ``rails`` it is paid by card, without ``shares`` all is theirs.

    ``fee_ordinance`` is the by-law (条例) under which a public body charges the fee; ``service_level`` says what
    comes back when the data could not be had.
    """

    dataset_id: str
    terms_id: str
    price: Price
    limits: Limits = field(default_factory=Limits)
    release_scope: ReleaseScope = ReleaseScope.CURRENT
    rails: tuple[Rail, ...] | None = None
    buyer_organization_id: str | None = None
    valid_until: datetime | None = None
    shares: tuple[Share, ...] = ()
    discounts: tuple[Discount, ...] = ()
    fee_ordinance: str | None = None
    cancellation: Cancellation = Cancellation.NONE
    service_level: tuple[CreditStep, ...] = ()

    @property
    def chosen_rails(self) -> tuple[Rail, ...]:
        """The rails that the provider chose; by card where nothing is said and something is to be paid."""
        if self.rails is not None:
            return self.rails
        return () if self.price.kind is PriceKind.FREE else (Rail.CARD,)


def check_offer(draft: OfferDraft, terms: UsageTerms, now: datetime, today: date) -> None:
    """Raise Invalid, with a pointer for each fault, unless the offer is sound and agrees with the terms."""
    read_price(price_document(draft.price))
    collector = Collector()
    for pointer, detail in (
        *_rail_faults(draft), *_limit_faults(draft.limits), *_share_faults(draft),
        *_discount_faults(draft), *_expiry_faults(draft, now), *_promise_faults(draft),
    ):  # fmt: skip
        collector.add(pointer, detail)
    collector.settle()
    for pointer, detail in (*_fee_faults(draft.price, terms), *_period_faults(draft.limits, terms, today)):
        collector.add(pointer, detail)
    collector.settle()


def shares_of_draft(draft: OfferDraft, provider_id: str) -> list[dict[str, Any]]:
    """Return the shares as they are kept: the provider first, then the others as they were named."""
    shares = draft.shares or (Share(provider_id, WHOLE_BASIS_POINTS),)
    ordered = sorted(shares, key=lambda share: share.organization_id != provider_id)
    return [{"organization_id": share.organization_id, "basis_points": share.basis_points} for share in ordered]


def discounts_of_draft(discounts: Iterable[Discount]) -> list[dict[str, Any]]:
    """Return the discounts as they are kept."""
    return [{"class": one.discount_class.value, "basis_points": one.basis_points} for one in discounts]


def _rail_faults(draft: OfferDraft) -> Iterator[tuple[str, str]]:
    rails, price = draft.chosen_rails, draft.price
    free = price.kind is PriceKind.FREE
    if free and rails:
        yield "/rails", "what costs nothing is not paid: leave the rails out"
    if not free and not rails:
        yield "/rails", "at least one way to pay is needed"
    paid_at_once = price.kind is PriceKind.ONE_OFF or price.is_recurring
    if paid_at_once and rails and not can_be_paid(rails, price.amount_yen):
        bounds = f"{CARD_MINIMUM_YEN:,} to {CARD_MAXIMUM_YEN:,}"
        yield "/price/amount_yen", f"none of the rails carries this amount: a card takes {bounds} yen before tax"


def _share_faults(draft: OfferDraft) -> Iterator[tuple[str, str]]:
    shares = draft.shares
    if not shares:
        return
    if len(shares) > 1 and Rail.OUTSIDE in draft.chosen_rails:
        # The provider alone would have the money, and the others would owe commission for it.
        yield "/shares", "what a buyer pays outside is the provider's alone: leave out the shares, or that rail"
    if len(shares) > SHARES_MAX or sum(share.basis_points for share in shares) != WHOLE_BASIS_POINTS:
        yield "/shares", f"at most {SHARES_MAX} shares, which together are {WHOLE_BASIS_POINTS:,} basis points"
    named = [share.organization_id for share in shares]
    for index, share in enumerate(shares):
        if not _is_count(share.basis_points, 1, WHOLE_BASIS_POINTS):
            yield f"/shares/{index}/basis_points", f"a whole number from 1 to {WHOLE_BASIS_POINTS:,} is needed"
        if share.organization_id in named[:index]:
            yield f"/shares/{index}/organization_id", "this organization has a share already"


def _discount_faults(draft: OfferDraft) -> Iterator[tuple[str, str]]:
    if draft.discounts and draft.price.kind is PriceKind.FREE:
        yield "/discounts", "there is nothing to take off what is free"
    named = [one.discount_class for one in draft.discounts]
    for index, one in enumerate(draft.discounts):
        if not _is_count(one.basis_points, 1, WHOLE_BASIS_POINTS):
            yield f"/discounts/{index}/basis_points", f"a whole number from 1 to {WHOLE_BASIS_POINTS:,} is needed"
        if one.discount_class in named[:index]:
            yield f"/discounts/{index}/class", "this class has a discount already"


def _expiry_faults(draft: OfferDraft, now: datetime) -> Iterator[tuple[str, str]]:
    if draft.valid_until is not None and draft.valid_until <= now:
        yield "/valid_until", "an offer ends in the future"
    if draft.fee_ordinance is not None and not 1 <= len(draft.fee_ordinance) <= ORDINANCE_MAX:
        yield "/fee_ordinance", f"1 to {ORDINANCE_MAX} characters are needed"


def _promise_faults(draft: OfferDraft) -> Iterator[tuple[str, str]]:
    free = draft.price.kind is PriceKind.FREE
    if free and draft.cancellation is not Cancellation.NONE:
        yield "/cancellation", "of what is free nothing can be given back"
    if free and draft.service_level:
        yield "/service_level", "of what is free nothing can be given back"
    yield from faults_of(draft.service_level)


def _limit_faults(limits: Limits) -> Iterator[tuple[str, str]]:
    for name, value in asdict(limits).items():
        high = DAYS_MAX if name == "duration_days" else COUNT_MAX
        if value is not None and not _is_count(value, 1, high):
            yield f"/limits/{name}", f"a whole number from 1 to {high:,} is needed, or nothing for no limit"


def _fee_faults(price: Price, terms: UsageTerms) -> Iterator[tuple[str, str]]:
    free = price.kind is PriceKind.FREE
    if free != (terms.fee is Fee.FREE):
        yield "/price/kind", f"the terms say {terms.fee.value} ({terms.fee.ja}), the price says {price.kind.value}"
    paid_at_once = price.kind is PriceKind.ONE_OFF or price.is_recurring
    if paid_at_once and terms.price_range and price.amount_yen not in terms.price_range:
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
