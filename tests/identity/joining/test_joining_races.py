"""Several at once: one link, one application, one yes."""

from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from sqlalchemy import text

from marketplace.audit.verbs import Verb
from marketplace.identity import queries
from marketplace.identity.actors import Actor
from marketplace.identity.errors import OrganizationMoveRefused
from marketplace.identity.joining import approving
from marketplace.identity.joining import service as joining
from marketplace.identity.joining.errors import SecondReviewerNeeded
from marketplace.identity.login.errors import LinkOver
from marketplace.identity.models import Organization
from marketplace.identity.states import Capacity, MemberRole
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.identity import MemberFactory, OrganizationFactory, PersonFactory
from tests.identity.joining.steps import applicant, apply, confirm, tokens_to
from tests.identity.joining.test_applying import verbs


def reviewers(count: int) -> list[Actor]:
    """So many different people of one operator, kept."""
    with transaction():
        office = OrganizationFactory(operator=True)
        people = [PersonFactory() for _ in range(count)]
        members = [MemberFactory(organization=office, role="reviewer", person_id=person.id).id for person in people]
        capacities = frozenset({Capacity.OPERATOR})
        return [Actor(office.id, None, one, capacities=capacities, role=MemberRole.REVIEWER) for one in members]


def test_of_eight_uses_of_one_link_at_once_one_confirms(own_database: Flask) -> None:
    organization_id = apply().organization.id
    [token] = tokens_to()

    def use(_n: int) -> bool:
        with own_database.app_context():
            try:
                confirm(token)
            except LinkOver:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(use, range(8))) == 1
    assert len(queries.list_members(organization_id).items) == 1
    assert verbs(organization_id).count(Verb.APPLICATION_CHECKED) == 1


def test_confirming_and_lapsing_at_once_leave_all_or_nothing(own_database: Flask) -> None:
    for n in range(4):
        email = f"n{n}@musubi-shoten.example"
        with clock.stopped(clock.now() - joining.LIFETIME):
            organization_id = apply(email=email).organization.id
        with transaction():
            # The link lives a little longer than the application: both may be at it in the same moment.
            db.session.execute(text("UPDATE email_challenge SET expires_at = now() + interval '1 hour'"))
        token = tokens_to(email)[0]

        def one(deed: str, token: str = token) -> bool:
            with own_database.app_context():
                try:
                    joining.lapse() if deed == "lapse" else confirm(token)
                except LinkOver:
                    return False
                return True

        with ThreadPoolExecutor(2) as pool:
            confirmed, _lapsed = pool.map(one, ("confirm", "lapse"))
        db.session.rollback()
        assert (queries.find_organization(organization_id) is not None) is confirmed


def test_of_two_that_approve_a_risky_one_at_once_the_second_lets_it_in(own_database: Flask) -> None:
    organization_id = applicant(corporate_number=None).organization.id

    def approve(actor: Actor) -> str:
        with own_database.app_context(), transaction():
            return approving.approve(actor, organization_id, "登記簿で確認した。").state

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(approve, reviewers(2))) == ["applied", "verified"]
    assert verbs(organization_id).count(Verb.ORGANIZATION_VERIFIED) == 1


def test_of_eight_clicks_of_one_person_one_counts(own_database: Flask) -> None:
    risky = applicant(corporate_number=None).organization.id
    harmless = applicant(email="other@musubi-shoten.example").organization.id
    [actor] = reviewers(1)

    def approve(organization_id: str) -> bool:
        with own_database.app_context():
            try:
                with transaction():
                    approving.approve(actor, organization_id, "登記簿で確認した。")
            except (SecondReviewerNeeded, OrganizationMoveRefused):
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(approve, [risky] * 8)) == 1
        assert sum(pool.map(approve, [harmless] * 8)) == 1
    states = {one: db.session.get_one(Organization, one, populate_existing=True).state for one in (risky, harmless)}
    assert states == {risky: "applied", harmless: "verified"}
    assert verbs(harmless).count(Verb.ORGANIZATION_VERIFIED) == 1
