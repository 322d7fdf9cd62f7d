"""Two people for an override, held by the database: of those who approve at once, and against who acts alone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity import queries as organizations
from marketplace.identity import service as identity
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.overrides import queries, service
from marketplace.identity.overrides.errors import OverrideOver
from marketplace.identity.overrides.models import Override
from marketplace.identity.overrides.states import OverrideDeed
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.api.trade import party, refused
from tests.factories import market
from tests.factories.oversight import in_person
from tests.identity.oauth.people import waits_for_me
from tests.live import WAIT_SECONDS, wait_until


def proposed() -> tuple[str, Actor]:
    """A proposal that waits for somebody else, and the operator's program, which all of its people use."""
    operator = market.party(operator=True)
    somebody = member_of(operator)
    with transaction():
        made = service.propose(somebody, OverrideDeed.REFUND, "inv_1", {}, "申し出による")
        return made.id, operator


def member_of(operator: Actor) -> Actor:
    """Somebody of the operator's."""
    with transaction():
        return in_person(operator)


def entries(override_id: str, verb: Verb) -> int:
    return len(record.search_entries(record.Search(subject=override_id, verb=verb.value)).items)


def test_of_four_people_who_approve_at_once_one_does(own_database: Flask) -> None:
    override_id, operator = proposed()
    people = [member_of(operator) for _ in range(4)]
    start = Barrier(4)

    def attempt(who: Actor) -> str | None:
        with own_database.app_context():
            start.wait()
            try:
                with transaction():
                    return service.approve(who, override_id).approver_member_id
            except OverrideOver:
                return None

    with ThreadPoolExecutor(4) as pool:
        [approver] = [who for who in pool.map(attempt, people) if who]
    read = queries.get_override(override_id)
    assert (read.state, read.approver_member_id) == ("carried_out", approver)
    assert entries(override_id, Verb.OVERRIDE_APPROVED) == 1


def test_whoever_approves_while_it_is_withdrawn_is_one_or_the_other(own_database: Flask) -> None:
    override_id, operator = proposed()
    somebody = member_of(operator)
    start = Barrier(2)

    def attempt(deed: str) -> bool:
        with own_database.app_context():
            start.wait()
            try:
                with transaction():
                    getattr(service, deed)(somebody, override_id)
            except OverrideOver:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(attempt, ("approve", "withdraw"))) == 1
    ended = [entries(override_id, verb) for verb in (Verb.OVERRIDE_APPROVED, Verb.OVERRIDE_WITHDRAWN)]
    assert sorted(ended) == [0, 1]


@pytest.fixture
def two_needed(own_database: Flask) -> Iterator[Flask]:
    """An exchange where overrides take two people."""
    before = settings.current()
    settings.install(replace(before, two_person_overrides=True))
    yield own_database
    settings.install(before)


def test_one_person_lifts_no_suspension_that_comes_at_the_same_moment(two_needed: Flask) -> None:
    operator, who = party(two_needed, "operator", "operator"), market.buyer().organization_id
    with ThreadPoolExecutor(1) as pool:
        with transaction():
            identity.suspend_organization(SYSTEM, who, "漏えいの疑い")
            lifting = pool.submit(operator.post, f"/v1/organizations/{who}/verify", {})
            wait_until("somebody who lifts it", waits_for_me)
        refused(lifting.result(WAIT_SECONDS), 403, "override-needs-two")
    assert organizations.get_organization(who).state == "suspended"


@pytest.mark.parametrize("is_proposer", [True, False], ids=["the proposer", "nobody"])
def test_no_statement_carries_out_what_no_second_person_approved(app: Flask, is_proposer: bool) -> None:
    del app
    override_id, _operator = proposed()
    done = {"state": "carried_out", "ended_at": clock.now() + timedelta(hours=1)}
    approver = {"approver_person_id": queries.get_override(override_id).person_id} if is_proposer else {}
    with pytest.raises(IntegrityError, match="ck_override_"), db.session.begin_nested():
        db.session.execute(update(Override).where(Override.id == override_id).values(**done, **approver))
    assert queries.get_override(override_id).state == "proposed"
