"""A market with known trades: 51 buyers of four listed datasets in October 2026, and noise around them; and its deeds."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from sqlalchemy import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.earning_models import Earning
from marketplace.billing.models import Order
from marketplace.catalog import listings
from marketplace.catalog.models import Dataset
from marketplace.exchange import showcase
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.licensing.models import Offer, Terms
from marketplace.metering.rollup_models import UsageRollup
from tests.factories.billing import AcceptedFactory
from tests.factories.catalog import DatasetFactory
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.licensing import offer_of

SUMMER = datetime(2026, 8, 1, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 15, 3, tzinfo=UTC)
CLOSED = datetime(2026, 11, 12, tzinfo=UTC)
NET_YEN, TAX_YEN, COMMISSION_YEN, SIZE_BYTES = 1_000, 100, 100, 2_000
KINDS = {
    "open": {"company": 6, "university": 7},
    "rare": {"company": 2},
    "mixed": {"company": 8, "municipality": 1},
    "large": {"company": 20, "university": 6, "municipality": 1},
}
TITLES = {"open": "人流データ", "rare": "希少な植物", "mixed": "路線バスの遅れ", "large": "観光動向"}


@dataclass
class World:
    """The datasets by name, and everybody who bought."""

    datasets: dict[str, Dataset] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    buyers: list[object] = field(default_factory=list)


def listed_dataset(**fields: object) -> tuple[Dataset, Offer]:
    """A dataset that everybody has seen since summer, with an offer."""
    with clock.stopped(SUMMER):
        provider = OrganizationFactory(provider=True)
        dataset = DatasetFactory(organization=provider, published=True, **fields)
        offer = offer_of(actor_of(provider), dataset_id=dataset.id)
    listings.put_listing(dataset.id, showcase.document(dataset))
    return dataset, offer


def trade(offer: Offer, buyer: object, at: datetime) -> None:
    """One order fulfilled, its earning and its bytes."""
    with clock.stopped(at):
        accepted = AcceptedFactory(buyer=buyer, terms=db.session.get_one(Terms, offer.terms_id))
        order_id, number = new_id("ord"), next(_NUMBERS)
        ids = {"dataset_id": offer.dataset_id, "offer_id": offer.id, "terms_sha256": offer.terms_sha256}
        money = {"amount_net_yen": NET_YEN, "amount_tax_yen": TAX_YEN, "amount_gross_yen": NET_YEN + TAX_YEN}
        order = Order(
            id=order_id, organization_id=buyer.id, provider_organization_id=offer.organization_id, price_kind="one_off",
            acceptance_id=accepted.id, rail="card", list_net_yen=NET_YEN, tax_rate_basis_points=1000, state="fulfilled",
            created_at=clock.now(), paid_at=clock.now(), **ids, **money,
        )  # fmt: skip
        db.session.add(order)
        db.session.flush()
        audit.record(SYSTEM, Verb.ORDER_FULFILLED, subject=order_id, dataset=offer.dataset_id)
        _earn(offer, buyer, number)
    fetch(offer, buyer, at)


def give_back(offer: Offer, buyer: object, at: datetime) -> None:
    """The money of one trade, back to its buyer."""
    with clock.stopped(at):
        _earn(offer, buyer, next(_NUMBERS), sign=-1)


def fetch(offer: Offer, buyer: object, at: datetime) -> None:
    """Bytes under a grant that may be older."""
    with clock.stopped(at):
        _fetch(offer, buyer)


def october() -> World:
    """The market of this module's first line."""
    world = World()
    for name, kinds in KINDS.items():
        world.datasets[name], world.offers[name] = listed_dataset(title_ja=TITLES[name], title_en=f"Dataset {name}")
        for kind, buyers in kinds.items():
            for _ in range(buyers):
                world.buyers.append(OrganizationFactory(buyer=True, kind=kind))
                trade(world.offers[name], world.buyers[-1], OCTOBER)
    # Noise: the last second of the month before in Japan, the first of the month after.
    for at in (datetime(2026, 9, 30, 14, 59, 59, tzinfo=UTC), datetime(2026, 10, 31, 15, tzinfo=UTC)):
        trade(world.offers["open"], OrganizationFactory(buyer=True), at)
    db.session.flush()
    return world


def _earn(offer: Offer, buyer: object, number: int, sign: int = 1) -> None:
    db.session.add(
        Earning(
            id=new_id("ern"), kind="sale" if sign > 0 else "reversal", ref=f"ref_{number}", idem=f"sale:world:{number}", via="outside", role="agent",
            money_account="Assets:Bank", organization_id=offer.organization_id, buyer_organization_id=buyer.id,
            dataset_id=offer.dataset_id, net_yen=sign * NET_YEN, tax_yen=sign * TAX_YEN,
            commission_yen=sign * COMMISSION_YEN, commission_tax_yen=0, payable_yen=0, occurred_on=clock.today(), created_at=clock.now(),
        )
    )  # fmt: skip


def _fetch(offer: Offer, buyer: object) -> None:
    row = {
        "grant_id": new_id("grt"), "hour": clock.now().replace(minute=0, second=0), "organization_id": buyer.id,
        "provider_organization_id": offer.organization_id, "dataset_id": offer.dataset_id, "bytes_new": SIZE_BYTES,
        "bytes_acked": SIZE_BYTES, "rows_new": 1, "requests": 1, "deliveries": 1,
    }  # fmt: skip
    db.session.execute(insert(UsageRollup), [row])


_NUMBERS = count(1)
