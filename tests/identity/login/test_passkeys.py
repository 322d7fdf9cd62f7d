"""Passkeys prove who somebody is only here, only now, only once, and only with their owner."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session as Database
from webauthn.helpers import bytes_to_base64url

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity.errors import StepUpRequired
from marketplace.identity.login import passkeys
from marketplace.identity.login.errors import AttemptOver, LastFactor, PasskeyRefused
from marketplace.identity.login.models import LoginAttempt, Passkey
from marketplace.identity.login.sessions import Session
from marketplace.identity.states import Assurance, PersonState
from marketplace.kit import clock
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.transaction import transaction
from tests.factories.identity import PersonFactory
from tests.identity.login.authenticator import PRESENT, VERIFIED, Authenticator
from tests.identity.login.conftest import found, person_with_password, sessions_of, signed_in

ORIGIN, RP_ID = "http://127.0.0.1:8000", "127.0.0.1"


def begun(next_path: str = "/") -> tuple[str, str]:
    with transaction():
        return passkeys.begin(next_path)


def begun_adding(who: Session) -> tuple[str, str]:
    with transaction():
        return passkeys.begin_adding(who)


def owned(person: Any = None) -> tuple[Authenticator, Session, str]:
    """An authenticator with a passkey of somebody, their session, and the passkey's id."""
    with transaction():
        person_id = (person or PersonFactory()).id
    _token, who = signed_in(person_id)
    authenticator = Authenticator(ORIGIN, RP_ID)
    options, attempt = begun_adding(who)
    passkey_id = passkeys.add(who, attempt, authenticator.create(options), "仕事のパソコン")
    return authenticator, who, passkey_id


def counter_of(passkey_id: str) -> int | None:
    return passkeys.db.session.scalar(select(Passkey.sign_count).where(Passkey.id == passkey_id))


def test_a_passkey_signs_in_with_two_factors(session: Database) -> None:
    authenticator, who, passkey_id = owned()
    options, attempt = begun("/consent")
    answer = passkeys.sign_in(attempt, authenticator.get(options), "Firefox")
    assert (found(answer.session_token).acr, answer.person_id) == (Assurance.AAL2, who.person_id)
    assert answer.next_path == "/consent"
    assert counter_of(passkey_id) == 1
    assert passkeys.list_of(who.person_id)[0].last_used_at is not None
    assert record.search_entries(record.Search(subject=passkey_id, verb=Verb.PASSKEY_ADDED.value)).items


def test_the_options_ask_for_the_owner_and_name_nobodys_keys(session: Database) -> None:
    owned()
    said = json.loads(begun()[0])
    assert said["userVerification"] == "required"
    assert said["rpId"] == RP_ID
    assert not said.get("allowCredentials")
    assert len(said["challenge"]) >= 43


def test_the_options_for_another_passkey_name_those_that_are_there(session: Database) -> None:
    authenticator, _who, _id = owned(person := PersonFactory())
    _token, again = signed_in(person.id, Assurance.AAL2)
    said = json.loads(begun_adding(again)[0])
    assert said["authenticatorSelection"]["userVerification"] == "required"
    assert [key["id"] for key in said["excludeCredentials"]] == [bytes_to_base64url(authenticator.credential_id)]


@pytest.mark.parametrize(
    "lies",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:8001"},
        {"origin": "https://127.0.0.1:8000"},
        {"rp_id": "evil.example"},
        {"challenge": bytes_to_base64url(b"0" * 64)},
        {"challenge": ""},
        {"kind": "webauthn.create"},
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"flags": 0},
        {"signed": b"something else"},
        {"count": 0},
        {"handle": bytes_to_base64url(b"per_somebody-else")},
        {"handle": ["x"]},
        {"handle": 1},
    ],
    ids=str,
)
def test_an_answer_that_lies_signs_nobody_in(session: Database, lies: dict[str, Any]) -> None:
    authenticator, who, passkey_id = owned()
    options, attempt = begun()
    passkeys.sign_in(attempt, authenticator.get(options), "")
    before, counted = sessions_of(who.person_id), counter_of(passkey_id)
    options, attempt = begun()
    with pytest.raises(PasskeyRefused):
        passkeys.sign_in(attempt, authenticator.get(options, **lies), "")
    assert sessions_of(who.person_id) == before
    assert counter_of(passkey_id) == counted


