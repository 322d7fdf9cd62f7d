"""The operator's yes: by one, or by two, with a reason where the risk asks for it."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.identity import queries, service
from marketplace.identity.actors import Actor
from marketplace.identity.errors import OrganizationMoveRefused
from marketplace.identity.joining import approving, assessing
from marketplace.identity.joining import queries as applications
from marketplace.identity.joining.errors import ApplicationNotAssessed, ApprovalReasonMissing, SecondReviewerNeeded
from marketplace.identity.joining.models import Application, ApplicationReview
from marketplace.identity.login import invitations
from marketplace.identity.models import Organization
from marketplace.identity.states import Capacity, MemberRole, Trust
from marketplace.kit import jobs, mail
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from tests.factories.identity import ApiClientFactory, MemberFactory, OrganizationFactory, PersonFactory, actor_of
from tests.identity.joining.registry import Registers
from tests.identity.joining.steps import EMAIL, applicant, apply, confirm, tokens_to

REASON = "登記事項証明書の原本を確認した。"


@pytest.fixture
def office(app: Flask) -> Organization:
    del app
    return OrganizationFactory(operator=True)


def reviewer(office: Organization) -> Actor:
    """Somebody of the operator's who may say yes."""
    member = MemberFactory(organization=office, role=MemberRole.REVIEWER.value, person_id=PersonFactory().id)
    return Actor(office.id, None, member.id, capacities=frozenset({Capacity.OPERATOR}), role=MemberRole.REVIEWER)


def program(office: Organization) -> Actor:
    return actor_of(office, ApiClientFactory(organization=office))


def standing(organization_id: str) -> tuple[str, str]:
    of = db.session.get_one(Organization, organization_id, populate_existing=True)
    return of.state, of.trust


def facts_of(organization_id: str, verb: Verb) -> list[dict[str, Any]]:
    found = select(Entry.facts).where(Entry.subject == organization_id, Entry.verb == verb.value).order_by(Entry.id)
    return list(db.session.scalars(found))


def reviews() -> int:
    return db.session.query(ApplicationReview).count()


def test_a_harmless_application_takes_one_click_of_one_person(office: Organization) -> None:
    one = applicant().organization.id
    other = applicant(email="other@musubi-shoten.example").organization.id
    approved = approving.approve(reviewer(office), one)
    assert (approved.state, approved.trust) == ("verified", "verified")
    assert standing(other) == ("applied", "applied")
    told = {"risk": "middle", "grounds": ["not-looked-up"], "approvals": 1}
    assert facts_of(one, Verb.ORGANIZATION_VERIFIED) == [told]
    assert [shown.organization.id for shown in applications.list_waiting().items] == [other]


def test_the_applicant_is_told_with_a_link_that_still_works_and_is_forgotten_but_as_a_member(
    office: Organization,
) -> None:
    one = applicant().organization.id
    approving.approve(reviewer(office), one)
    letter = mail.list_waiting()[-1]
    assert letter.recipient == EMAIL
    token = letter.body.split("/invitation/")[1].split()[0]
    person_id = invitations.accept_with_password(token, "correct horse battery staple", "ja")
    assert [organization.id for _member, organization in queries.list_memberships(person_id)] == [one]
    kept = db.session.get_one(Application, one, populate_existing=True)
    assert (kept.contact_name, kept.contact_email) == (None, None)


def test_who_has_joined_already_is_not_invited_anew(office: Organization) -> None:
    one = apply().organization.id
    invitations.accept_with_password(confirm(tokens_to()[0]), "correct horse battery staple", "ja")
    approving.approve(reviewer(office), one)
    body = mail.list_waiting()[-1].body
    assert "/sign-in" in body
    assert "/invitation/" not in body


def test_a_risky_application_takes_a_reason_and_two_people(office: Organization) -> None:
    one = applicant(corporate_number=None).organization.id
    first, second = reviewer(office), reviewer(office)
    with pytest.raises(ApprovalReasonMissing):
        approving.approve(first, one)
    assert (standing(one), reviews()) == (("applied", "applied"), 0)
    assert approving.approve(first, one, REASON).state == "applied"
    with pytest.raises(SecondReviewerNeeded):
        approving.approve(first, one, REASON)
    assert (standing(one), reviews()) == (("applied", "applied"), 1)
    assert approving.approve(second, one, "担当者に電話で確認した。").state == "verified"
    hashed = sha256_hex(REASON.encode())
    told = {"risk": "high", "grounds": ["no-number"], "reason_sha256": hashed}
    assert facts_of(one, Verb.APPLICATION_REVIEWED) == [told]
    assert facts_of(one, Verb.ORGANIZATION_VERIFIED)[0]["approvals"] == 2


