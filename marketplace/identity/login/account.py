"""A person's own account: another password, and its end."""

from sqlalchemy import update

from marketplace.audit.verbs import Verb
from marketplace.identity.login import deeds, letters, passwords, people, sessions, signing_in
from marketplace.identity.login.sessions import Session
from marketplace.identity.models import Person
from marketplace.identity.states import PersonState
from marketplace.kit import mail
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction


def change_password(session: Session, present: str, new: str, peer: str) -> str:
    """Replace a person's password, and end their other sessions and the tokens of their programs.

    Opens transactions of its own. Returns this session's new token. Raises SignInRefused where the present password
    is wrong, TooManySignIns, PasswordRefused, and StepUpRequired for a session without the second factor they have.
    """
    with transaction():
        sessions.refuse_stale(session)
    normal = passwords.checked(new, (session.name, session.email))
    signing_in.prove_password(session, present, peer)
    password_hash = passwords.hash_of(normal)
    with transaction():
        put_password(session.person_id, password_hash, except_id=session.id)
        return sessions.renew(session.id)


def put_password(person_id: str, password_hash: str, except_id: str | None = None) -> None:
    """Set a password, end all sessions but one, and tell the person by mail."""
    people.set_password(person_id, password_hash)
    deeds.record(person_id, Verb.PASSWORD_CHANGED)
    sessions.revoke_all(person_id, except_id)
    person = db.session.get_one(Person, person_id, populate_existing=True)
    letter = letters.password_changed(person.locale)
    mail.send(person.email, letter.subject, letter.body)


def disable(person_id: str) -> None:
    """Shut a person out at once, everywhere, with all that programs hold by their consent; raises NotFound."""
    active = (Person.id == person_id, Person.state == PersonState.ACTIVE.value)
    disabled = update(Person).where(*active).values(state=PersonState.DISABLED.value)
    if db.session.execute(disabled.returning(Person.id)).first() is None:
        raise NotFound
    deeds.record(person_id, Verb.PERSON_DISABLED)
    sessions.revoke_all(person_id)
