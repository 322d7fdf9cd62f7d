"""Signing in: one answer for all that is wrong, and attackers are locked out, not people."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session as Database

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity import throttle
from marketplace.identity.login import attempts, one_time_codes, passwords, recovery_codes, sessions, signing_in
from marketplace.identity.login.errors import AttemptOver, CodeRefused, SignInRefused, TooManySignIns
from marketplace.identity.login.models import LoginAttempt, LoginSession, RecoveryCode
from marketplace.identity.login.signing_in import SecondFactorNeeded, SignedIn
from marketplace.identity.models import FailedAuthentication, Person
from marketplace.identity.states import Assurance, PersonState
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from tests.factories.identity import PersonFactory
from tests.identity.login.conftest import (
    ELSEWHERE,
    PASSWORD,
    PEER,
    code_now,
    found,
    person_with_password,
    sessions_of,
    signed_in,
    with_generator,
)


class Counting:
    """A password hasher that counts how often it was asked, and answers no."""

    def __init__(self) -> None:
        self.asked = 0

    def verify(self, *_what: Any) -> bool:
        self.asked += 1
        raise passwords.VerificationError


def sign_in(email: str, password: str = PASSWORD, peer: str = PEER, next_path: str = "/") -> Any:
    return signing_in.with_password(email, password, peer, "Firefox", next_path)


def half_in(person: Person) -> str:
    """The token of somebody whose password was right."""
    answer = sign_in(person.email)
    assert isinstance(answer, SecondFactorNeeded)
    return answer.attempt_token


def fail(email: str, times: int, peer: str = PEER) -> list[type[Exception]]:
    outcomes: list[type[Exception]] = []
    for _ in range(times):
        with pytest.raises((SignInRefused, TooManySignIns)) as refused:
            sign_in(email, "wrong", peer)
        outcomes.append(refused.type)
    return outcomes


def test_the_right_password_opens_a_session_of_one_factor(session: Database) -> None:
    person = person_with_password()
    answer = sign_in(f" {person.email.upper()} ", next_path="/consent")
    assert isinstance(answer, SignedIn)
    who = found(answer.session_token)
    assert (who.person_id, who.acr, answer.next_path) == (person.id, Assurance.AAL1, "/consent")
    entry = record.search_entries(record.Search(subject=person.id, verb=Verb.PERSON_SIGNED_IN.value)).items[0]
    assert person.email not in str(entry.entry.facts)


def test_signing_in_leads_to_no_other_site(session: Database) -> None:
    person = person_with_password()
    assert sign_in(person.email, next_path="//evil.example").next_path == "/"


def test_unknown_wrong_disabled_and_without_a_password_are_refused_alike_after_the_same_work(
    session: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, disabled = person_with_password(), person_with_password(state=PersonState.DISABLED.value)
    told = set()
    for email, password in (
        (known.email, "wrong"), ("nobody@example.jp", PASSWORD), (disabled.email, PASSWORD),
        (PersonFactory().email, PASSWORD), ("", ""), ("\0@\ud800", "\0"),
    ):  # fmt: skip
        counting = Counting()
        monkeypatch.setattr(passwords, "_hasher", counting)
        monkeypatch.setattr(passwords, "_nobody", lambda: "a hash")
        with pytest.raises(SignInRefused) as refused:
            sign_in(email, password)
        told.add((refused.value.detail, str(refused.value.members), counting.asked))
    assert told == {(SignInRefused.cause, "{}", 1)}
    assert session.query(LoginSession).count() == 0


def test_a_disabled_person_does_not_get_in_with_the_right_password(session: Database) -> None:
    person = person_with_password(state=PersonState.DISABLED.value)
    with pytest.raises(SignInRefused):
        sign_in(person.email)
    assert sessions_of(person.id) == 0


def test_after_ten_wrong_passwords_even_the_right_one_waits_there(session: Database) -> None:
    person = person_with_password()
    assert fail(person.email, 11) == [SignInRefused] * 10 + [TooManySignIns]
    with pytest.raises(TooManySignIns) as refused:
        sign_in(person.email.upper())
    assert 0 < refused.value.members["retry_after_seconds"] <= 601
    assert sessions_of(person.id) == 0


def test_a_person_under_attack_still_signs_in_from_elsewhere(session: Database) -> None:
    person = person_with_password()
    fail(person.email, 11, ELSEWHERE)
    assert isinstance(sign_in(person.email), SignedIn)


def test_one_who_guesses_for_everybody_is_locked_out_and_the_same_for_unknown_addresses(
    session: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_in, "FAILURES_OF_PEER_MAX", 4)
    person = person_with_password()
    outcomes = [fail(f"nobody{n}@example.jp", 1)[0] for n in range(5)]
    assert outcomes == [SignInRefused] * 4 + [TooManySignIns]
    with pytest.raises(TooManySignIns):
        sign_in(person.email)
    assert isinstance(sign_in(person.email, peer=ELSEWHERE), SignedIn)


def test_who_has_a_whole_ipv6_network_does_not_guess_from_each_address_of_it(session: Database) -> None:
    person = person_with_password()
    for n in range(10):
        fail(person.email, 1, f"2001:db8:0:1::{n:x}")
    with pytest.raises(TooManySignIns):
        sign_in(person.email, peer="2001:db8:0:1:ffff::1")
    for elsewhere in ("2001:db8:0:2::1", "::ffff:198.51.100.1"):
        assert isinstance(sign_in(person.email, peer=elsewhere), SignedIn)
    assert throttle.network_of("::ffff:198.51.100.1") == throttle.network_of("198.51.100.1") == "198.51.100.1"


def test_a_browser_that_names_itself_oddly_signs_in(session: Database) -> None:
    person = person_with_password()
    with_generator(person.id)
    answer = signing_in.with_password(person.email, PASSWORD, "no address", "A\0\ud800\r\n", "/")
    assert isinstance(answer, SecondFactorNeeded)


def test_when_the_window_has_ended_the_person_gets_in_again(session: Database) -> None:
    person = person_with_password()
    fail(person.email, 10)
    with clock.stopped(clock.now() + throttle.WINDOW + timedelta(seconds=1)):
        assert isinstance(sign_in(person.email), SignedIn)


def test_no_address_of_whoever_failed_is_kept_in_clear(session: Database) -> None:
    fail("somebody@example.jp", 1)
    kept = str(session.scalars(select(FailedAuthentication.key)).all())
    assert "somebody" not in kept
    assert PEER not in kept


def test_a_password_hashed_with_less_is_hashed_anew(session: Database) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    person = PersonFactory(password_hash=old, password_changed_at=clock.now())
    assert isinstance(sign_in(person.email), SignedIn)
    kept = session.scalar(select(Person.password_hash).where(Person.id == person.id))
    assert kept != old
    assert not passwords.is_outdated(kept)
    assert isinstance(sign_in(person.email), SignedIn)


def test_with_a_generator_the_password_alone_opens_nothing(session: Database) -> None:
    person = person_with_password()
    secret, _codes = with_generator(person.id)
    before = sessions_of(person.id)
    token = half_in(person)
    assert sessions_of(person.id) == before
    assert sessions.find(token) is None
    answer = signing_in.with_code(token, code_now(secret))
    assert found(answer.session_token).acr is Assurance.AAL2


def test_an_attempt_is_used_once(session: Database) -> None:
    person = person_with_password()
    secret, codes = with_generator(person.id)
    token = half_in(person)
    signing_in.with_code(token, code_now(secret))
    with pytest.raises(AttemptOver):
        signing_in.with_code(token, codes[0])
    assert recovery_codes.count_left(person.id) == 10


def test_five_wrong_codes_end_an_attempt(session: Database) -> None:
    person = person_with_password()
    secret, _codes = with_generator(person.id)
    token, before = half_in(person), sessions_of(person.id)
    for wrong in ("000000", "ABCD-EFGH", "", "１２３４５６", "\0"):
        with pytest.raises(CodeRefused):
            signing_in.with_code(token, wrong if wrong != code_now(secret) else "000001")
    with pytest.raises(AttemptOver):
        signing_in.with_code(token, code_now(secret))
    assert sessions_of(person.id) == before


def test_an_attempt_runs_out_and_one_that_never_was_is_refused_alike(session: Database) -> None:
    person = person_with_password()
    secret, _codes = with_generator(person.id)
    token = half_in(person)
    with clock.stopped(clock.now() + attempts.LIFETIME + timedelta(seconds=1)), pytest.raises(AttemptOver):
        signing_in.with_code(token, code_now(secret))
    with pytest.raises(AttemptOver):
        signing_in.with_code("never-begun", "000000")


def test_a_code_does_not_count_twice_nor_an_earlier_one_after_a_later(session: Database) -> None:
    person = person_with_password()
    secret, _codes = with_generator(person.id)
    with clock.stopped(clock.now() + timedelta(minutes=5)):
        signing_in.with_code(half_in(person), code_now(secret))
        for code in (code_now(secret), code_now(secret, -1)):
            with pytest.raises(CodeRefused):
                signing_in.with_code(half_in(person), code)
        assert signing_in.with_code(half_in(person), code_now(secret, 1))


def test_clocks_may_differ_by_half_a_minute_and_no_more(session: Database) -> None:
    person = person_with_password()
    secret, _codes = with_generator(person.id)
    with clock.stopped(clock.now() + timedelta(minutes=5)):
        for later in (-2, 2):
            with pytest.raises(CodeRefused):
                signing_in.with_code(half_in(person), code_now(secret, later))
        assert signing_in.with_code(half_in(person), code_now(secret, -1))


def test_a_recovery_code_counts_once_however_it_is_typed(session: Database) -> None:
    person = person_with_password()
    _secret, codes = with_generator(person.id)
    assert found(signing_in.with_code(half_in(person), codes[0].lower().replace("-", " ")).session_token)
    assert recovery_codes.count_left(person.id) == 9
    with pytest.raises(CodeRefused):
        signing_in.with_code(half_in(person), codes[0])
    assert signing_in.with_code(half_in(person), codes[1])


def test_a_recovery_code_of_another_person_counts_nothing(session: Database) -> None:
    person, other = person_with_password(), person_with_password()
    with_generator(person.id)
    _secret, codes = with_generator(other.id)
    with pytest.raises(CodeRefused):
        signing_in.with_code(half_in(person), codes[0])
    assert recovery_codes.count_left(other.id) == 10


def test_recovery_codes_are_kept_as_hashes(session: Database) -> None:
    person = person_with_password()
    _secret, codes = with_generator(person.id)
    assert len(set(codes)) == 10
    kept = str(session.scalars(select(RecoveryCode.code_sha256)).all())
    assert not any(code.replace("-", "") in kept for code in codes)


def test_who_guesses_codes_over_many_attempts_is_stopped_and_recovery_codes_still_count(
    session: Database, monkeypatch: Any
) -> None:
    person = person_with_password()
    secret, codes = with_generator(person.id)
    monkeypatch.setattr(signing_in, "WRONG_CODES_MAX", 6)
    wrong = next(code for code in ("000000", "000001", "000002", "000003")
                 if code not in {code_now(secret, later) for later in (-2, -1, 0, 1, 2)})  # fmt: skip
    for _ in range(6):
        with pytest.raises(CodeRefused):
            signing_in.with_code(half_in(person), wrong)
    with pytest.raises(TooManySignIns):
        signing_in.with_code(half_in(person), code_now(secret))
    assert signing_in.with_code(half_in(person), codes[0])


def test_proving_a_code_again_steps_up_and_a_password_does_not(session: Database) -> None:
    person = person_with_password()
    secret, _codes = with_generator(person.id)
    _token, who = signed_in(person.id, Assurance.AAL2)
    one = found(signing_in.again_with_password(who, PASSWORD, PEER))
    assert one.acr is Assurance.AAL1
    assert found(signing_in.again_with_code(one, code_now(secret))).acr is Assurance.AAL2
    with pytest.raises(CodeRefused):
        signing_in.again_with_code(one, code_now(secret))


def test_guessing_the_password_in_a_stolen_session_is_counted(session: Database) -> None:
    person = person_with_password()
    token, who = signed_in(person.id)
    for _ in range(10):
        with pytest.raises(SignInRefused):
            signing_in.again_with_password(who, "wrong", PEER)
    with pytest.raises(TooManySignIns):
        signing_in.again_with_password(who, PASSWORD, PEER)
    assert found(token).authenticated_at == who.authenticated_at


def test_attempts_that_have_run_out_are_forgotten(session: Database) -> None:
    person = person_with_password()
    with_generator(person.id)
    half_in(person)
    attempts.forget_expired()
    assert session.query(LoginAttempt).count() == 1
    session.execute(update(LoginAttempt).values(expires_at=clock.now(), created_at=clock.now() - timedelta(hours=1)))
    attempts.forget_expired()
    assert session.query(LoginAttempt).count() == 0


def of_eight(app: Flask, deed: Any) -> int:
    """How many of eight at once succeed with a deed."""

    def attempt(n: int) -> bool:
        with app.app_context():
            try:
                deed(n)
            except (CodeRefused, AttemptOver):
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(attempt, range(8)))


def ready() -> tuple[str, bytes, list[str], list[str]]:
    """Somebody with a generator and eight sign-ins half done, kept."""
    with transaction():
        person_id = person_with_password().id
    secret, codes = with_generator(person_id)
    with transaction():
        begun = [
            attempts.begin(attempts.Stage.SECOND_FACTOR, person_id, {"user_agent": ""}, "/", tries=8) for _ in range(8)
        ]
    return person_id, secret, codes, begun


def test_of_eight_that_finish_one_attempt_at_once_one_does(own_database: Flask) -> None:
    person_id, _secret, codes, begun = ready()
    before = sessions_of(person_id)
    assert of_eight(own_database, lambda n: signing_in.with_code(begun[0], codes[n])) == 1
    assert sessions_of(person_id) == before + 1
    assert recovery_codes.count_left(person_id) == 9


def test_of_eight_with_one_code_at_once_one_gets_in(own_database: Flask) -> None:
    person_id, secret, _codes, begun = ready()
    before, code = sessions_of(person_id), code_now(secret)
    assert of_eight(own_database, lambda n: signing_in.with_code(begun[n], code)) == 1
    assert sessions_of(person_id) == before + 1


def test_of_eight_with_one_recovery_code_at_once_one_gets_in(own_database: Flask) -> None:
    person_id, _secret, codes, begun = ready()
    before = sessions_of(person_id)
    assert of_eight(own_database, lambda n: signing_in.with_code(begun[n], codes[0])) == 1
    assert sessions_of(person_id) == before + 1


def test_a_wrong_code_is_counted_though_it_is_refused(own_database: Flask) -> None:
    person_id, _secret, _codes, begun = ready()
    assert of_eight(own_database, lambda n: signing_in.with_code(begun[n], "no-such-code")) == 0
    assert one_time_codes.is_set(person_id)
    left = one_time_codes.db.session.scalars(select(LoginAttempt.tries_left)).all()
    assert set(left) == {7}


def test_a_whole_town_hall_behind_one_address_mistypes_and_gets_in(session: Database) -> None:
    colleagues = [person_with_password() for _ in range(8)]
    for person in colleagues:
        assert fail(person.email, 2) == [SignInRefused] * 2
    fail(colleagues[0].email, 9)
    with pytest.raises(TooManySignIns):
        sign_in(colleagues[0].email)
    for person in colleagues[1:]:
        assert isinstance(sign_in(person.email), SignedIn)