@pytest.mark.parametrize("count", [1, 4, 5])
def test_a_counter_that_does_not_rise_is_a_copied_key(session: Database, count: int) -> None:
    authenticator, who, passkey_id = owned()
    options, attempt = begun()
    passkeys.sign_in(attempt, authenticator.get(options, step=5), "")
    before = sessions_of(who.person_id)
    options, attempt = begun()
    with pytest.raises(PasskeyRefused):
        passkeys.sign_in(attempt, authenticator.get(options, count=count), "")
    assert counter_of(passkey_id) == 5
    assert sessions_of(who.person_id) == before


def test_a_passkey_that_counts_nothing_is_taken(session: Database) -> None:
    authenticator, _who, _id = owned()
    for _ in range(2):
        options, attempt = begun()
        assert passkeys.sign_in(attempt, authenticator.get(options, step=0), "")


def test_an_answer_does_not_count_twice_nor_for_another_challenge(session: Database) -> None:
    authenticator, who, _id = owned()
    options, attempt = begun()
    answer = authenticator.get(options)
    passkeys.sign_in(attempt, answer, "")
    before = sessions_of(who.person_id)
    with pytest.raises(AttemptOver):
        passkeys.sign_in(attempt, answer, "")
    with pytest.raises(PasskeyRefused):
        passkeys.sign_in(begun()[1], answer, "")
    assert sessions_of(who.person_id) == before


def test_a_challenge_is_void_after_a_failure_and_after_ten_minutes(session: Database) -> None:
    authenticator, _who, _id = owned()
    options, attempt = begun()
    with pytest.raises(PasskeyRefused):
        passkeys.sign_in(attempt, authenticator.get(options, flags=PRESENT), "")
    with pytest.raises(AttemptOver):
        passkeys.sign_in(attempt, authenticator.get(options), "")
    options, attempt = begun()
    with clock.stopped(clock.now() + timedelta(minutes=11)), pytest.raises(AttemptOver):
        passkeys.sign_in(attempt, authenticator.get(options), "")


def test_an_unknown_key_and_one_of_a_disabled_person_sign_nobody_in(session: Database) -> None:
    options, attempt = begun()
    stranger = Authenticator(ORIGIN, RP_ID)
    with pytest.raises(PasskeyRefused):
        passkeys.sign_in(attempt, stranger.get(options), "")
    person = PersonFactory()
    authenticator, _who, _id = owned(person)
    person.state = PersonState.DISABLED.value
    session.flush()
    options, attempt = begun()
    with pytest.raises(PasskeyRefused):
        passkeys.sign_in(attempt, authenticator.get(options), "")


@pytest.mark.parametrize(
    "answer",
    ["", "{", "[]", "null", "{}", '{"rawId": 1}', '{"rawId": "AA"}', '{"rawId": "\u00e9"}', "[" * 19_000, "x" * 20_001,
     '{"rawId": "AA", "response": []}', '{"rawId": null, "id": null}'],
    ids=range(12),
)  # fmt: skip
def test_whatever_is_sent_for_an_answer_is_refused_plainly(session: Database, answer: str) -> None:
    owned()
    with pytest.raises(PasskeyRefused):
        passkeys.sign_in(begun()[1], answer, "")
    _token, who = signed_in(PersonFactory().id)
    with pytest.raises(PasskeyRefused):
        passkeys.add(who, begun_adding(who)[1], answer, "x")
    assert passkeys.list_of(who.person_id) == []


def test_a_known_key_with_a_broken_answer_is_refused_plainly(session: Database) -> None:
    authenticator, _who, _id = owned()
    for part in ("clientDataJSON", "authenticatorData", "signature"):
        for broken in ("", "AAAA", None, 1, "é"):
            options, attempt = begun()
            answer = json.loads(authenticator.get(options))
            answer["response"][part] = broken
            with pytest.raises(PasskeyRefused):
                passkeys.sign_in(attempt, json.dumps(answer), "")


@pytest.mark.parametrize(
    "lies",
    [{"origin": "https://evil.example"}, {"rp_id": "evil.example"}, {"challenge": "AAAA"}, {"flags": PRESENT},
     {"kind": "webauthn.get"}],
    ids=str,
)  # fmt: skip
def test_a_passkey_made_elsewhere_is_not_added(session: Database, lies: dict[str, Any]) -> None:
    _token, who = signed_in(PersonFactory().id)
    options, attempt = begun_adding(who)
    with pytest.raises(PasskeyRefused):
        passkeys.add(who, attempt, Authenticator(ORIGIN, RP_ID).create(options, **lies), "x")
    assert passkeys.list_of(who.person_id) == []


