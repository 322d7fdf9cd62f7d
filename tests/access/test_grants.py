"""Grants are issued once, extended, revoked, and read by their parties alone."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from marketplace.access import queries, rules
from marketplace.access import service as access
from marketplace.access.errors import ReasonMissing, RevocationNotYours
from marketplace.access.models import Grant
from marketplace.access.queries import GrantFilter
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.canonical import canonical_json
from marketplace.kit.errors import Invalid, NotFound
from marketplace.licensing.states import ReleaseScope
from tests.factories.access import GrantFactory, PaidOrderFactory, SoldDatasetFactory, draft_of, release_with
from tests.factories.identity import OrganizationFactory, actor_of

CSV = "日付,人数\n2026-11-01,1200\n".encode()


@pytest.fixture
def order(session):
    GrantFactory.create_batch(2)
    return PaidOrderFactory()


def owner_of(session, grant):
    return actor_of(session.get_one(Organization, grant.organization_id))


def provider_of(session, grant):
    return actor_of(session.get_one(Organization, grant.provider_organization_id))


def entries(session, verb):
    return session.scalars(select(Entry).where(Entry.verb == verb.value)).all()


def test_an_order_gives_a_grant_with_the_releases_bought_and_the_days_counted(session, order):
    release_id = release_with(order.dataset_id, {"人流.csv": CSV})
    release_with(order.dataset_id, {"人流.csv": CSV})
    grant = access.issue(SYSTEM, draft_of(order, release_ids=(release_id,), duration_days=30))
    assert grant.id.startswith("grt_")
    assert grant.order_id == order.id
    assert grant.state == "active"
    assert grant.expires_at - grant.starts_at == timedelta(days=30)
    assert queries.list_release_ids(grant.id) == [release_id]
    (entry,) = entries(session, Verb.GRANT_ISSUED)
    assert (entry.subject, entry.counterparty_id, entry.dataset_id) == (
        grant.id,
        order.provider_organization_id,
        order.dataset_id,
    )
    assert entry.facts["release_ids"] == [release_id]
    assert entry.facts["duration_days"] == 30


def test_the_same_order_gives_the_same_grant_and_is_recorded_once(session, order):
    first = access.issue(SYSTEM, draft_of(order))
    again = access.issue(SYSTEM, draft_of(order, duration_days=1))
    assert again.id == first.id
    assert again.expires_at is None
    assert len(entries(session, Verb.GRANT_ISSUED)) == 1
    assert queries.find_grant_of_order(order.id).id == first.id
    assert queries.find_grant_of_order("ord_none") is None


def test_a_grant_of_more_releases_than_an_entry_can_name_is_told_of_in_several(session, order, monkeypatch):
    monkeypatch.setattr(access, "RELEASES_IN_AN_ENTRY", 2)
    old = sorted(release_with(order.dataset_id, {"人流.csv": CSV}) for _ in range(5))
    grant = access.issue(SYSTEM, draft_of(order, release_scope=ReleaseScope.ALL, release_ids=()))
    first, *more = [*entries(session, Verb.GRANT_ISSUED), *entries(session, Verb.GRANT_OPENED)]
    assert [one.facts["release_ids"] for one in (first, *more)] == [old[:2], old[2:4], old[4:]]
    assert {one.subject for one in more} == {grant.id}


def test_as_many_releases_as_an_entry_names_fit_into_one():
    ids = ["rel_" + "0" * 32] * access.RELEASES_IN_AN_ENTRY
    assert len(canonical_json({"release_ids": ids, "others": "x" * 2000})) < 65_535


def test_a_grant_of_all_releases_opens_those_of_now_and_of_later(session, order):
    old = [release_with(order.dataset_id, {"人流.csv": CSV}) for _ in range(2)]
    grant = access.issue(SYSTEM, draft_of(order, release_scope=ReleaseScope.ALL, release_ids=(old[1],)))
    assert grant.release_scope == "all"
    assert queries.list_release_ids(grant.id) == sorted(old)
    assert entries(session, Verb.GRANT_ISSUED)[0].facts["release_scope"] == "all"
    assert entries(session, Verb.GRANT_OPENED) == []
    new = release_with(order.dataset_id, {"人流.csv": CSV})
    assert access.extend_to_release(order.dataset_id, new) == 1
    assert queries.list_release_ids(grant.id) == sorted([*old, new])
    (entry,) = entries(session, Verb.GRANT_EXTENDED)
    assert (entry.subject, entry.dataset_id, entry.facts["grants"]) == (new, order.dataset_id, 1)
    assert access.extend_to_release(order.dataset_id, new) == 0
    assert len(entries(session, Verb.GRANT_EXTENDED)) == 1


def test_a_new_release_reaches_no_grant_that_is_dead_or_of_the_current_release_or_of_another_dataset(session):
    dataset = SoldDatasetFactory()
    orders = [PaidOrderFactory(offer__dataset=dataset) for _ in range(4)]
    GrantFactory(order=orders[0], release_scope="all", revoked=True)
    GrantFactory(order=orders[1], release_scope="all", expired=True)
    GrantFactory(order=orders[2], release_scope="current")
    GrantFactory(release_scope="all")
    live = GrantFactory(order=orders[3], release_scope="all", expires_at=clock.now() + timedelta(hours=1))
    release_id = release_with(dataset.id, {"人流.csv": CSV})
    assert access.extend_to_release(dataset.id, release_id) == 1
    assert queries.list_release_ids(live.id) == [release_id]


@pytest.mark.parametrize("who", ["provider", "operator"])
def test_provider_and_operator_revoke_for_a_reason_once(session, who):
    grant = GrantFactory()
    other = GrantFactory()
    actor = provider_of(session, grant) if who == "provider" else actor_of(OrganizationFactory(operator=True))
    revoked = access.revoke(actor, grant.id, "  利用目的の違反  ")
    assert (revoked.state, revoked.revoked_reason) == ("revoked", "利用目的の違反")
    at = revoked.revoked_at
    assert access.revoke(actor, grant.id, "another reason").revoked_reason == "利用目的の違反"
    assert session.get_one(Grant, grant.id, populate_existing=True).revoked_at == at
    assert session.get_one(Grant, other.id, populate_existing=True).state == "active"
    (entry,) = entries(session, Verb.GRANT_REVOKED)
    assert (entry.subject, entry.organization_id, entry.counterparty_id) == (
        grant.id,
        actor.organization_id,
        grant.organization_id,
    )
    assert "利用目的" not in entry.canonical


def test_nobody_else_revokes_and_strangers_do_not_even_learn_that_the_grant_is_there(session):
    grant = GrantFactory()
    buyer, auditor = owner_of(session, grant), actor_of(OrganizationFactory(auditor=True))
    stranger = actor_of(OrganizationFactory())
    for actor, refusal in ((buyer, RevocationNotYours), (auditor, RevocationNotYours), (stranger, NotFound)):
        with pytest.raises(refusal):
            access.revoke(actor, grant.id, "理由")
    assert session.get_one(Grant, grant.id, populate_existing=True).state == "active"
    assert entries(session, Verb.GRANT_REVOKED) == []


@pytest.mark.parametrize("reason", ["", "   ", "あ" * 1001, "nul\0", "half \ud800"])
def test_a_reason_must_be_stated_and_storable(session, reason):
    grant = GrantFactory()
    with pytest.raises(ReasonMissing) as refusal:
        access.revoke(provider_of(session, grant), grant.id, reason)
    assert refusal.value.errors[0]["pointer"] == "/reason"
    assert session.get_one(Grant, grant.id, populate_existing=True).state == "active"


def test_a_grant_is_shown_to_its_parties_and_overseers_and_to_nobody_else(session):
    grant = GrantFactory()
    overseers = [actor_of(OrganizationFactory(**{name: True})) for name in ("operator", "auditor")]
    for actor in (owner_of(session, grant), provider_of(session, grant), *overseers):
        assert queries.get_grant(actor, grant.id).id == grant.id
    for actor, grant_id in (
        (actor_of(OrganizationFactory()), grant.id),
        (overseers[0], "grt_none"),
        (overseers[0], "\0"),
    ):
        with pytest.raises(NotFound):
            queries.get_grant(actor, grant_id)


def test_stories_of_the_exchange_get_any_grant_there_is(session):
    grant = GrantFactory()
    assert queries.require_grant(grant.id).id == grant.id
    with pytest.raises(NotFound):
        queries.require_grant("grt_none")


def test_lists_show_each_party_its_own_newest_first_in_stable_pages(session):
    buyer, dataset = OrganizationFactory(buyer=True), SoldDatasetFactory()
    mine = [GrantFactory(order=PaidOrderFactory(buyer=buyer, offer__dataset=dataset)).id for _ in range(3)]
    elsewhere = GrantFactory(order=PaidOrderFactory(buyer=buyer), revoked=True)
    noise = GrantFactory()
    me, provider = actor_of(buyer), actor_of(session.get_one(Organization, dataset.organization_id))
    everything = {*mine, elsewhere.id, noise.id}
    auditor = actor_of(OrganizationFactory(auditor=True))
    ids = lambda page: [grant.id for grant in page.items]  # noqa: E731 - read four times below
    assert ids(queries.list_grants(me)) == sorted([*mine, elsewhere.id], reverse=True)
    assert ids(queries.list_grants(provider)) == sorted(mine, reverse=True)
    assert set(ids(queries.list_grants(auditor))) == everything
    assert ids(queries.list_grants(actor_of(OrganizationFactory()))) == []
    assert ids(queries.list_grants(me, GrantFilter(dataset_id=elsewhere.dataset_id))) == [elsewhere.id]
    assert ids(queries.list_grants(me, GrantFilter(state="revoked"))) == [elsewhere.id]
    assert ids(queries.list_grants(auditor, GrantFilter(organization_id=noise.organization_id))) == [noise.id]
    other = GrantFilter(provider_organization_id=dataset.organization_id)
    assert set(ids(queries.list_grants(me, other))) == set(mine)
    first = queries.list_grants(me, size=3)
    GrantFactory(order=PaidOrderFactory(buyer=buyer))
    rest = queries.list_grants(me, cursor=first.next_cursor, size=3)
    assert ids(first) + ids(rest) == sorted([*mine, elsewhere.id], reverse=True)
    assert rest.next_cursor is None
    with pytest.raises(Invalid):
        queries.list_grants(me, cursor="forged")


def test_the_database_refuses_grants_that_cannot_be(session):
    for impossible in (
        {"state": "revoked"},
        {"revoked_reason": "理由"},
        {"state": "lost"},
        {"release_scope": "some"},
        {"expires_at": clock.now() - timedelta(days=2)},
    ):
        order = PaidOrderFactory()
        with pytest.raises(IntegrityError), session.begin_nested():
            GrantFactory(order=order, **impossible)


def test_standing_follows_from_state_and_time():
    now = clock.now()
    second = timedelta(seconds=1)
    assert rules.standing("active", None, now) == "active"
    assert rules.standing("active", now + second, now) == "active"
    assert rules.standing("active", now, now) == "expired"
    assert rules.standing("revoked", now - second, now) == "revoked"
    assert rules.expiry(now, None) is None
