"""Sessions: somebody signed in with one browser, kept on the server so that ending one ends it (OWASP ASVS V7)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from marketplace.audit.verbs import Verb
from marketplace.identity import credentials, held
from marketplace.identity.actors import Actor
from marketplace.identity.errors import NotAuthenticated, StepUpRequired
from marketplace.identity.login import deeds
from marketplace.identity.login.errors import OrganizationNotChosen
from marketplace.identity.login.models import LoginSession, OneTimeSecret, Passkey
from marketplace.identity.models import Member, Organization, Person
from marketplace.identity.oauth import given_consents
from marketplace.identity.permissions import STEP_UP_SECONDS, scopes_for, scopes_of
from marketplace.identity.states import Assurance, Capacity, MemberRole, OrganizationState, PersonState, Trust
from marketplace.kit import clock, jobs, transaction
from marketplace.kit.db import changed_rows, db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.texts import storable

IDLE = timedelta(minutes=30)
LIFETIME = timedelta(hours=12)
TOUCHED_EVERY = timedelta(minutes=1)
TOKEN_BYTES = 32
USER_AGENT_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in: who, as which member (None until one is chosen), how surely, and since when."""

    id: str
    person_id: str
    name: str
    email: str
    locale: str
    member_id: str | None
    acr: Assurance
    authenticated_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """One session as its person sees it in the list of theirs."""

    id: str
    user_agent: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


_sessions, _persons = LoginSession.__table__.c, Person.__table__.c


def open_session(person_id: str, acr: Assurance, user_agent: str) -> str:
    """Sign somebody in and return the token for their browser: 256 random bits, kept as a hash.

    Always a new one: a token that was there before the sign-in (fixation) is worth nothing. Whoever belongs to one
    organization alone acts for it at once.
    """
    token, session_id, now = secrets.token_urlsafe(TOKEN_BYTES), new_id("ses"), clock.now()
    db.session.execute(
        insert(LoginSession).values(
            id=session_id,
            token_sha256=credentials.hash_of(token),
            person_id=person_id,
            member_id=_only_member(person_id),
            acr=acr.value,
            authenticated_at=now,
            user_agent=printable(user_agent),
            created_at=now,
            last_seen_at=now,
            expires_at=now + LIFETIME,
        )
    )
    deeds.record(person_id, Verb.PERSON_SIGNED_IN, facts={"session": session_id, "acr": acr.value})
    return token


def find(token: str) -> Session | None:
    """Return the session of a token, None for one that is unknown, idle, over or revoked, or whose person is disabled.

    Notes the use, at most once a minute, in a transaction of its own where none is open.
    """
    statement = (
        select(LoginSession.__table__, _persons.name, _persons.email, _persons.locale)
        .join(Person.__table__, _persons.id == _sessions.person_id)
        .where(
            _sessions.token_sha256 == credentials.hash_of(token),
            *_alive(),
            _persons.state == PersonState.ACTIVE.value,
        )
    )
    row = db.session.execute(statement).first()
    if row is None:
        return None
    if row.last_seen_at <= clock.now() - TOUCHED_EVERY:
        _touch(row.id)
    return Session(
        id=row.id,
        person_id=row.person_id,
        name=row.name,
        email=row.email,
        locale=row.locale,
        member_id=row.member_id,
        acr=Assurance(row.acr),
        authenticated_at=row.authenticated_at,
        created_at=row.created_at,
    )


def wear(session_id: str, member_id: str) -> None:
    """Act for the organization of this membership from now on; raises NotFound for another person's membership."""
    own = (
        select(Member.id)
        .join(Organization, Organization.id == Member.organization_id)
        .where(
            Member.id == storable(member_id),
            Member.person_id == LoginSession.person_id,
            Organization.state != OrganizationState.SUSPENDED.value,
        )
    )
    statement = update(LoginSession).where(LoginSession.id == session_id, *_alive(), own.exists())
    if changed_rows(statement.values(member_id=storable(member_id))) == 0:
        raise NotFound


def step_up(session_id: str, acr: Assurance) -> str:
    """Note that somebody has just proved again who they are, and return the session's new token.

    The old token is void (OWASP ASVS V7.2.4): the browser must be given the new one. Raises NotAuthenticated for a
    session that is over.
    """
    token, person_id = _renewed(session_id, acr=acr.value, authenticated_at=clock.now())
    deeds.record(person_id, Verb.PERSON_STEPPED_UP, facts={"session": session_id, "acr": acr.value})
    return token


def renew(session_id: str) -> str:
    """Return a new token of a session in place of the old one; raises NotAuthenticated for a session that is over."""
    return _renewed(session_id)[0]


def revoke(session_id: str, person_id: str) -> None:
    """End one session of a person, for signing out and for lost devices; raises NotFound for another's."""
    mine = (LoginSession.id == storable(session_id), LoginSession.person_id == person_id)
    own = (*mine, LoginSession.revoked_at.is_(None))
    if changed_rows(update(LoginSession).where(*own).values(revoked_at=clock.now())) == 0:
        raise NotFound
    deeds.record(person_id, Verb.SESSION_REVOKED, subject=session_id)


