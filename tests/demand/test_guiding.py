"""What comparable deals cost: counted once, of enough buyers and providers, and never a single deal's price."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from marketplace.billing.models import Order
from marketplace.catalog import listings
from marketplace.catalog.groups import service as groups
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.catalog.states import Theme
from marketplace.demand import showing
from marketplace.demand.models import PriceGuide
from marketplace.exchange import demanding, showcase
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.licensing.models import Acceptance, Offer, Terms
from tests.factories.billing import AcceptedFactory
from tests.factories.catalog import DatasetFactory
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.licensing import offer_of

pytestmark = pytest.mark.usefixtures("app")
OCTOBER = datetime(2026, 10, 15, 3, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 12, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 2, tzinfo=UTC)
THEME = Theme.SAFETY_ENVIRONMENT.value


def offers(number: int, only_for: str | None = None, **fields: object) -> list[Offer]:
    """Offers of as many providers, each of a listed dataset."""
    made = []
    for _ in range(number):
        provider = OrganizationFactory(provider=True)
        dataset = DatasetFactory(organization=provider, published=True, **{"themes": [THEME]} | fields)
        made.append(offer_of(actor_of(provider), dataset_id=dataset.id, buyer_organization_id=only_for))
        listings.put_listing(dataset.id, showcase.document(dataset))
    return made


def bought(
    offer: Offer, net_yen: int, buyer: Organization | None = None, at: datetime = OCTOBER, state: str = "fulfilled"
) -> None:
    """An order at a price."""
    buyer = buyer or OrganizationFactory(buyer=True)
    with clock.stopped(at):
        known = select(Acceptance).where(
            Acceptance.organization_id == buyer.id, Acceptance.terms_sha256 == offer.terms_sha256
        )
        accepted = db.session.scalar(known) or AcceptedFactory(
            buyer=buyer, terms=db.session.get_one(Terms, offer.terms_id)
        )
        tax_yen = net_yen // 10
        order = Order(
            id=new_id("ord"), organization_id=buyer.id, provider_organization_id=offer.organization_id, price_kind="one_off",
            acceptance_id=accepted.id, rail="card", list_net_yen=net_yen, tax_rate_basis_points=1000, state=state,
            created_at=clock.now(), paid_at=clock.now() if state == "fulfilled" else None, dataset_id=offer.dataset_id,
            offer_id=offer.id, terms_sha256=offer.terms_sha256, amount_net_yen=net_yen, amount_tax_yen=tax_yen,
            amount_gross_yen=net_yen + tax_yen,
        )  # fmt: skip
        db.session.add(order)
    db.session.flush()


def counted(at: datetime = NOVEMBER) -> None:
    with clock.stopped(at):
        demanding.guide()


def guide(region: str = "JP", theme: str = THEME) -> tuple[object, ...]:
    told = showing.price_guide(theme, "one_off", region)
    return tuple(told[name] for name in ("region", "deals_min", "buyers_min", "lower_yen", "median_yen", "upper_yen"))


NOTHING = (None,) * 6


def test_quartiles_of_five_buyers_and_three_providers_are_told_rounded() -> None:
    one, two, three = offers(3)
    with transaction():
        for offer, yen in ((one, 10_123), (two, 20_456), (three, 30_789), (one, 40_111), (two, 52_345)):
            bought(offer, yen)
    counted()
    assert guide() == ("JP", 5, 5, 20_000, 31_000, 40_000)
    assert guide("01") == guide("011002") == guide("13") == guide(), "of Hokkaido alone: the rest would be nobody"
    assert guide(theme=Theme.LABOUR.value) == NOTHING
    told = showing.price_guide(THEME, "one_off", "JP")
    assert told["month"] == "2026-10"


def test_four_buyers_or_two_providers_are_too_few() -> None:
    with transaction():
        four, two = offers(3), offers(2, themes=[Theme.LABOUR.value])
        for place in range(4):
            bought(four[place % 3], 1_000 * (place + 1))
        for place in range(8):
            bought(two[place % 2], 5_000)
    counted()
    assert guide() == NOTHING
    assert guide(theme=Theme.LABOUR.value) == NOTHING


def test_a_buyer_counts_once_however_often_it_buys() -> None:
    whale = OrganizationFactory(buyer=True)
    made = offers(3)
    with transaction():
        for place in range(20):
            bought(made[place % 3], 900_000, whale)
        for place in range(3):
            bought(made[place], 1_000)
    counted()
    assert guide() == NOTHING, "23 deals of four buyers"
    with transaction():
        bought(made[0], 1_000)
        bought(made[1], 1_000)
    counted(DECEMBER)
    assert guide() == ("JP", 20, 5, 1_000, 1_000, 1_000)


def test_what_is_no_deal_among_others_does_not_count() -> None:
    made = offers(3)
    with transaction():
        for place in range(4):
            bought(made[place % 3], 1_000)
        bought(made[0], 9_000, state="placed")
        bought(made[0], 9_000, db.session.get_one(Organization, made[0].organization_id))
        bought(made[0], 9_000, at=NOVEMBER)
        bought(made[0], 9_000, at=datetime(2023, 10, 1, tzinfo=UTC))
        [unseen] = offers(1)
        bought(unseen, 9_000)
        listings.drop_listing(unseen.dataset_id)
        chosen = OrganizationFactory(buyer=True)
        bought(offers(1, only_for=chosen.id)[0], 9_000, chosen)
    counted()
    assert guide() == NOTHING


def test_a_month_that_was_counted_never_changes() -> None:
    made = offers(3)
    with transaction():
        for place in range(5):
            bought(made[place % 3], 1_000)
    counted()
    with transaction():
        for place in range(9):
            bought(made[place % 3], 77_000, at=NOVEMBER)
    counted()
    assert guide() == ("JP", 5, 5, 1_000, 1_000, 1_000)
    assert db.session.scalars(select(PriceGuide.month)).all() == ["2026-10"]
    counted(datetime(2027, 1, 1, 1, tzinfo=UTC))
    assert showing.price_guide(THEME, "one_off", "JP")["month"] == "2026-12"
    assert guide() == ("JP", 10, 10, 1_000, 77_000, 77_000)


def test_a_sixth_deal_changes_nothing_until_five_buyers_differ() -> None:
    made = offers(3)
    with transaction():
        for place, yen in enumerate((10_000, 20_000, 30_000, 40_000, 50_000)):
            bought(made[place % 3], yen, at=OCTOBER)
    counted(NOVEMBER)
    with transaction():
        bought(made[0], 25_000, at=NOVEMBER)
    counted(DECEMBER)
    assert guide() == ("JP", 5, 5, 20_000, 30_000, 40_000), "25,000 would be the median of six"
    assert showing.price_guide(THEME, "one_off", "JP")["month"] == "2026-10"
    with transaction():
        for place in range(4):
            bought(made[place % 3], 25_000, at=DECEMBER)
    counted(datetime(2027, 1, 3, tzinfo=UTC))
    assert guide() == ("JP", 10, 10, 25_000, 25_000, 30_000)
    assert showing.price_guide(THEME, "one_off", "JP")["month"] == "2026-12"


def test_a_deal_that_is_given_back_does_not_show_by_what_is_left() -> None:
    made = offers(3)
    with transaction():
        for place, yen in enumerate((10_000, 20_000, 30_000, 40_000, 50_000, 60_000)):
            bought(made[place % 3], yen, at=OCTOBER)
    counted(NOVEMBER)
    before = guide()
    with transaction():
        gone = db.session.scalars(select(Order).where(Order.amount_net_yen == 20_000)).one()
        gone.amount_net_yen, gone.amount_tax_yen, gone.amount_gross_yen, gone.rail = 0, 0, 0, None
    counted(DECEMBER)
    assert guide() == before


def test_a_prefecture_is_told_only_beside_enough_of_the_rest() -> None:
    here, there = offers(3), offers(3, region="131016")
    with transaction():
        for place in range(5):
            bought(here[place % 3], 10_000 * (place + 1))
        bought(there[0], 25_000)
    counted(NOVEMBER)
    assert guide("01") == guide("13") == guide("JP") == ("JP", 5, 5, 20_000, 25_000, 40_000)
    with transaction():
        for place in range(9):
            bought(there[place % 3], 70_000, at=NOVEMBER)
    counted(DECEMBER)
    assert guide("JP")[:3] == ("JP", 10, 10)
    assert guide("13") == ("13", 10, 10, 70_000, 70_000, 70_000)
    assert guide("01")[0] == "JP", "one buyer less than the country of a month before"


def test_a_dataset_of_two_themes_counts_in_its_first_one() -> None:
    labour = Theme.LABOUR.value
    both, alone = offers(3, themes=[THEME, labour]), offers(1, themes=[labour])
    with transaction():
        for place in range(5):
            bought(both[place % 3], 10_000 * (place + 1))
        bought(alone[0], 25_000)
    counted()
    assert guide() == ("JP", 5, 5, 20_000, 30_000, 40_000)
    assert guide(theme=labour) == NOTHING


def test_free_deals_and_those_within_a_private_group_stand_behind_no_figure() -> None:
    made = offers(3)
    with transaction():
        for place in range(4):
            bought(made[place % 3], 1_000)
        bought(made[0], 9_000)
        free = db.session.scalars(select(Order).where(Order.amount_net_yen == 9_000)).one()
        free.amount_net_yen, free.amount_tax_yen, free.amount_gross_yen, free.rail = 0, 0, 0, None
        [secret] = offers(1)
        bought(secret, 9_000)
        provider = actor_of(db.session.get_one(Organization, secret.organization_id))
        groups.set_audience(provider, secret.dataset_id, groups.make_group(provider, GroupDraft("内輪の会")).id)
    counted()
    assert guide() == NOTHING
    with transaction():
        bought(made[1], 1_000, at=NOVEMBER)
    counted(DECEMBER)
    assert guide() == ("JP", 5, 5, 1_000, 1_000, 1_000)
