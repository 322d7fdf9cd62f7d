"""What is on sale in the quarter: datasets with a release for each month, under every kind of price and rail."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from marketplace.catalog import service as catalog
from marketplace.catalog.rules import DatasetDraft
from marketplace.catalog.states import Frequency, ProfileState, Theme
from marketplace.exchange import listing
from marketplace.identity.actors import Actor
from marketplace.kit.transaction import transaction
from marketplace.licensing import service as licensing
from marketplace.licensing.offers import Discount, Limits, OfferDraft, Share
from marketplace.licensing.prices import Price, Tier
from marketplace.licensing.rules import TermsDraft
from marketplace.licensing.service_levels import CreditStep
from marketplace.licensing.states import Cancellation, DiscountClass, PriceKind, Rail, ReleaseScope, UsageUnit
from marketplace.privacy import service as privacy
from marketplace.privacy.service import Looked
from marketplace.simulation.plan import at, days
from marketplace.simulation.world import Shelf, World

CARD, KONBINI, BANK, INVOICE, OUTSIDE = Rail.CARD, Rail.KONBINI, Rail.BANK_TRANSFER, Rail.INVOICE, Rail.OUTSIDE
ROWS, ROW_BYTES = 2_000, 64
_TITLES = (
    ("ほくと市 公共施設利用", "Use of public facilities in Hokuto"),
    ("ほくと駅前 人流", "Footfall at Hokuto station"),
    ("ほくと 時間別気象", "Hourly weather in Hokuto"),
)
_WEATHER_TIERS = (Tier(Decimal(500), Decimal("2.5")), Tier(Decimal(2000), Decimal("1.75")), Tier(None, Decimal(1)))
_CALL_TIERS = (Tier(Decimal(3), Decimal(400)), Tier(None, Decimal(300), Decimal(50)))


def stock(world: World) -> None:
    """Let every provider list its dataset and make its offers."""
    city, firm, weather = (_list(world, number) for number in range(3))
    made = _city(city) | _firm(firm, world) | _weather(weather, world)
    for name, (provider, draft) in made.items():
        world.shelves[name] = _offer(provider, draft)


def publish(world: World, number: int, month: str) -> None:
    """Let a provider publish the file of a month, of its own bytes, whose rows are counted."""
    provider, dataset_id = world.providers[number], world.datasets[number]
    head = f"{month},{number},".encode()
    content = b"".join(head + b"%06d," % row + b"0" * (ROW_BYTES - len(head) - 8) + b"\n" for row in range(ROWS))
    stored = listing.receive([content], None, None)
    with transaction():
        release = catalog.open_release(provider, dataset_id, month)
        file = listing.attach(provider, release.id, f"{month}.csv", "text/csv", stored)
        profile = {"format": "CSV", "rows": ROWS, "columns": [{"name": "日時"}, {"name": "地点"}, {"name": "値"}]}
        catalog.record_profile(file.id, profile, ProfileState.PROFILED)
        privacy.record_inspection(file.id, Looked())
        listing.publish(provider, release.id)
    world.files.setdefault(dataset_id, []).append((f"{month}.csv", len(content)))


def _list(world: World, number: int) -> tuple[Actor, str]:
    provider, (title_ja, title_en) = world.providers[number], _TITLES[number]
    draft = DatasetDraft(
        title_ja=f"{title_ja}（合成）",
        title_en=f"{title_en} (synthetic)",
        description_ja="計算で作った合成データで、実在の記録ではありません。",
        description_en="Made by computation: no real record.",
        themes=(Theme.TRANSPORT_TOURISM,),
        region="011002",
        contact_name="データ提供窓口",
        contact_url="https://example.com/contact",
        update_frequency=Frequency.MONTHLY,
    )
    with transaction():
        dataset_id = catalog.register_dataset(provider, draft).id
    world.datasets.append(dataset_id)
    publish(world, number, f"{world.plan.first - days(1):%Y-%m}")
    return provider, dataset_id


Listed = tuple[Actor, str]
Made = dict[str, tuple[Actor, OfferDraft]]


def _city(on: Listed) -> Made:
    """Return what the city offers: free, on payment slips under its by-law, by the month and by fiscal year."""
    fiscal = Price(PriceKind.SUBSCRIPTION, 120_000, fiscal_year=True)
    return {
        "free": _draft(on, Price(PriceKind.FREE), ()),
        "slip": _draft(on, _once(3_300), (OUTSIDE,), fee_ordinance="ほくと市データ提供手数料条例（合成）"),
        "monthly": _draft(on, _monthly(4_980), (CARD, INVOICE)),
        "fiscal": _draft(on, fiscal, (INVOICE, CARD)),
        "slip_usage": _draft(on, _per_mib("7300", included_units=0), (INVOICE,)),
    }


def _firm(on: Listed, world: World) -> Made:
    """Return what the registered firm offers, sharing some of it with the two others."""
    firm, city, weather = on[0].organization_id, *(world.providers[n].organization_id for n in (0, 2))
    shares = (Share(firm, 5_555), Share(city, 2_222), Share(weather, 2_223))
    steps = (CreditStep(9_990, 1_000), CreditStep(9_500, 3_000))
    rules: dict[str, Any] = {"cancellation": Cancellation.PRO_RATA, "service_level": steps}
    discounts = (Discount(DiscountClass.ACADEMIC, 3_000), Discount(DiscountClass.SAME_CITY, 1_500))
    private: dict[str, Any] = {
        "buyer_organization_id": world.buyers[0].organization_id,
        "valid_until": at(world.plan.last, 12),
    }
    return {
        "once": _draft(on, _once(12_345), (CARD, KONBINI, BANK, INVOICE)),
        "shared": _draft(on, _once(98_765), (CARD, KONBINI, INVOICE), shares=shares),
        "discounted": _draft(on, _once(20_001), (CARD, INVOICE), discounts=discounts),
        "quarterly": _draft(on, _once(30_100), (CARD, INVOICE), days_of=90, **rules),
        "private": _draft(on, _once(7_777), (CARD,), **private),
        "bytes": _draft(on, _per_mib("33333.3", included_units=0, trial_days=3), (INVOICE, CARD)),
        "renewed": _draft(on, _monthly(9_800), (INVOICE, CARD), **rules),
    }


def _weather(on: Listed, world: World) -> Made:
    """Return what the firm without a registration number offers: no tax on any of it."""
    weather, firm = on[0].organization_id, world.providers[1].organization_id
    row, call = UsageUnit.ROW, UsageUnit.REQUEST
    rows = Price(PriceKind.GRADUATED, unit=row, tiers=_WEATHER_TIERS, minimum_yen=500, included_units=100)
    calls = Price(PriceKind.VOLUME, unit=call, tiers=_CALL_TIERS, maximum_yen=5_000)
    packs = Price(PriceKind.PACKAGE, 777, unit=call, package_size=2)
    halves = (Share(weather, 3_333), Share(firm, 6_667))
    return {
        "cheap": _draft(on, _once(980), (CARD, KONBINI)),
        "rows": _draft(on, rows, (INVOICE,)),
        "calls": _draft(on, calls, (INVOICE,), shares=halves),
        "packs": _draft(on, packs, (INVOICE, CARD)),
    }


def _once(yen: int) -> Price:
    return Price(PriceKind.ONE_OFF, yen)


def _monthly(yen: int) -> Price:
    return Price(PriceKind.SUBSCRIPTION, yen, term_months=1)


def _per_mib(unit_yen: str, **more: Any) -> Price:
    return replace(Price(PriceKind.PER_UNIT, unit=UsageUnit.MIB, unit_yen=Decimal(unit_yen)), **more)


def _draft(
    on: Listed, price: Price, rails: tuple[Rail, ...], *, days_of: int | None = None, **said: Any
) -> tuple[Actor, OfferDraft]:
    limits = Limits(duration_days=days_of)
    return on[0], OfferDraft(on[1], "", price, limits, ReleaseScope.ALL, rails, **said)


def _offer(provider: Actor, draft: OfferDraft) -> Shelf:
    fee = "無償" if draft.price.kind is PriceKind.FREE else "有償"
    with transaction():
        terms = licensing.write_terms(provider, TermsDraft({"template": "standard-commercial", "fee": fee}))
        offer = listing.make_offer(provider, replace(draft, terms_id=terms.id))
        return Shelf(offer.id, offer.terms_sha256, offer.dataset_id, provider)