def revoke_all(person_id: str, except_id: str | None = None) -> None:
    """End all sessions of a person but one, and all that programs hold, or may still fetch, by their consent."""
    alive = (LoginSession.person_id == person_id, LoginSession.revoked_at.is_(None))
    others = update(LoginSession).where(*alive, LoginSession.id != (except_id or ""))
    ended = {
        "sessions": changed_rows(others.values(revoked_at=clock.now())),
        **given_consents.end_all(given_consents.memberships(person_id)),
    }
    deeds.record(person_id, Verb.SESSIONS_REVOKED, facts=ended)


def list_of(person_id: str) -> Sequence[Listed]:
    """Return where a person is signed in, the latest first."""
    columns = (_sessions.id, _sessions.user_agent, _sessions.created_at, _sessions.last_seen_at, _sessions.expires_at)
    own = select(*columns).where(_sessions.person_id == person_id, *_alive())
    return [Listed(*row) for row in db.session.execute(own.order_by(_sessions.id.desc()))]


def actor_of(session: Session) -> Actor:
    """Return the person as they act for the organization they chose; raises OrganizationNotChosen.

    Read anew each time, so that a changed role and a suspended organization count at once.
    """
    statement = (
        select(Member.role, Organization.id, Organization.state, Organization.capacities, Organization.trust)
        .join(Organization, Organization.id == Member.organization_id)
        .where(Member.id == session.member_id, Member.person_id == session.person_id)
    )
    row = db.session.execute(statement).first()
    if row is None or row.state == OrganizationState.SUSPENDED.value:
        raise OrganizationNotChosen
    trusted = row.state == OrganizationState.VERIFIED.value
    capacities = frozenset(map(Capacity, row.capacities)) if trusted else frozenset()
    role = MemberRole(row.role)
    return Actor(
        organization_id=row.id,
        member_id=session.member_id,
        scopes=scopes_for(capacities) & scopes_of(role),
        capacities=capacities,
        role=role,
        assurance=session.acr,
        authenticated_at=session.authenticated_at,
        trust=Trust(row.trust),
    )


def refuse_stale(session: Session) -> None:
    """Raise StepUpRequired unless somebody proved lately who they are, with a second factor where they have one.

    Asked before anything that a person signs in with is added, changed or removed (OWASP ASVS V7.5.1).
    """
    age = (clock.now() - session.authenticated_at).total_seconds()
    if age > STEP_UP_SECONDS or (session.acr is Assurance.AAL1 and has_second_factor(session.person_id)):
        raise StepUpRequired


def has_second_factor(person_id: str) -> bool:
    """Tell whether somebody has a code generator that was confirmed, or a passkey."""
    generator = select(OneTimeSecret.person_id).where(
        OneTimeSecret.person_id == person_id, OneTimeSecret.confirmed_at.is_not(None)
    )
    passkey = select(Passkey.id).where(Passkey.person_id == person_id)
    return bool(db.session.scalar(select(or_(generator.exists(), passkey.exists()))))


def _alive() -> tuple[Any, ...]:
    now = clock.now()
    return (_sessions.revoked_at.is_(None), _sessions.expires_at > now, _sessions.last_seen_at > now - IDLE)


def _renewed(session_id: str, **columns: Any) -> tuple[str, str]:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    renewed = (
        update(LoginSession)
        .where(LoginSession.id == session_id, *_alive())
        .values(token_sha256=credentials.hash_of(token), **columns)
        .returning(LoginSession.person_id)
    )
    row = db.session.execute(renewed).first()
    if row is None:
        raise NotAuthenticated
    return token, row.person_id


def _touch(session_id: str) -> None:
    statement = update(LoginSession).where(LoginSession.id == session_id).values(last_seen_at=clock.now())
    if transaction.is_open():
        db.session.execute(statement)
        return
    with transaction.transaction():
        db.session.execute(statement)


def _only_member(person_id: str) -> str | None:
    own = db.session.scalars(select(Member.id).where(Member.person_id == person_id).limit(2)).all()
    return own[0] if len(own) == 1 else None


def printable(user_agent: str) -> str:
    """Return how a browser names itself, cut, and without what no line of text holds."""
    return "".join(character for character in user_agent if character.isprintable())[:USER_AGENT_LENGTH_MAX]


@jobs.task("identity.forget_sessions", cron="*/10 * * * *")
def forget_over() -> None:
    """Delete sessions that have run out, and those revoked more than a day ago."""
    now = clock.now()
    over = or_(_sessions.expires_at <= now, _sessions.revoked_at <= now - timedelta(days=1))
    with transaction.transaction():
        db.session.execute(delete(LoginSession).where(over, ~held.of_person(LoginSession.person_id)))
