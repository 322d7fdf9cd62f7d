"""Forgotten and changed passwords end what was open, and tell nobody who has an account."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session as Database

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity.errors import StepUpRequired
from marketplace.identity.login import account, recovery, sessions, signing_in
from marketplace.identity.login.errors import LinkOver, PasswordRefused, SignInRefused, TooManySignIns
from marketplace.identity.login.models import EmailChallenge
from marketplace.identity.login.signing_in import SecondFactorNeeded, SignedIn
from marketplace.identity.models import Person
from marketplace.identity.states import PersonState
from marketplace.kit import clock, jobs, mail
from marketplace.kit.transaction import transaction
from tests.factories.identity import MemberFactory, PersonFactory
from tests.identity.login.conftest import (
    ELSEWHERE,
    PASSWORD,
    PEER,
    found,
    person_with_password,
    sessions_of,
    signed_in,
    with_generator,
)
from tests.identity.login.test_sessions import family_of, revoked_at

NEW = "a better password than before"


def asked(email: str, peer: str = PEER) -> list[mail.Mail]:
    """What waits in the outbox after somebody has asked for a link."""
    before = len(mail.list_waiting())
    with transaction():
        recovery.ask(email, peer)
    jobs.run_pending("identity.recover")
    return list(mail.list_waiting())[before:]


def link_in(letter: mail.Mail) -> str:
    return re.search(r"http://127\.0\.0\.1:8000/recovery/(mk_pw_[\w-]{49})\n", letter.body)[1]  # type: ignore[index]


def test_a_link_sets_a_new_password_and_ends_all_sessions_and_tokens(session: Database) -> None:
    person = person_with_password()
    family = family_of(MemberFactory(person_id=person.id))
    token, _who = signed_in(person.id)
    strangers, _stranger = signed_in(PersonFactory().id)
    (letter,) = asked(f" {person.email.upper()} ")
    assert letter.recipient == person.email
    recovery.reset(link_in(letter), NEW)
    assert sessions.find(token) is None
    assert sessions.find(strangers) is not None
    assert revoked_at(family) is not None
    with pytest.raises(SignInRefused):
        signing_in.with_password(person.email, PASSWORD, PEER, "")
    assert isinstance(signing_in.with_password(person.email, NEW, PEER, ""), SignedIn)
    assert record.search_entries(record.Search(subject=person.id, verb=Verb.PASSWORD_CHANGED.value)).items


def test_asking_does_the_same_whether_or_not_somebody_has_the_address(session: Database) -> None:
    person, disabled = person_with_password(), person_with_password(state=PersonState.DISABLED.value)
    for email in (person.email, disabled.email, "nobody@example.jp", "", "\0", "x" * 1000):
        with transaction():
            recovery.ask(email, PEER)
        assert not mail.list_waiting()
    assert jobs.run_pending("identity.recover") == 6
    assert [letter.recipient for letter in mail.list_waiting()] == [person.email]


def test_a_link_works_once_and_takes_the_others_along(session: Database) -> None:
    person = person_with_password()
    first, second = (link_in(asked(person.email)[0]) for _ in range(2))
    recovery.reset(second, NEW)
    for over in (first, second, "never-sent"):
        assert not recovery.is_open(over)
        with pytest.raises(LinkOver):
            recovery.reset(over, "yet another password")
    assert isinstance(signing_in.with_password(person.email, NEW, PEER, ""), SignedIn)


def test_a_link_works_for_an_hour_and_is_kept_as_a_hash(session: Database) -> None:
    person = person_with_password()
    link = link_in(asked(person.email)[0])
    assert recovery.is_open(link)
    assert link not in str(session.scalars(select(EmailChallenge.token_sha256)).all())
    with clock.stopped(clock.now() + timedelta(hours=1, seconds=1)), pytest.raises(LinkOver):
        recovery.reset(link, NEW)


def test_a_weak_password_is_refused_and_the_link_still_works(session: Database) -> None:
    person = person_with_password()
    link = link_in(asked(person.email)[0])
    with pytest.raises(PasswordRefused):
        recovery.reset(link, person.email)
    assert recovery.is_open(link)


def test_a_link_does_not_pass_by_the_second_factor(session: Database) -> None:
    person = person_with_password()
    with_generator(person.id)
    recovery.reset(link_in(asked(person.email)[0]), NEW)
    assert isinstance(signing_in.with_password(person.email, NEW, PEER, ""), SecondFactorNeeded)


def test_nobody_fills_a_letter_box_and_nobody_asks_for_all_the_town(session: Database, monkeypatch: Any) -> None:
    person, other = person_with_password(), person_with_password()
    assert [len(asked(person.email, f"192.0.2.{n}")) for n in range(5)] == [1, 1, 1, 0, 0]
    assert len(asked(other.email)) == 1
    monkeypatch.setattr(recovery, "ASKED_MAX", 3)
    for n in range(2):
        asked(f"nobody{n}@example.jp")
    with pytest.raises(TooManySignIns):
        asked(other.email)
    assert len(asked(other.email, ELSEWHERE)) == 1


def test_expired_links_are_forgotten(session: Database) -> None:
    asked(person_with_password().email)
    recovery.forget_expired()
    assert session.query(EmailChallenge).count() == 1
    with clock.stopped(clock.now() + timedelta(days=2)):
        recovery.forget_expired()
    assert session.query(EmailChallenge).count() == 0


def test_a_changed_password_ends_the_other_sessions_and_renews_this_one(session: Database) -> None:
    person = person_with_password()
    family = family_of(MemberFactory(person_id=person.id))
    here, who = signed_in(person.id)
    there, _other = signed_in(person.id)
    renewed = account.change_password(who, PASSWORD, NEW, PEER)
    assert sessions.find(here) is None
    assert sessions.find(there) is None
    assert found(renewed).id == who.id
    assert revoked_at(family) is not None
    assert isinstance(signing_in.with_password(person.email, NEW, PEER, ""), SignedIn)
    assert mail.list_waiting()[-1].recipient == person.email


def test_without_the_present_password_nothing_changes_and_it_is_counted(session: Database) -> None:
    person = person_with_password()
    token, who = signed_in(person.id)
    for _ in range(10):
        with pytest.raises(SignInRefused):
            account.change_password(who, "wrong", NEW, PEER)
    with pytest.raises(TooManySignIns):
        account.change_password(who, PASSWORD, NEW, PEER)
    assert sessions.find(token) is not None
    assert not mail.list_waiting()
    assert session.scalar(select(Person.password_hash).where(Person.id == person.id)) == person.password_hash


def test_a_weak_new_password_is_refused(session: Database) -> None:
    person = person_with_password()
    token, who = signed_in(person.id)
    with pytest.raises(PasswordRefused):
        account.change_password(who, PASSWORD, person.email, PEER)
    assert sessions.find(token) is not None


def test_a_session_without_the_second_factor_changes_no_password(session: Database) -> None:
    person = person_with_password()
    with_generator(person.id)
    before = sessions_of(person.id)
    _token, who = signed_in(person.id)
    with pytest.raises(StepUpRequired):
        account.change_password(who, PASSWORD, NEW, PEER)
    assert sessions_of(person.id) == before + 1
