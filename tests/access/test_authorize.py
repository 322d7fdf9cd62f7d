"""The one question of every download."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import event, update

from marketplace.access import queries
from marketplace.access import service as access
from marketplace.access.errors import GrantExpired, GrantRevoked
from marketplace.catalog.models import Dataset, Release
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from tests.factories.access import GrantFactory, PaidOrderFactory, release_with
from tests.factories.identity import OrganizationFactory, actor_of

OLD, NEW = "日付,人数\n2026-10-01,900\n".encode(), "日付,人数\n2026-11-01,1200\n".encode()
NAME = "人流 データ.csv"


@pytest.fixture
def sold(session):
    """A grant over two releases that hold the same name, beside a release it does not open."""
    order = PaidOrderFactory()
    noise = GrantFactory()
    release_with(noise.dataset_id, {NAME: b"noise"})
    now = clock.now()
    new = release_with(order.dataset_id, {NAME: NEW}, now - timedelta(days=1))
    old = release_with(order.dataset_id, {NAME: OLD, "古い.csv": OLD}, now - timedelta(days=40))
    unsold = release_with(order.dataset_id, {NAME: b"not bought", "新しい.csv": b"not bought"})
    grant = GrantFactory(order=order, releases=[old, new])
    return grant, old, new, unsold


def owner(grant):
    return actor_of(db.session.get_one(Organization, grant.organization_id))


def test_the_newest_release_of_the_grant_answers_for_a_name(sold):
    grant, _old, new, _unsold = sold
    entitlement = queries.authorize(owner(grant), grant.id, NAME)
    assert entitlement.release_id == new
    assert entitlement.sha256 == hashlib.sha256(NEW).hexdigest()
    assert entitlement.size_bytes == len(NEW)
    assert (entitlement.file_name, entitlement.media_type) == (NAME, "text/csv")
    assert entitlement.file_id.startswith("fil_")
    assert entitlement.published_at.tzinfo is not None
    assert (entitlement.grant_id, entitlement.organization_id) == (grant.id, grant.organization_id)
    assert (entitlement.provider_organization_id, entitlement.dataset_id) == (
        grant.provider_organization_id,
        grant.dataset_id,
    )


def test_an_older_release_answers_when_it_is_named_or_is_the_only_one_with_that_name(sold):
    grant, old, _new, _unsold = sold
    assert queries.authorize(owner(grant), grant.id, NAME, old).sha256 == hashlib.sha256(OLD).hexdigest()
    assert queries.authorize(owner(grant), grant.id, "古い.csv").release_id == old


def test_it_takes_one_query(sold):
    grant, *_ = sold
    actor, asked = owner(grant), []

    def note(*facts):
        asked.append(facts[2])

    event.listen(db.engine, "before_cursor_execute", note)
    queries.authorize(actor, grant.id, NAME)
    event.remove(db.engine, "before_cursor_execute", note)
    assert len(asked) == 1


def test_what_was_sold_stays_sold_when_the_catalogue_withdraws_it(sold, session):
    grant, _old, new, _unsold = sold
    session.execute(update(Release).where(Release.id == new).values(state="withdrawn", withdrawn_at=clock.now()))
    session.execute(update(Dataset).where(Dataset.id == grant.dataset_id).values(state="withdrawn"))
    assert queries.authorize(owner(grant), grant.id, NAME).release_id == new


def test_a_release_or_file_that_was_not_bought_is_not_found(sold):
    grant, old, _new, unsold = sold
    for name, release_id in (
        ("新しい.csv", None),
        (NAME, unsold),
        ("新しい.csv", unsold),
        (NAME, "rel_none"),
        ("古い.csv\0", None),
        ("古い.csv", f"{old}\0"),
        ("\ud800", None),
        ("古い.CSV", None),
        ("", None),
        ("../古い.csv", None),
    ):
        with pytest.raises(NotFound):
            queries.authorize(owner(grant), grant.id, name, release_id)


def test_a_foreign_grant_is_not_found_by_anyone_not_even_provider_operator_or_auditor(sold):
    grant, *_ = sold
    provider = actor_of(db.session.get_one(Organization, grant.provider_organization_id))
    others = [actor_of(OrganizationFactory(**{name: True})) for name in ("buyer", "operator", "auditor")]
    for actor in (provider, *others):
        with pytest.raises(NotFound) as foreign:
            queries.authorize(actor, grant.id, NAME)
        with pytest.raises(NotFound) as absent:
            queries.authorize(actor, "grt_none", NAME)
        assert str(foreign.value) == str(absent.value)


def test_a_revoked_grant_is_refused_at_once_to_its_owner_and_stays_unknown_to_others(sold):
    grant, *_ = sold
    actor = owner(grant)
    access.revoke(actor_of(OrganizationFactory(operator=True)), grant.id, "契約違反")
    with pytest.raises(GrantRevoked):
        queries.authorize(actor, grant.id, NAME)
    with pytest.raises(GrantRevoked):
        queries.authorize(actor, grant.id, "no such file")
    with pytest.raises(NotFound):
        queries.authorize(actor_of(OrganizationFactory()), grant.id, NAME)


def test_a_grant_ends_at_the_very_instant(session):
    grant = GrantFactory(expires_at=clock.now() + timedelta(days=3))
    release_id = release_with(grant.dataset_id, {NAME: NEW})
    db.session.add(access.GrantRelease(grant_id=grant.id, release_id=release_id))
    db.session.flush()
    actor = owner(grant)
    with clock.stopped(grant.expires_at - timedelta(microseconds=1)):
        assert queries.authorize(actor, grant.id, NAME).release_id == release_id
    with clock.stopped(grant.expires_at), pytest.raises(GrantExpired):
        queries.authorize(actor, grant.id, NAME)


def test_all_files_of_a_grant_are_listed_to_its_parties_newest_release_first(sold):
    grant, old, new, _unsold = sold
    for actor in (owner(grant), actor_of(OrganizationFactory(auditor=True))):
        files = queries.list_entitled_files(actor, grant.id)
        assert [(file.release_id, file.file_name) for file in files] == [(new, NAME), (old, NAME), (old, "古い.csv")]
    assert files[0] == queries.authorize(owner(grant), grant.id, NAME)
    with pytest.raises(NotFound):
        queries.list_entitled_files(actor_of(OrganizationFactory()), grant.id)
