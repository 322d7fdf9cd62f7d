"""Another e-mail address: a link to the new one, word to the old one, and the end of all that the old one began."""

from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from marketplace.audit.verbs import Verb
from marketplace.identity import rules, throttle
from marketplace.identity.login import deeds, letters, mailed_links, people, sessions, signing_in
from marketplace.identity.login.errors import LinkOver, TooManySignIns
from marketplace.identity.login.mailed_links import Holder
from marketplace.identity.login.sessions import Session
from marketplace.identity.login.states import ChallengePurpose
from marketplace.identity.models import Person
from marketplace.kit import clock, mail, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
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
            token = mailed_links.issue(ChallengePurpose.CHECK, address, Holder(person.id), LIFETIME)
            link = f"{settings.current().base_url}/email/{token}"
            _tell(address, letters.email_check(person.locale, link))


def is_open(token: str) -> bool:
    """Tell whether a link still works."""
    return mailed_links.find_holder(ChallengePurpose.CHECK, token) is not None


def confirm(token: str) -> None:
    """Give a person the address that a link was sent to, once; ends their sessions, consents and mailed links.

    Raises LinkOver, also where the address has become somebody else's.
    """
    holder = mailed_links.find_holder(ChallengePurpose.CHECK, token)
    if holder is None or holder.person_id is None:
        raise LinkOver
    # The person first, and then the links, as setting a password does: neither waits for the other.
    person = people.hold(holder.person_id)
    before, locale = person.email, person.locale
    _take(person.id, mailed_links.spend(ChallengePurpose.CHECK, token))
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


def _take(person_id: str, email: str) -> None:
    changed = update(Person).where(Person.id == person_id).values(email=email, email_checked_at=clock.now())
    try:
        with db.session.begin_nested():
            db.session.execute(changed)
    except IntegrityError as error:
        raise LinkOver from error


def _tell(address: str, letter: letters.Letter) -> None:
    mail.send(address, letter.subject, letter.body)