def test_a_passkey_is_added_by_the_session_that_began_and_once(session: Database) -> None:
    person = PersonFactory()
    _token, who = signed_in(person.id)
    _other_token, other_session = signed_in(person.id)
    _strangers, stranger = signed_in(PersonFactory().id)
    authenticator = Authenticator(ORIGIN, RP_ID)
    for wrong in (other_session, stranger):
        options, attempt = begun_adding(who)
        with pytest.raises(PasskeyRefused):
            passkeys.add(wrong, attempt, authenticator.create(options), "x")
    options, attempt = begun_adding(who)
    answer = authenticator.create(options)
    passkeys.add(who, attempt, answer, "x")
    _renewed, again = signed_in(person.id, Assurance.AAL2)
    with pytest.raises(AttemptOver):
        passkeys.add(again, attempt, answer, "x")
    assert len(passkeys.list_of(person.id)) == 1


def test_nobody_takes_over_the_passkey_of_another(session: Database) -> None:
    authenticator, owner, _id = owned()
    _token, thief = signed_in(PersonFactory().id)
    options, attempt = begun_adding(thief)
    with pytest.raises(PasskeyRefused):
        passkeys.add(thief, attempt, authenticator.create(options), "x")
    assert passkeys.list_of(thief.person_id) == []
    assert len(passkeys.list_of(owner.person_id)) == 1


def test_a_challenge_for_signing_in_adds_nothing_and_the_other_way_round(session: Database) -> None:
    authenticator, _who, _id = owned(person := PersonFactory())
    _token, again = signed_in(person.id, Assurance.AAL2)
    options, attempt = begun()
    with pytest.raises(AttemptOver):
        passkeys.add(again, attempt, "{}", "x")
    options, attempt = begun_adding(again)
    with pytest.raises(AttemptOver):
        passkeys.sign_in(attempt, authenticator.get(options), "")


def test_a_passkey_needs_a_name(session: Database) -> None:
    _token, who = signed_in(PersonFactory().id)
    options, attempt = begun_adding(who)
    with pytest.raises(Invalid):
        passkeys.add(who, attempt, Authenticator(ORIGIN, RP_ID).create(options), "  ")
    assert passkeys.list_of(who.person_id) == []


def test_adding_and_removing_ask_for_a_fresh_proof_with_the_factor_one_has(session: Database) -> None:
    _authenticator, who, passkey_id = owned()
    with pytest.raises(StepUpRequired):
        begun_adding(who)
    with pytest.raises(StepUpRequired):
        passkeys.remove(who, passkey_id)
    assert len(passkeys.list_of(who.person_id)) == 1


def test_a_passkey_is_removed_by_its_owner_alone(session: Database) -> None:
    authenticator, _who, passkey_id = owned(person := person_with_password())
    _token, stranger = signed_in(PersonFactory().id)
    with pytest.raises(NotFound):
        passkeys.remove(stranger, passkey_id)
    _fresh, owner = signed_in(person.id, Assurance.AAL2)
    with transaction():
        passkeys.remove(owner, passkey_id)
    options, attempt = begun()
    with pytest.raises(PasskeyRefused):
        passkeys.sign_in(attempt, authenticator.get(options), "")
    assert record.search_entries(record.Search(subject=passkey_id, verb=Verb.PASSKEY_REMOVED.value)).items


def test_the_only_way_to_sign_in_is_not_taken_away(session: Database) -> None:
    _authenticator, _who, passkey_id = owned(person := PersonFactory())
    _fresh, owner = signed_in(person.id, Assurance.AAL2)
    with pytest.raises(LastFactor), transaction():
        passkeys.remove(owner, passkey_id)
    assert len(passkeys.list_of(person.id)) == 1


def test_stepping_up_takes_a_passkey_of_ones_own(session: Database) -> None:
    authenticator, who, _id = owned()
    strange, _stranger, _other = owned()
    options, attempt = begun()
    with pytest.raises(PasskeyRefused):
        passkeys.step_up(who, attempt, strange.get(options))
    options, attempt = begun()
    assert found(passkeys.step_up(who, attempt, authenticator.get(options))).acr is Assurance.AAL2


def test_of_eight_with_one_answer_at_once_one_gets_in(own_database: Flask) -> None:
    authenticator, who, _id = owned()
    options, attempt = begun()
    answer, before = authenticator.get(options), sessions_of(who.person_id)

    def sign_in(_n: int) -> bool:
        with own_database.app_context():
            try:
                passkeys.sign_in(attempt, answer, "")
            except (AttemptOver, PasskeyRefused):
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(sign_in, range(8))) == 1
    assert sessions_of(who.person_id) == before + 1
    assert own_database.extensions["sqlalchemy"].session.query(LoginAttempt).count() == 2
