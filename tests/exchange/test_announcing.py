"""Datasets are announced before there are data, watched, and told of once when they are listed."""

from datetime import timedelta

import pytest
from flask import Flask

from marketplace.audit.verbs import Verb
from marketplace.catalog import queries as catalog
from marketplace.catalog.dictionary import ColumnNote
from marketplace.catalog.errors import VersionStale
from marketplace.catalog.groups import service as groups
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.catalog.states import Theme
from marketplace.catalog.teasers import queries, service
from marketplace.catalog.teasers.errors import TeaserEnded
from marketplace.catalog.teasers.models import Teaser
from marketplace.catalog.teasers.rules import TeaserDraft
from marketplace.exchange import announcing, listing
from marketplace.identity.actors import Actor
from marketplace.identity.states import MemberRole
from marketplace.kit import clock, jobs, mail
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.transaction import transaction
from tests.catalog.test_catalog_races import entries, lost, race, won
from tests.factories import market
from tests.factories.identity import MemberFactory


def draft(**changes: object) -> TeaserDraft:
    said = {
        "title_ja": "積雪センサー", "title_en": "Snow depth", "description_ja": "来冬から10分ごと。", "description_en": "",
        "themes": (Theme.LAND_WEATHER,), "region": "011002", "expected_on": clock.today() + timedelta(days=90),
        "columns": (ColumnNote("積雪深（cm）", "積雪深", "Snow depth", unit="cm"),), "price_from_yen": 10_000, "price_to_yen": 50_000,
    }  # fmt: skip
    return TeaserDraft(**said | changes)  # type: ignore[arg-type] # as the fields of these names are


def announced(provider: Actor, **changes: object) -> str:
    with transaction():
        return service.announce(provider, draft(**changes)).id


def watching(teaser_id: str) -> Actor:
    buyer = market.buyer()
    with transaction():
        MemberFactory(
            organization_id=buyer.organization_id,
            role=MemberRole.BUYER.value,
            email=f"{buyer.organization_id}@example.jp",
        )
        service.watch(buyer, teaser_id)
    return buyer


def told() -> list[str]:
    jobs.run_pending("teasers.tell")
    return sorted(one.recipient for one in mail.list_waiting())


def test_an_announcement_becomes_a_draft_with_its_words_and_columns(app: Flask) -> None:
    del app
    provider = market.seller()
    teaser_id = announced(provider)
    buyer = watching(teaser_id)

    with transaction():
        teaser, dataset = announcing.become(provider, teaser_id)

    assert (teaser.state, teaser.dataset_id) == ("coming", dataset.id)
    assert (dataset.title_ja, dataset.region, dataset.themes) == ("積雪センサー", "011002", ["land_weather"])
    assert dataset.dictionary[0]["unit"] == "cm"
    assert dataset.state == "draft"
    assert told() == []
    assert announcing.shown(teaser, buyer)["dataset_id"] is None
    market.release_of(provider, dataset.id)
    assert told() == [f"{buyer.organization_id}@example.jp"]
    assert announcing.shown(queries.get_teaser(teaser_id), None)["dataset_id"] == dataset.id
    market.release_of(provider, dataset.id)
    assert len(told()) == 1
    with transaction():
        group = groups.make_group(provider, GroupDraft("観光推進の会"))
        listing.set_audience(provider, dataset.id, group.id)
    assert announcing.shown(queries.get_teaser(teaser_id), buyer)["dataset_id"] is None
    assert [entries(verb) for verb in (Verb.TEASER_ANNOUNCED, Verb.TEASER_WATCHED, Verb.TEASER_BECAME)] == [1, 1, 1]


