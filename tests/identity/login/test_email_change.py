"""Another e-mail address counts once its link was opened, and ends all that the old one began."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity.errors import MyNumberRefused, StepUpRequired
from marketplace.identity.login import email_change, mailed_links, people, recovery, sessions
from marketplace.identity.login.errors import LinkOver, SignInRefused, TooManySignIns
from marketplace.identity.login.models import EmailChallenge
from marketplace.identity.login.sessions import Session
from marketplace.identity.login.states import ChallengePurpose
from marketplace.identity.models import Person
from marketplace.identity.states import Assurance
from marketplace.kit import clock, mail
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.transaction import transaction
from tests.factories.identity import PersonFactory
from tests.identity.login.conftest import (
    PASSWORD,
    PEER,
    code_now,
    person_with_password,
    sessions_of,
    signed_in,
    with_generator,
)
from tests.identity.oauth.people import waits_for_me
from tests.live import wait_until

NEW = "new-address@example.jp"
ANOTHER_PASSWORD = "quite another one, this"


def ask(session: Session, email: str = NEW, password: str = PASSWORD) -> None:
    email_change.ask(session, email, password, PEER)


def letters_to(address: str) -> list[str]:
    return [letter.body for letter in mail.list_waiting() if letter.recipient == address]


def link_to(address: str = NEW, path: str = "/email/") -> str:
    """The token of the link that was mailed there last."""
    found = re.search(rf"{path}([\w-]+)", letters_to(address)[-1])
    assert found
    return found[1]


def confirm(token: str) -> None:
    with transaction():
        email_change.confirm(token)


def address_of(person: Person) -> str:
    return str(db.session.scalar(select(Person.email).where(Person.id == person.id)))


def test_an_address_changes_once_the_link_to_it_was_opened_and_the_old_one_is_told(app: Flask) -> None:
    person, bystander = person_with_password(), person_with_password()
    old, untouched = person.email, bystander.email
    _token, who = signed_in(person.id)
    ask(who, f" {NEW} ")
    assert address_of(person) == old
    assert len(letters_to(old)) == 1
    assert NEW not in letters_to(old)[0]
    token = link_to()
    assert email_change.is_open(token)
    confirm(token)
    assert (address_of(person), address_of(bystander)) == (NEW, untouched)
    assert len(letters_to(old)) == 2
    assert sessions_of(person.id) == 0
    written = record.search_entries(record.Search(subject=person.id)).items
    verbs = [placed.entry.verb for placed in written]
    assert {Verb.EMAIL_CHANGE_ASKED.value, Verb.EMAIL_CHANGED.value, Verb.SESSIONS_REVOKED.value} <= set(verbs)
    assert all("@" not in placed.entry.canonical for placed in written)


def test_a_link_works_once_and_for_an_hour(app: Flask) -> None:
    person = person_with_password()
    _token, who = signed_in(person.id)
    ask(who)
    token = link_to()
    with clock.stopped(clock.now() + timedelta(minutes=61)):
        assert not email_change.is_open(token)
        with pytest.raises(LinkOver):
            confirm(token)
    assert address_of(person) != NEW
    confirm(token)
    assert not email_change.is_open(token)
    with pytest.raises(LinkOver):
        confirm(token)


def test_a_later_link_voids_the_earlier_one(app: Flask) -> None:
    person = person_with_password()
    _token, who = signed_in(person.id)
    ask(who)
    first = link_to()
    ask(who, "third@example.jp")
    with pytest.raises(LinkOver):
        confirm(first)
    confirm(link_to("third@example.jp"))
    assert address_of(person) == "third@example.jp"


def test_the_password_is_needed_where_there_is_one(app: Flask) -> None:
    person, without = person_with_password(), PersonFactory()
    _token, who = signed_in(person.id)
    with pytest.raises(SignInRefused):
        ask(who, password="not it, this")
    assert mail.list_waiting() == []
    assert db.session.scalars(select(EmailChallenge)).all() == []
    _token, who = signed_in(without.id)
    ask(who, password="")
    assert letters_to(NEW)


def test_who_has_a_second_factor_proves_it_first(app: Flask) -> None:
    person = person_with_password()
    secret, _codes = with_generator(person.id)
    _token, who = signed_in(person.id)
    with pytest.raises(StepUpRequired):
        ask(who)
    _token, stale = signed_in(person.id, Assurance.AAL2)
    with clock.stopped(clock.now() + timedelta(minutes=11)), pytest.raises(StepUpRequired):
        ask(stale)
    assert mail.list_waiting() == []
    assert code_now(secret)
    _token, fresh = signed_in(person.id, Assurance.AAL2)
    ask(fresh)
    assert letters_to(NEW)


def test_nobody_learns_whether_an_address_is_somebodys(app: Flask) -> None:
    person, taken = person_with_password(), PersonFactory(email="Taken@example.jp")
    _token, who = signed_in(person.id)
    ask(who, "taken@EXAMPLE.jp")
    assert letters_to("taken@EXAMPLE.jp") == letters_to(taken.email) == []
    assert len(letters_to(person.email)) == 1
    assert db.session.scalars(select(EmailChallenge)).all() == []


def test_an_address_that_became_somebody_elses_is_not_taken(app: Flask) -> None:
    person = person_with_password()
    old = person.email
    _token, who = signed_in(person.id)
    ask(who)
    PersonFactory(email=NEW.upper())
    db.session.commit()
    with pytest.raises(LinkOver):
        confirm(link_to())
    assert address_of(person) == old
    assert sessions_of(person.id) == 1


@pytest.mark.parametrize("email", ["", "no address", "a@b@c.jp", "x" * 300 + "@example.jp", "a\0b@example.jp"])
def test_what_is_no_address_is_refused(app: Flask, email: str) -> None:
    _token, who = signed_in(person_with_password().id)
    with pytest.raises(Invalid):
        ask(who, email)
    with pytest.raises(Invalid):
        ask(who, who.email.upper())
    with pytest.raises(MyNumberRefused):
        ask(who, "123456789018@example.jp")
    assert mail.list_waiting() == []


def test_an_account_that_was_broken_into_fills_no_letter_box(app: Flask) -> None:
    _token, who = signed_in(person_with_password().id)
    for _ in range(email_change.ASKED_MAX):
        ask(who)
    sent = len(mail.list_waiting())
    with pytest.raises(TooManySignIns):
        ask(who)
    assert len(mail.list_waiting()) == sent


def test_a_change_voids_the_links_to_set_a_new_password(app: Flask) -> None:
    person = person_with_password()
    recovery.send_link(person.email)
    reset = link_to(person.email, "/recovery/")
    _token, who = signed_in(person.id)
    ask(who)
    assert recovery.is_open(reset)
    confirm(link_to())
    assert not recovery.is_open(reset)
    with pytest.raises(LinkOver):
        recovery.reset(reset, ANOTHER_PASSWORD)


def test_of_four_that_open_a_link_at_once_one_is_let_through(own_database: Flask) -> None:
    with transaction():
        person = person_with_password()
    _token, who = signed_in(person.id)
    ask(who)
    token = link_to()
    assert sum(at_once(own_database, *[lambda: confirm(token)] * 4)) == 1
    assert address_of(person) == NEW


def test_of_two_people_who_want_one_address_at_once_one_gets_it(own_database: Flask) -> None:
    with transaction():
        pair = [person_with_password() for _ in range(2)]
    tokens = []
    for person in pair:
        _token, who = signed_in(person.id)
        ask(who)
        tokens.append(link_to())
    assert sum(at_once(own_database, *[lambda token=token: confirm(token) for token in tokens])) == 1
    assert sorted(address_of(person) == NEW for person in pair) == [False, True]


@pytest.mark.parametrize("first", ["change", "reset"])
def test_a_new_address_and_a_new_password_at_once_do_not_block_each_other(own_database: Flask, first: str) -> None:
    with transaction():
        person = person_with_password()
    recovery.send_link(person.email)
    reset = link_to(person.email, "/recovery/")
    _token, who = signed_in(person.id)
    ask(who)
    change = link_to()
    deeds: dict[str, Callable[[], None]] = {
        "change": lambda: confirm(change),
        "reset": lambda: recovery.reset(reset, ANOTHER_PASSWORD),
    }
    second = deeds["reset" if first == "change" else "change"]
    with ThreadPoolExecutor(1) as pool:
        with transaction():
            purpose, token = {"change": (ChallengePurpose.CHECK, change), "reset": (ChallengePurpose.RESET, reset)}[
                first
            ]
            people.hold(person.id)
            mailed_links.spend(purpose, token)
            coming = pool.submit(succeeds, own_database, second)
            wait_until("the second to wait for the first", waits_for_me)
            people.void_links(person.id)
        assert not coming.result(timeout=120)
    assert [row.used_at is not None for row in db.session.scalars(select(EmailChallenge))] == [True, True]


def succeeds(app: Flask, deed: Callable[[], None]) -> bool:
    with app.app_context():
        try:
            deed()
        except LinkOver:
            return False
        return True


def at_once(app: Flask, *deeds: Callable[[], None]) -> list[bool]:
    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(lambda deed: succeeds(app, deed), deeds))


def test_no_session_outlives_a_change(app: Flask) -> None:
    person = person_with_password()
    tokens = [signed_in(person.id)[0] for _ in range(2)]
    _token, who = signed_in(person.id)
    ask(who)
    confirm(link_to())
    assert [sessions.find(token) for token in tokens] == [None, None]
