"""Delegations at once, decided by the database."""

from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from sqlalchemy import select

from marketplace.identity import delegations, service
from marketplace.identity.actors import SYSTEM
from marketplace.identity.errors import DelegateNotOpen, DelegationOpen
from marketplace.identity.models import Delegation, Organization
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.identity import OrganizationFactory, actor_of
from tests.identity.oauth.people import waits_for_me
from tests.live import wait_until


def pair() -> tuple[str, str]:
    """The ids of two providers."""
    with transaction():
        return OrganizationFactory(provider=True).id, OrganizationFactory(provider=True).id


def opened(delegator: str, delegate: str) -> None:
    actor = actor_of(db.session.get_one(Organization, delegator))
    delegations.open_delegation(actor, delegate, ["datasets.read"])


def test_of_four_that_delegate_at_once_one_does(own_database: Flask) -> None:
    ids = pair()

    def attempt(_n: int) -> bool:
        with own_database.app_context():
            try:
                with transaction():
                    opened(*ids)
            except DelegationOpen:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(4))) == 1
    assert len(db.session.scalars(select(Delegation)).all()) == 1


def test_what_is_opened_while_a_side_is_suspended_is_not_opened(own_database: Flask) -> None:
    delegator, delegate = pair()

    def beside() -> bool:
        with own_database.app_context():
            try:
                with transaction():
                    opened(delegator, delegate)
            except DelegateNotOpen:
                return False
            return True

    with ThreadPoolExecutor(1) as pool:
        with transaction():
            service.suspend_organization(SYSTEM, delegate, "規約違反")
            opening = pool.submit(beside)
            wait_until("the delegation to wait for the suspension", waits_for_me)
        assert not opening.result(timeout=120)
    assert db.session.scalars(select(Delegation)).all() == []


def test_what_was_opened_before_a_side_is_suspended_is_ended(own_database: Flask) -> None:
    delegator, delegate = pair()

    def beside() -> None:
        with own_database.app_context(), transaction():
            service.suspend_organization(SYSTEM, delegator, "規約違反")

    with ThreadPoolExecutor(1) as pool:
        with transaction():
            opened(delegator, delegate)
            suspending = pool.submit(beside)
            wait_until("the suspension to wait for the delegation", waits_for_me)
        suspending.result(timeout=120)
    assert db.session.scalars(select(Delegation.ended_at)).one() is not None
