"""A grant rests while any cause stands, and comes back; a revocation is undone only by what brought it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from marketplace.access import queries
from marketplace.access import service as access
from marketplace.access.errors import GrantRevoked, GrantSuspended
from marketplace.access.models import Grant
from marketplace.access.rules import standing
from marketplace.access.states import Cause, Standing
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from tests.factories.access import GrantFactory, PaidOrderFactory, draft_of, release_with
from tests.factories.identity import actor_of

CSV = "日付,人数\n2026-11-01,1200\n".encode()


@pytest.fixture
def grant(session):
    GrantFactory.create_batch(2)
    order = PaidOrderFactory()
    return access.issue(SYSTEM, draft_of(order, release_ids=(release_with(order.dataset_id, {"人流.csv": CSV}),)))


def fetch(session, grant):
    return queries.authorize(actor_of(session.get_one(Organization, grant.organization_id)), grant.id, "人流.csv")


def verbs(session, grant):
    return session.scalars(select(Entry.verb).where(Entry.subject == grant.id).order_by(Entry.id)).all()


def test_a_suspended_grant_opens_nothing_until_its_last_cause_is_lifted(session, grant):
    assert access.suspend(SYSTEM, grant.id, Cause.DISPUTE, "dp_1")
    assert access.suspend(SYSTEM, grant.id, Cause.OVERDUE, "inv_1")
    with pytest.raises(GrantSuspended):
        fetch(session, grant)
    assert access.lift(SYSTEM, grant.id, Cause.DISPUTE, "dp_1")
    with pytest.raises(GrantSuspended):
        fetch(session, grant)
    assert access.lift(SYSTEM, grant.id, Cause.OVERDUE, "inv_1")
    assert fetch(session, grant).file_name == "人流.csv"
    others = session.scalars(select(Grant.state).where(Grant.id != grant.id)).all()
    assert set(others) == {"active"}


def test_a_cause_told_twice_is_recorded_once_and_does_not_come_back_once_lifted(session, grant):
    assert access.suspend(SYSTEM, grant.id, Cause.DISPUTE, "dp_1")
    assert not access.suspend(SYSTEM, grant.id, Cause.DISPUTE, "dp_1")
    assert access.lift(SYSTEM, grant.id, Cause.DISPUTE, "dp_1")
    assert not access.lift(SYSTEM, grant.id, Cause.DISPUTE, "dp_1")
    assert not access.suspend(SYSTEM, grant.id, Cause.DISPUTE, "dp_1")
    assert fetch(session, grant)
    assert verbs(session, grant)[-2:] == [Verb.GRANT_SUSPENDED.value, Verb.GRANT_RESUMED.value]


def test_a_revocation_is_undone_only_by_the_refund_that_brought_it(session, grant):
    access.revoke_for(SYSTEM, grant.id, "返金されました", "rfd_1")
    with pytest.raises(GrantRevoked):
        fetch(session, grant)
    assert not access.reinstate(SYSTEM, grant.id, "rfd_2")
    assert access.reinstate(SYSTEM, grant.id, "rfd_1")
    assert not access.reinstate(SYSTEM, grant.id, "rfd_1")
    assert fetch(session, grant)
    session.refresh(grant)
    assert (grant.state, grant.revoked_at, grant.revoked_reason, grant.revoked_for) == ("active", None, None, None)


def test_what_the_provider_revoked_no_failed_refund_brings_back(session, grant):
    provider = actor_of(session.get_one(Organization, grant.provider_organization_id))
    access.revoke(provider, grant.id, "規約違反")
    access.revoke_for(SYSTEM, grant.id, "返金されました", "rfd_1")
    assert not access.reinstate(SYSTEM, grant.id, "rfd_1")
    with pytest.raises(GrantRevoked):
        fetch(session, grant)


def test_a_grant_reinstated_while_a_cause_stands_stays_suspended(session, grant):
    access.suspend(SYSTEM, grant.id, Cause.OVERDUE, "inv_1")
    access.revoke_for(SYSTEM, grant.id, "返金されました", "rfd_1")
    assert access.reinstate(SYSTEM, grant.id, "rfd_1")
    with pytest.raises(GrantSuspended):
        fetch(session, grant)


def test_a_lifted_cause_does_not_open_what_is_revoked(session, grant):
    access.suspend(SYSTEM, grant.id, Cause.DISPUTE, "dp_1")
    access.revoke_for(SYSTEM, grant.id, "異議が認められました", "dp_1")
    assert access.lift(SYSTEM, grant.id, Cause.DISPUTE, "dp_1")
    with pytest.raises(GrantRevoked):
        fetch(session, grant)


def test_a_suspended_grant_gets_the_new_releases_of_its_dataset(session):
    order = PaidOrderFactory()
    grant = access.issue(SYSTEM, draft_of(order, release_scope="all"))
    access.suspend(SYSTEM, grant.id, Cause.OVERDUE, "inv_1")
    release_id = release_with(order.dataset_id, {"人流.csv": CSV})
    assert access.extend_to_release(order.dataset_id, release_id) == 1
    assert queries.list_release_ids(grant.id) == [release_id]


def test_time_that_has_run_out_is_told_before_a_suspension():
    now = clock.now()
    assert standing("suspended", now, now) is Standing.EXPIRED
    assert standing("suspended", now + timedelta(seconds=1), now) is Standing.SUSPENDED


def test_of_causes_told_and_lifted_at_once_none_is_lost(own_database):
    with own_database.app_context(), transaction():
        grant_id = GrantFactory().id

    def tell(number):
        with own_database.app_context(), transaction():
            return access.suspend(SYSTEM, grant_id, Cause.DISPUTE, f"dp_{number % 4}")

    def lift(number):
        with own_database.app_context(), transaction():
            return access.lift(SYSTEM, grant_id, Cause.DISPUTE, f"dp_{number % 4}")

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(tell, range(16))) == 4
        assert sum(pool.map(lift, range(16))) == 4
    with own_database.app_context():
        assert queries.require_grant(grant_id).state == "active"
