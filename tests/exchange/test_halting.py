"""Grants that come while an incident has such grants rest: they rest from their first moment, whichever way they came."""

from datetime import timedelta

import pytest
from flask import Flask

from marketplace.access import queries as grants_read
from marketplace.access import service as grants
from marketplace.access.errors import GrantSuspended
from marketplace.access.states import Cause
from marketplace.app import install
from marketplace.exchange import halting, purchase, withdrawal
from marketplace.exchange import incident as stories
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.incidents import queries
from marketplace.incidents.states import Target
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from tests.factories import market
from tests.factories.incidents import deeds, opened, told


@pytest.fixture
def operator(app: Flask) -> Actor:
    return market.party(operator=True)


@pytest.fixture
def on(operator: Actor) -> market.Listed:
    """A dataset on sale."""
    return market.listed()


def test_what_was_ordered_before_and_is_paid_after_rests_until_the_incident_is_lifted(app, operator, on) -> None:
    install(app)
    late = market.buyer()
    made = market.ordered(late, market.offered(on))
    incident = opened(operator, dataset_ids=(on.dataset_id,), suspends=(Target.GRANTS, Target.SALES))
    market.visit(app, made)
    market.learn()
    db.session.expire_all()
    grant_id = str(purchase.read(late, made.order.id).grant_id)
    with pytest.raises(GrantSuspended):
        market.fetched(late, grant_id)
    told(operator, incident)
    [notice] = queries.list_notices(late).items
    assert queries.shares_of([notice])[notice.id].grants == 1
    assert [one.suspended for one in queries.list_touched(incident.id)] == [True]
    with transaction():
        stories.lift(operator, incident.id)
    market.fetched(late, grant_id)


def test_a_new_grant_rests_where_every_scope_holds_and_nowhere_else(app, operator, on) -> None:
    late, here = market.buyer(), {"dataset_ids": (on.dataset_id,)}
    holding = (
        here,
        {"release_ids": (on.release_id,)},
        {"sha256s": (market.opened_sha256(),)},
        {"organization_ids": (late.organization_id,)},
        {"organization_ids": (on.provider.organization_id,)},
        {"client_ids": (str(late.client_id),)},
    )
    halting_ones = [opened(operator, suspends=(Target.GRANTS,), **named).id for named in holding]
    opened(operator, suspends=(Target.GRANTS,), organization_ids=(operator.organization_id,), **here)
    opened(operator, suspends=(Target.GRANTS,), drill=True, **here)
    free = {"kind": PriceKind.FREE}
    grant_id = str(market.bought(app, late, market.offered(on, **free)).grant_id)
    assert list(queries.list_halting(grant_id)) == halting_ones
    assert list(grants_read.list_resting(Cause.INCIDENT, halting_ones[2])) == [grant_id]
    other = market.offered(market.listed(content=b"a\n1\n"), **free)
    elsewhere = str(market.bought(app, market.buyer(), other).grant_id)
    assert grants_read.require_grant(elsewhere).state == "active"


def test_a_grant_that_is_given_back_or_renewed_rests_as_well(app, operator, on) -> None:
    offer = market.offered(on, kind=PriceKind.FREE, duration_days=2)
    back, renewed = (str(market.bought(app, market.buyer(), offer).grant_id) for _ in range(2))
    with transaction():
        grants.revoke_for(SYSTEM, back, "返金", "rfd_1")
    with clock.stopped(clock.now() + timedelta(days=9)):
        opened(
            operator, began_at=clock.now() - timedelta(days=1), dataset_ids=(on.dataset_id,), suspends=(Target.GRANTS,)
        )
        with transaction():
            withdrawal.restore_access(SYSTEM, ["rfd_1"])
            grants.renew(renewed, clock.today())
            halting.heed(renewed)
    states = [grants_read.require_grant(one).state for one in (back, renewed)]
    assert states == ["suspended", "suspended"]


def test_the_watch_lets_rest_what_has_come_to_light_and_says_so_once(app, operator, on, monkeypatch) -> None:
    monkeypatch.setattr(halting, "heed", lambda _grant_id: None)
    incident = opened(operator, dataset_ids=(on.dataset_id,), suspends=(Target.GRANTS,))
    grant_id = str(market.bought(app, market.buyer(), market.offered(on, kind=PriceKind.FREE)).grant_id)
    assert grants_read.require_grant(grant_id).state == "active"
    for _ in range(2):
        stories.watch()
    db.session.expire_all()
    assert grants_read.require_grant(grant_id).state == "suspended"
    assert deeds(incident) == ["incidents.incident.opened", *["incidents.incident.assessed"] * 2]