def test_an_announcement_may_become_a_dataset_that_is_listed_already(app: Flask) -> None:
    del app
    on = market.listed()
    teaser_id = announced(on.provider)
    buyer = watching(teaser_id)
    with transaction():
        teaser, _dataset = announcing.become(on.provider, teaser_id, on.dataset_id)
    assert teaser.state == "listed"
    assert told() == [f"{buyer.organization_id}@example.jp"]
    with pytest.raises(TeaserEnded), transaction():
        service.watch(buyer, teaser_id)
    other = announced(on.provider)
    with pytest.raises(NotFound), transaction():
        announcing.become(on.provider, other, "ds_0")


def test_who_watches_is_counted_once_and_may_stop(app: Flask) -> None:
    del app
    provider = market.seller()
    teaser_id = announced(provider)
    buyer = watching(teaser_id)
    with transaction():
        service.watch(buyer, teaser_id)
    teaser = queries.get_teaser(teaser_id)
    assert announcing.shown(teaser, provider)["watchers"] == 1
    assert "watchers" not in announcing.shown(teaser, buyer)
    with transaction():
        service.unwatch(buyer, teaser_id)
        service.unwatch(buyer, teaser_id)
    assert queries.count_watchers(teaser_id) == 0
    assert [entries(Verb.TEASER_WATCHED), entries(Verb.TEASER_UNWATCHED)] == [1, 1]
    with pytest.raises(Invalid), transaction():
        service.watch(provider, teaser_id)


def test_an_announcement_is_revised_at_its_version_and_given_up(app: Flask) -> None:
    del app
    provider, stranger = market.seller(), market.seller()
    teaser_id = announced(provider)
    with transaction():
        assert service.revise(provider, teaser_id, draft(title_en="Snow"), 1).title_en == "Snow"
    with pytest.raises(VersionStale), transaction():
        service.revise(provider, teaser_id, draft(), 1)
    with pytest.raises(NotFound), transaction():
        service.withdraw(stranger, teaser_id)
    with transaction():
        service.withdraw(provider, teaser_id)
    for deed in (
        lambda: service.revise(provider, teaser_id, draft(), 3), lambda: service.withdraw(provider, teaser_id),
        lambda: announcing.become(provider, teaser_id),
    ):  # fmt: skip
        with pytest.raises(TeaserEnded), transaction():
            deed()
    assert queries.list_teasers().items == []
    assert [one.id for one in queries.list_teasers(provider).items] == [teaser_id]
    assert catalog.list_datasets(organization_id=provider.organization_id).items == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"title_ja": " ", "title_en": ""}, "/title_ja"), ({"expected_on": clock.today() - timedelta(days=1)}, "/expected_on"),
        ({"expected_on": clock.today() + timedelta(days=3000)}, "/expected_on"), ({"price_from_yen": None}, "/price_to_yen"),
        ({"price_from_yen": 9, "price_to_yen": 8}, "/price_to_yen"), ({"region": "000000"}, "/region"), ({"themes": ()}, "/themes"),
        ({"columns": (ColumnNote("a"), ColumnNote("a"))}, "/columns/1/name"), ({"description_ja": "\0"}, "/description_ja"),
    ],
)  # fmt: skip
def test_an_announcement_that_breaks_a_rule_is_pointed_at(app: Flask, changes: dict[str, object], pointer: str) -> None:
    del app
    provider = market.seller()
    with pytest.raises(Invalid) as refused, transaction():
        service.announce(provider, draft(**changes))
    assert [error["pointer"] for error in refused.value.errors] == [pointer]
    assert queries.list_teasers(provider).items == []


def test_of_many_who_turn_one_announcement_into_datasets_one_is_heard(own_database: Flask) -> None:
    provider = market.seller()
    teaser_id = announced(provider)
    outcomes = race(own_database, lambda _n: announcing.become(provider, teaser_id)[1].id)
    assert (len(won(outcomes)), lost(outcomes)) == (1, {TeaserEnded})
    assert len(catalog.list_datasets(organization_id=provider.organization_id).items) == 1
    assert isinstance(queries.get_teaser(teaser_id), Teaser)
