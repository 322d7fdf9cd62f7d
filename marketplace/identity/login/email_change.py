"""Another e-mail address: a link to the new one, word to the old one, and the end of all that the old one began."""

import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from marketplace.audit.verbs import Verb
from marketplace.identity import credentials, rules, throttle
from marketplace.identity.login import deeds, letters, people, sessions, signing_in
from marketplace.identity.login.errors import LinkOver, TooManySignIns
from marketplace.identity.login.models import EmailChallenge
from marketplace.identity.login.sessions import Session
from marketplace.identity.login.states import ChallengePurpose
from marketplace.identity.models import Person
from marketplace.kit import clock, mail, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction

LIFETIME = timedelta(hours=1)
ASKED_MAX = 5
"""So often somebody may ask within ten minutes: nobody's letter box is filled by an account that was broken into."""


def ask(session: Session, email: str, password: str, peer: str) -> None:
    """Have a link sent to the new address unless it is somebody's, and tell the old one; earlier links are void.

    Opens transactions of its own, and answers alike for every address. ``password`` is the present one, where there
    is any. Raises SignInRefused, TooManySignIns, Invalid, and StepUpRequired for a session without the second factor
    they have.
    """
    with transaction():
        sessions.refuse_stale(session)
        has_password = people.has_password(session.person_id)
    address = _other_address(session, email)
    if has_password:
        signing_in.prove_password(session, password, peer)
    with transaction():
        _refuse_insistent(session.person_id)
        person = people.hold(session.person_id)
        people.void_links(person.id, ChallengePurpose.CHECK)
        deeds.record(person.id, Verb.EMAIL_CHANGE_ASKED)
        _tell(person.email, letters.email_change_asked(person.locale))
        if people.find_by_email(address) is None:
            link = f"{settings.current().base_url}/email/{_challenge(person.id, address)}"
            _tell(address, letters.email_check(person.locale, link))


def is_open(token: str) -> bool:
    """Tell whether a link still works."""
    return db.session.scalar(select(EmailChallenge.id).where(*_open(token))) is not None


def confirm(token: str) -> None:
    """Give a person the address that a link was sent to, once; ends their sessions, consents and mailed links.

    Raises LinkOver, also where the address has become somebody else's.
    """
    person_id = db.session.scalar(select(EmailChallenge.person_id).where(*_open(token)))
    if person_id is None:
        raise LinkOver
    # The person first, and then the links, as setting a password does: neither waits for the other.
    person = people.hold(person_id)
    before, locale = person.email, person.locale
    _take(person.id, _spend(token))
    people.void_links(person.id)
    deeds.record(person.id, Verb.EMAIL_CHANGED)
    sessions.revoke_all(person.id)
    _tell(before, letters.email_changed(locale))


def _other_address(session: Session, email: str) -> str:
    address = rules.checked_email(email)
    if address.lower() == session.email.lower():
        raise Invalid(errors=[{"pointer": "/email", "detail": "is your address already"}])
    return address


def _refuse_insistent(person_id: str) -> None:
    key = throttle.key_of("email", person_id)
    seconds = throttle.seconds_left(key, ASKED_MAX)
    if seconds is not None:
        raise TooManySignIns(retry_after_seconds=seconds)
    throttle.count_failure(key)


def _challenge(person_id: str, email: str) -> str:
    token, now = secrets.token_urlsafe(32), clock.now()
    db.session.execute(
        insert(EmailChallenge).values(
            id=new_id("emc"),
            purpose=ChallengePurpose.CHECK.value,
            email=email,
            person_id=person_id,
            token_sha256=credentials.hash_of(token),
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return token


def _spend(token: str) -> str:
    """Use up a link; returns the address it was sent to."""
    used = update(EmailChallenge).where(*_open(token)).values(used_at=clock.now())
    email = db.session.scalar(used.returning(EmailChallenge.email), execution_options={"synchronize_session": False})
    if email is None:
        raise LinkOver
    return str(email)


def _take(person_id: str, email: str) -> None:
    changed = update(Person).where(Person.id == person_id).values(email=email, email_checked_at=clock.now())
    try:
        with db.session.begin_nested():
            db.session.execute(changed)
    except IntegrityError as error:
        raise LinkOver from error


def _tell(address: str, letter: letters.Letter) -> None:
    mail.send(address, letter.subject, letter.body)


def _open(token: str) -> tuple[Any, ...]:
    return (
        EmailChallenge.token_sha256 == credentials.hash_of(token),
        EmailChallenge.purpose == ChallengePurpose.CHECK.value,
        EmailChallenge.person_id.is_not(None),
        EmailChallenge.used_at.is_(None),
        EmailChallenge.expires_at > clock.now(),
    )
