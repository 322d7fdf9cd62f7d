"""Signing in with a password, and with a code where somebody has a code generator.

All functions open transactions of their own, so that a failure is counted though the sign-in is refused, and no
connection is held while a password is hashed: call them within none.
"""

import logging
from dataclasses import dataclass

from sqlalchemy import func, select, update

from marketplace.identity import throttle
from marketplace.identity.login import attempts, one_time_codes, passwords, recovery_codes, rules, sessions
from marketplace.identity.login.attempts import Attempt
from marketplace.identity.login.errors import CodeRefused, SignInRefused, TooManySignIns
from marketplace.identity.login.sessions import Session
from marketplace.identity.login.states import Stage
from marketplace.identity.models import Person
from marketplace.identity.states import Assurance, PersonState
from marketplace.kit.db import db
from marketplace.kit.texts import storable
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
FAILURES_OF_ADDRESS_MAX = 10
"""Wrong passwords for one e-mail address from one network address, within ten minutes."""

FAILURES_OF_PEER_MAX = 100
"""Wrong passwords from one network address, for whomever: a whole town hall may share one."""

WRONG_CODES_MAX = 20
"""Wrong codes of one generator, from wherever: only who knows the password comes this far."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session was opened: the token for the browser, and where its person wanted to go."""

    session_token: str
    person_id: str
    next_path: str


@dataclass(frozen=True, slots=True)
class SecondFactorNeeded:
    """The password was right, and a code is asked for next."""

    attempt_token: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What is compared with: of a person, or of nobody."""

    person_id: str | None
    password_hash: str | None


def with_password(
    email: str, password: str, peer: str, user_agent: str, next_path: str = "/"
) -> SignedIn | SecondFactorNeeded:
    """Sign somebody in, or ask for their second factor.

    Unknown address, wrong password and disabled person are refused alike, after the same work: SignInRefused. Raises
    TooManySignIns for a network address that failed too often; the person can still sign in from elsewhere.
    """
    keys = _keys_of(email, peer)
    with transaction():
        _refuse_exhausted(keys)
        known = _known(email)
    if not passwords.matches(password, known.password_hash) or known.person_id is None:
        _count(keys, known)
        raise SignInRefused
    _keep_up_to_date(known, password)
    with transaction():
        return _after_password(known.person_id, user_agent, next_path)


def with_code(attempt_token: str, code: str) -> SignedIn:
    """Finish a sign-in with a code of the generator or a recovery code.

    Raises CodeRefused for a wrong or used one, AttemptOver after five of them, TooManySignIns after twenty wrong codes
    of a generator within ten minutes; recovery codes are not shut out by that.
    """
    attempt = attempts.spend_try(attempt_token, Stage.SECOND_FACTOR)
    person_id = str(attempt.person_id)
    with transaction():
        proved = _is_code_of(person_id, code)
        if proved:
            return _finish(attempt, person_id)
    log.info("wrong code for %s after the right password", person_id)
    raise CodeRefused


def again_with_password(session: Session, password: str, peer: str) -> str:
    """Have somebody who is signed in prove their password again; returns the session's new token.

    The session is then one of a single factor, however it began. Raises SignInRefused and TooManySignIns.
    """
    prove_password(session, password, peer)
    with transaction():
        return sessions.step_up(session.id, Assurance.AAL1)


def again_with_code(session: Session, code: str) -> str:
    """Have somebody who is signed in prove a code; returns the new token of the session, which is now of two factors.

    Raises CodeRefused and TooManySignIns.
    """
    with transaction():
        if _is_code_of(session.person_id, code):
            return sessions.step_up(session.id, Assurance.AAL2)
    raise CodeRefused


def prove_password(session: Session, password: str, peer: str) -> None:
    """Raise SignInRefused unless this is the person's password; failures count as those of signing in do."""
    keys = _keys_of(session.email, peer)
    with transaction():
        _refuse_exhausted(keys)
        known = _known(session.email)
    if not passwords.matches(password, known.password_hash) or known.person_id != session.person_id:
        _count(keys, known)
        raise SignInRefused


def _count(keys: tuple[str, str], known: _Known) -> None:
    log.info("wrong password for %s", known.person_id or "nobody who could sign in")
    with transaction():
        for key in keys:
            throttle.count_failure(key)


def _keys_of(email: str, peer: str) -> tuple[str, str]:
    network = throttle.network_of(peer)
    return throttle.key_of("password", email.strip().lower(), network), throttle.key_of("password", network)


def _refuse_exhausted(keys: tuple[str, str]) -> None:
    for key, failures_max in zip(keys, (FAILURES_OF_ADDRESS_MAX, FAILURES_OF_PEER_MAX), strict=True):
        seconds = throttle.seconds_left(key, failures_max)
        if seconds is not None:
            raise TooManySignIns(retry_after_seconds=seconds)


def _known(email: str) -> _Known:
    statement = select(Person.id, Person.password_hash).where(
        func.lower(Person.email) == func.lower(storable(email.strip())),
        Person.state == PersonState.ACTIVE.value,
        Person.password_hash.is_not(None),
    )
    row = db.session.execute(statement).first()
    return _Known(row.id, row.password_hash) if row is not None else _Known(None, None)


def _keep_up_to_date(known: _Known, password: str) -> None:
    """Hash a password anew that was hashed with weaker parameters: only now is it known."""
    if known.password_hash is None or not passwords.is_outdated(known.password_hash):
        return
    password_hash = passwords.hash_of(rules.normal(password))
    same = (Person.id == known.person_id, Person.password_hash == known.password_hash)
    with transaction():
        db.session.execute(update(Person).where(*same).values(password_hash=password_hash))


def _after_password(person_id: str, user_agent: str, next_path: str) -> SignedIn | SecondFactorNeeded:
    if one_time_codes.is_set(person_id):
        facts = {"user_agent": sessions.printable(user_agent)}
        return SecondFactorNeeded(attempts.begin(Stage.SECOND_FACTOR, person_id, facts, next_path, attempts.TRIES))
    return SignedIn(sessions.open_session(person_id, Assurance.AAL1, user_agent), person_id, rules.safe_path(next_path))


def _is_code_of(person_id: str, typed: str) -> bool:
    """Tell whether a code is good, and spend it; a wrong one of a generator is counted."""
    code = "".join(character for character in typed if character.isalnum()).upper()
    if not one_time_codes.looks_like_one(code):
        return recovery_codes.spend(person_id, code)
    key = throttle.key_of("code", person_id)
    seconds = throttle.seconds_left(key, WRONG_CODES_MAX)
    if seconds is not None:
        raise TooManySignIns(retry_after_seconds=seconds)
    if one_time_codes.spend(person_id, code):
        return True
    throttle.count_failure(key)
    return False


def _finish(attempt: Attempt, person_id: str) -> SignedIn:
    attempts.finish(attempt)
    token = sessions.open_session(person_id, Assurance.AAL2, str(attempt.facts["user_agent"]))
    return SignedIn(token, person_id, attempt.next_path)
