"""Invitations: a link in a letter box lets one person join, once."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session as Database

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity.login import invitations, sessions, signing_in
from marketplace.identity.login.errors import LinkOver, MemberJoined, PasswordRefused, SignInFirst
from marketplace.identity.login.models import Invitation
from marketplace.identity.login.signing_in import SignedIn
from marketplace.identity.models import Member, Organization, Person
from marketplace.kit import clock, mail
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.transaction import transaction
from tests.factories.identity import MemberFactory, OrganizationFactory, PersonFactory, actor_of
from tests.identity.login.conftest import PASSWORD, PEER, person_with_password, signed_in


def invited(member: Member) -> str:
    """The token that was mailed to a member."""
    with transaction():
        organization = db.session.get_one(Organization, member.organization_id)
        invitations.invite(actor_of(organization), member.id)
    body = mail.list_waiting()[-1].body
    return re.search(r"http://127\.0\.0\.1:8000/invitation/(mk_in_[\w-]{49})\n", body)[1]  # type: ignore[index]


def member_with_mail(**said: object) -> Member:
    with transaction():
        return MemberFactory(**{"email": "hana@example.jp", "name": "佐藤 花", **said})


def person_of(member_id: str) -> str | None:
    return db.session.scalar(select(Member.person_id).where(Member.id == member_id))


def test_an_invitation_is_mailed_to_the_member_with_a_link(session: Database) -> None:
    member = member_with_mail()
    token = invited(member)
    letter = mail.list_waiting()[-1]
    assert letter.recipient == "hana@example.jp"
    assert token not in str(session.scalars(select(Invitation.token_sha256)).all())
    entry = record.search_entries(record.Search(subject=member.id, verb=Verb.INVITATION_SENT.value)).items[0]
    assert "hana" not in str(entry.entry.facts)


def test_a_link_says_to_what_it_invites(session: Database) -> None:
    organization = OrganizationFactory(name_ja="株式会社むすび")
    member = member_with_mail(organization=organization, role="finance")
    invitation = invitations.find(invited(member))
    assert invitation is not None
    assert (invitation.member_id, invitation.organization_ja, invitation.role) == (
        member.id, "株式会社むすび", "finance",
    )  # fmt: skip
    assert invitations.find("no-such-token") is None


def test_who_accepts_becomes_a_person_who_signs_in_for_the_organization(session: Database) -> None:
    member = member_with_mail()
    person_id = invitations.accept_with_password(invited(member), PASSWORD, "en")
    person = session.get_one(Person, person_id)
    assert (person.name, person.email, person.locale) == ("佐藤 花", "hana@example.jp", "en")
    answer = signing_in.with_password("hana@example.jp", PASSWORD, PEER, "")
    assert isinstance(answer, SignedIn)
    who = sessions.find(answer.session_token)
    assert who is not None
    assert who.member_id == member.id
    assert record.search_entries(record.Search(subject=member.id, verb=Verb.INVITATION_ACCEPTED.value)).items


def test_a_link_works_once(session: Database) -> None:
    member = member_with_mail()
    token = invited(member)
    person_id = invitations.accept_with_password(token, PASSWORD, "ja")
    for again in (
        lambda: invitations.accept_with_password(token, "another password", "ja"),
        lambda: invitations.accept_as(token, PersonFactory().id),
    ):
        with pytest.raises(LinkOver):
            again()
    assert person_of(member.id) == person_id


def test_a_link_works_for_seven_days_and_until_the_next_one(session: Database) -> None:
    member = member_with_mail()
    first = invited(member)
    second = invited(member)
    assert invitations.find(first) is None
    with clock.stopped(clock.now() + timedelta(days=7, seconds=1)):
        assert invitations.find(second) is None
        with pytest.raises(LinkOver):
            invitations.accept_with_password(second, PASSWORD, "ja")
    assert person_of(member.id) is None
    assert invitations.find(second) is not None


def test_a_weak_password_is_refused_and_the_link_still_works(session: Database) -> None:
    token = invited(member := member_with_mail())
    for weak in ("short", "password", "hana@example.jp"):
        with pytest.raises(PasswordRefused):
            invitations.accept_with_password(token, weak, "ja")
    assert person_of(member.id) is None
    assert invitations.accept_with_password(token, PASSWORD, "ja")


def test_a_link_does_not_set_the_password_of_an_account_that_exists(session: Database) -> None:
    person = person_with_password(email="hana@example.jp")
    before = person.password_hash
    token = invited(member := member_with_mail(email="HANA@example.jp"))
    with pytest.raises(SignInFirst):
        invitations.accept_with_password(token, "another good password", "ja")
    assert session.scalar(select(Person.password_hash).where(Person.id == person.id)) == before
    assert person_of(member.id) is None
    assert invitations.accept_as(token, person.id) == member.id
    assert person_of(member.id) == person.id


def test_one_person_joins_several_organizations_but_none_twice(session: Database) -> None:
    person, organization = PersonFactory(), OrganizationFactory()
    first, second = member_with_mail(organization=organization), member_with_mail()
    twice = member_with_mail(organization=organization, email="hana2@example.jp")
    invitations.accept_as(invited(first), person.id)
    invitations.accept_as(invited(second), person.id)
    token = invited(twice)
    with pytest.raises(MemberJoined), transaction():
        invitations.accept_as(token, person.id)
    assert (person_of(first.id), person_of(second.id), person_of(twice.id)) == (person.id, person.id, None)
    assert invitations.find(token) is not None


def test_only_ones_own_members_with_an_address_who_have_not_joined_are_invited(session: Database) -> None:
    organization = OrganizationFactory()
    actor = actor_of(organization)
    stranger = member_with_mail()
    joined = member_with_mail(organization=organization, person_id=PersonFactory().id)
    silent = MemberFactory(organization=organization)
    for member, refusal in ((stranger, NotFound), (joined, MemberJoined), (silent, Invalid)):
        with pytest.raises(refusal):
            invitations.invite(actor, member.id)
    with pytest.raises(NotFound):
        invitations.invite(actor, "mem_\0")
    assert not mail.list_waiting()


def test_an_invitation_of_a_suspended_organization_or_a_removed_member_is_over(session: Database) -> None:
    token = invited(member := member_with_mail())
    suspended = {"state": "suspended", "suspended_reason": "x"}
    session.execute(update(Organization).where(Organization.id == member.organization_id).values(**suspended))
    with pytest.raises(LinkOver):
        invitations.accept_as(token, PersonFactory().id)
    removed = invited(gone := member_with_mail())
    session.delete(gone)
    session.flush()
    assert invitations.find(removed) is None


def test_expired_invitations_are_forgotten(session: Database) -> None:
    invited(member_with_mail())
    invitations.forget_expired()
    assert session.query(Invitation).count() == 1
    with clock.stopped(clock.now() + timedelta(days=9)):
        invitations.forget_expired()
    assert session.query(Invitation).count() == 0


@pytest.mark.parametrize("same_person", [True, False])
def test_of_eight_that_accept_at_once_one_does(own_database: Flask, same_person: bool) -> None:
    member = member_with_mail()
    member_id, token = member.id, invited(member)
    with transaction():
        people = [PersonFactory().id for _ in range(8)]

    def accept(n: int) -> str | None:
        with own_database.app_context():
            try:
                with transaction():
                    invitations.accept_as(token, people[0 if same_person else n])
            except (LinkOver, MemberJoined):
                return None
            return people[0 if same_person else n]

    with ThreadPoolExecutor(8) as pool:
        accepted = [person_id for person_id in pool.map(accept, range(8)) if person_id]
    db.session.rollback()
    assert accepted == [person_of(member_id)]


def test_of_eight_that_become_a_person_at_once_one_does(own_database: Flask) -> None:
    token = invited(member_with_mail())

    def accept(_n: int) -> bool:
        with own_database.app_context():
            try:
                with transaction():
                    invitations.accept_as_new(token, None, "ja")
            except (LinkOver, MemberJoined, SignInFirst):
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(accept, range(8))) == 1
    db.session.rollback()
    assert db.session.query(Person).count() == 1


def test_a_person_who_signed_in_before_acts_for_the_new_organization_by_choice(session: Database) -> None:
    person = PersonFactory()
    token, who = signed_in(person.id)
    member = member_with_mail()
    invitations.accept_as(invited(member), person.id)
    sessions.wear(who.id, member.id)
    again = sessions.find(token)
    assert again is not None
    assert sessions.actor_of(again).organization_id == member.organization_id
