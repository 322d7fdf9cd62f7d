"""Who changes an audience, a description and a group at once: the database decides, and nothing leaks in between."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from flask import Flask
from sqlalchemy import select

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings, queries
from marketplace.catalog.groups import queries as groups
from marketplace.catalog.groups import service
from marketplace.catalog.groups.errors import GroupInUse
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.catalog.models import Dataset, Listing, PrivateListing
from marketplace.catalog.sight import Sight
from marketplace.exchange import listing
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound, Refusal
from marketplace.kit.transaction import transaction
from tests.factories.catalog import DatasetFactory
from tests.factories.identity import OrganizationFactory, actor_of

DRAFT = GroupDraft("会")
ROUNDS = 6


def race(app: Flask, deeds: Sequence[Callable[[], object]]) -> list[type | None]:
    """Do all of these at once, each in a transaction of its own; returns what each was refused with."""
    start = Barrier(len(deeds))

    def attempt(deed: Callable[[], object]) -> type | None:
        with app.app_context():
            start.wait()
            try:
                with transaction():
                    deed()
            except Refusal as refusal:
                return type(refusal)
            return None

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(attempt, deeds))


def kept(*, published: bool = True) -> tuple[Actor, Actor, str, str]:
    """A provider, a buyer, a dataset that is listed to everybody, and a group."""
    with transaction():
        provider = actor_of(OrganizationFactory(provider=True))
        buyer = actor_of(OrganizationFactory(buyer=True))
        dataset = DatasetFactory(organization_id=provider.organization_id, published=published)
        listing.refresh(dataset.id)
        return provider, buyer, dataset.id, service.make_group(provider, DRAFT).id


def shown(dataset_id: str) -> tuple[str | None, list[str], list[str]]:
    """The audience of a dataset, and where it is listed, publicly and to groups."""
    db.session.rollback()
    audience = db.session.scalars(select(Dataset.audience).where(Dataset.id == dataset_id)).one()
    public = list(db.session.scalars(select(Listing.dataset_id)))
    private = list(db.session.scalars(select(PrivateListing.group_id)))
    db.session.rollback()
    return audience, public, private


def test_a_revision_beside_a_change_of_audience_never_lists_to_everybody_what_is_private(own_database: Flask) -> None:
    provider, _buyer, dataset_id, group = kept()
    for n in range(ROUNDS):
        with transaction():
            version = queries.get_dataset(dataset_id).version
            listing.set_audience(provider, dataset_id, None)
        deeds = [
            lambda: listing.set_audience(provider, dataset_id, group),
            lambda n=n, version=version: listing.revise(provider, dataset_id, {"title_en": f"Title {n}"}, version),
        ]
        assert race(own_database, deeds) == [None, None]
        assert shown(dataset_id) == (group, [], [group])
        with transaction():
            seen = listings.find_listing(dataset_id, Sight(frozenset({group})))
            assert seen is not None
            assert seen.document["title_en"] == f"Title {n}"


def test_of_two_audiences_at_once_one_stands_and_is_the_only_listing(own_database: Flask) -> None:
    provider, _buyer, dataset_id, group = kept()
    for _ in range(ROUNDS):
        deeds = [
            lambda: listing.set_audience(provider, dataset_id, group),
            lambda: listing.set_audience(provider, dataset_id, None),
        ] * 2
        assert race(own_database, deeds) == [None] * 4
        audience, public, private = shown(dataset_id)
        assert (public, private) == (([], [group]) if audience else ([dataset_id], []))


def test_a_group_that_is_ended_while_a_dataset_is_listed_to_it_keeps_it_or_was_never_its_audience(
    own_database: Flask,
) -> None:
    provider, _buyer, dataset_id, _group = kept()
    for _ in range(ROUNDS):
        with transaction():
            listing.set_audience(provider, dataset_id, None)
            group = service.make_group(provider, DRAFT).id
        listed, ended = race(
            own_database,
            [
                lambda group=group: listing.set_audience(provider, dataset_id, group),
                lambda group=group: service.dissolve_group(provider, group),
            ],
        )
        assert (listed, ended) in {(None, GroupInUse), (NotFound, None)}
        assert shown(dataset_id)[0] == (None if listed else group)


def test_who_is_removed_while_accepting_is_out(own_database: Flask) -> None:
    provider, buyer, _dataset_id, group = kept()
    for _ in range(ROUNDS):
        with transaction():
            service.admit(provider, group, buyer.organization_id, invited=True)
        accepted, removed = race(
            own_database,
            [lambda: service.accept(buyer, group), lambda: service.remove(provider, group, buyer.organization_id)],
        )
        assert removed is None
        assert accepted in {None, NotFound}
        with transaction():
            assert groups.sight_of(buyer).groups == frozenset()


def test_eight_who_name_the_same_organization_make_one_member(own_database: Flask) -> None:
    provider, buyer, _dataset_id, group = kept()
    assert race(own_database, [lambda: service.admit(provider, group, buyer.organization_id)] * 8) == [None] * 8
    with transaction():
        assert groups.get_group(provider, group).members_total == 1
        joined = (Entry.verb == Verb.GROUP_JOINED.value, Entry.subject == group)
        assert len(db.session.scalars(select(Entry).where(*joined)).all()) == 1