def test_one_person_with_two_memberships_has_two_eyes(office: Organization) -> None:
    one = applicant(corporate_number=None).organization.id
    first = reviewer(office)
    person_id = db.session.get_one(type(MemberFactory()), first.member_id).person_id
    elsewhere = OrganizationFactory(operator=True)
    same = MemberFactory(organization=elsewhere, role=MemberRole.OWNER.value, person_id=person_id)
    again = Actor(elsewhere.id, None, same.id, capacities=frozenset({Capacity.OPERATOR}), role=MemberRole.OWNER)
    approving.approve(first, one, REASON)
    with pytest.raises(SecondReviewerNeeded):
        approving.approve(again, one, REASON)
    assert standing(one) == ("applied", "applied")


def test_a_program_of_the_operator_needs_the_reason_alone(office: Organization) -> None:
    one = applicant(corporate_number=None).organization.id
    with pytest.raises(ApprovalReasonMissing):
        approving.approve(program(office), one)
    assert standing(one) == ("applied", "applied")
    assert approving.approve(program(office), one, REASON).state == "verified"


def test_nothing_is_approved_before_the_registers_have_answered(
    office: Organization, registers: Registers, with_keys: None
) -> None:
    del with_keys
    one = applicant().organization.id
    with pytest.raises(ApplicationNotAssessed):
        approving.approve(reviewer(office), one, REASON)
    assert (standing(one), reviews()) == (("applied", "applied"), 0)
    jobs.run_pending(assessing.JOB)
    assert registers.asked
    assert approving.approve(reviewer(office), one, REASON).state == "applied", "the register knows no such number"


def test_what_nobody_confirmed_cannot_be_approved(office: Organization) -> None:
    one = apply().organization.id
    for organization_id in (one, "org_unknown", "org\x00"):
        with pytest.raises(NotFound):
            approving.approve(reviewer(office), organization_id, REASON)
    assert standing(one) == ("unchecked", "applied")


def test_refusing_and_then_lifting_is_no_way_past_two_people(office: Organization) -> None:
    one = applicant(corporate_number=None).organization.id
    first = reviewer(office)
    service.suspend_organization(first, one, "書類が足りない。")
    approving.approve(first, one, REASON)
    assert standing(one) == ("suspended", "applied")
    with pytest.raises(SecondReviewerNeeded):
        approving.approve(first, one, REASON)
    approving.approve(reviewer(office), one, REASON)
    assert standing(one) == ("verified", "verified")


def test_lifting_a_suspension_of_who_was_judged_takes_one(office: Organization) -> None:
    first = reviewer(office)
    one = applicant().organization.id
    approving.approve(first, one)
    with pytest.raises(OrganizationMoveRefused):
        approving.approve(first, one)
    approving.trust(first, one, Trust.QUALIFIED)
    service.suspend_organization(first, one, "未払い")
    with pytest.raises(OrganizationMoveRefused):
        approving.trust(first, one, Trust.VERIFIED)
    assert standing(one) == ("suspended", "qualified")
    approving.approve(first, one)
    assert standing(one) == ("verified", "qualified")


def test_trust_is_given_and_taken_back_among_those_who_are_verified(office: Organization) -> None:
    first, one, waits = reviewer(office), OrganizationFactory(), applicant().organization
    assert approving.trust(first, one.id, Trust.QUALIFIED).trust == "qualified"
    assert approving.trust(first, one.id, Trust.VERIFIED).trust == "verified"
    assert [facts["trust"] for facts in facts_of(one.id, Verb.ORGANIZATION_TRUSTED)] == ["qualified", "verified"]
    for organization_id, trust in ((waits.id, Trust.QUALIFIED), (one.id, Trust.APPLIED)):
        with pytest.raises(OrganizationMoveRefused):
            approving.trust(first, organization_id, trust)
    with pytest.raises(NotFound):
        approving.trust(first, "org_unknown", Trust.QUALIFIED)
    assert (standing(one.id), standing(waits.id)) == (("verified", "verified"), ("applied", "applied"))
