"""People: how a row of theirs comes to be, and how their password is set."""

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.identity import rules
from marketplace.identity.login.errors import SignInFirst
from marketplace.identity.login.models import EmailChallenge, OneTimeSecret, Passkey
from marketplace.identity.login.states import ChallengePurpose
from marketplace.identity.models import Member, Organization, Person
from marketplace.identity.states import Capacity, PersonState
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.texts import storable

LOCALES = ("ja", "en")


def create(name: str, email: str, password_hash: str | None, locale: str) -> str:
    """Keep a person whose address was seen to be theirs and return the id; raises SignInFirst where there is one."""
    person_id, now = new_id("per"), clock.now()
    statement = insert(Person).values(
        id=person_id,
        name=rules.checked_text("name", name),
        email=email,
        email_checked_at=now,
        password_hash=password_hash,
        password_changed_at=now if password_hash is not None else None,
        state=PersonState.ACTIVE.value,
        locale=locale if locale in LOCALES else LOCALES[0],
        created_at=now,
    )
    if db.session.execute(statement.on_conflict_do_nothing().returning(Person.id)).first() is None:
        raise SignInFirst
    return person_id


def find_by_email(email: str) -> Person | None:
    """Return the person with an address, however its letters are written, or None."""
    return db.session.scalar(select(Person).where(func.lower(Person.email) == func.lower(storable(email.strip()))))


def find_active(person_id: str) -> Person | None:
    """Return a person who may sign in, or None."""
    statement = select(Person).where(Person.id == person_id, Person.state == PersonState.ACTIVE.value)
    return db.session.scalar(statement)


def hold(person_id: str) -> Person:
    """Return a person, held until the transaction ends: what is mailed to them is made and used one after another."""
    statement = select(Person).where(Person.id == person_id).with_for_update(key_share=True)
    return db.session.scalars(statement, execution_options={"populate_existing": True}).one()


def void_links(person_id: str, purpose: ChallengePurpose | None = None) -> None:
    """Use up all links that were mailed to a person, or those for one purpose."""
    unused = [EmailChallenge.person_id == person_id, EmailChallenge.used_at.is_(None)]
    if purpose is not None:
        unused.append(EmailChallenge.purpose == purpose.value)
    db.session.execute(
        update(EmailChallenge).where(*unused).values(used_at=clock.now()),
        execution_options={"synchronize_session": False},
    )


def has_password(person_id: str) -> bool:
    """Tell whether somebody can sign in with a password."""
    return db.session.scalar(select(Person.password_hash).where(Person.id == person_id)) is not None


def set_password(person_id: str, password_hash: str) -> None:
    """Give a person another password."""
    changed = {"password_hash": password_hash, "password_changed_at": clock.now()}
    db.session.execute(update(Person).where(Person.id == person_id).values(**changed))


def count_operators_with_one_factor() -> int:
    """Count who acts for the operator, may sign in by a password, and has neither a passkey nor a code generator."""
    generator = select(OneTimeSecret.person_id).where(
        OneTimeSecret.person_id == Person.id, OneTimeSecret.confirmed_at.is_not(None)
    )
    passkey = select(Passkey.id).where(Passkey.person_id == Person.id)
    operating = (
        select(Member.id)
        .join(Organization, Organization.id == Member.organization_id)
        .where(Member.person_id == Person.id, Organization.capacities.contains([Capacity.OPERATOR.value]))
    )
    statement = select(func.count()).select_from(Person)
    able = (Person.state == PersonState.ACTIVE.value, Person.password_hash.is_not(None))
    return db.session.scalar(statement.where(*able, operating.exists(), ~generator.exists(), ~passkey.exists())) or 0
