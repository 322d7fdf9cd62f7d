"""Invitations: how a member of an organization becomes somebody who can sign in for it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from marketplace.audit import holds
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import credentials
from marketplace.identity.actors import Actor
from marketplace.identity.login import letters, passwords, people
from marketplace.identity.login.errors import LinkOver, MemberJoined, SignInFirst
from marketplace.identity.login.models import Invitation
from marketplace.identity.models import Member, Organization
from marketplace.identity.states import OrganizationState
from marketplace.kit import clock, jobs, mail, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.texts import storable
from marketplace.kit.transaction import transaction

LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Invited:
    """Who is invited, to which organization, in which role."""

    invitation_id: str
    member_id: str
    organization_id: str
    organization_ja: str
    organization_en: str
    name: str
    email: str
    role: str


def invite(actor: Actor, member_id: str) -> None:
    """Mail a member of the caller's organization the link with which they join; earlier links are void.

    Raises NotFound, MemberJoined, or Invalid for a member without an e-mail address.
    """
    own = (Member.id == storable(member_id), Member.organization_id == actor.organization_id)
    row = db.session.execute(
        select(Member.email, Member.person_id, Organization.name_ja, Organization.name_en)
        .join(Organization, Organization.id == Member.organization_id)
        .where(*own)
        .with_for_update(of=Member)
    ).first()
    if row is None:
        raise NotFound
    if row.person_id is not None:
        raise MemberJoined
    if row.email is None:
        raise Invalid(errors=[{"pointer": "/email", "detail": "is needed to send the invitation to"}])
    link = f"{settings.current().base_url}/invitation/{renew(member_id)}"
    letter = letters.invitation(row.name_ja, row.name_en, link)
    mail.send(row.email, letter.subject, letter.body)
    audit.record(actor, Verb.INVITATION_SENT, subject=member_id)


def find(token: str) -> Invited | None:
    """Return what a link invites to, None for one that no longer works."""
    row = db.session.execute(_open(token)).first()
    return Invited(*row) if row is not None else None


def accept_with_password(token: str, password: str, locale: str) -> str:
    """Make the invited a person with this password, and return the person's id, to be signed in.

    Opens transactions of its own. Raises LinkOver, PasswordRefused, or SignInFirst where somebody with the address
    can sign in already: a link in a letter box must not set the password of an account that exists.
    """
    with transaction():
        invited = find(token)
        taken = invited is not None and people.find_by_email(invited.email) is not None
    if invited is None:
        raise LinkOver
    if taken:
        raise SignInFirst
    password_hash = passwords.hash_of(passwords.checked(password, (invited.name, invited.email)))
    with transaction():
        return accept_as_new(token, password_hash, locale)


def accept_as_new(token: str, password_hash: str | None, locale: str) -> str:
    """Make the invited a person and return the person's id; raises LinkOver and SignInFirst."""
    invited = _spend(token)
    person_id = people.create(invited.name, invited.email, password_hash, locale)
    _link(invited, person_id)
    return person_id


def accept_as(token: str, person_id: str) -> str:
    """Join as somebody who is signed in; returns the member's id. Raises LinkOver and MemberJoined."""
    invited = _spend(token)
    _link(invited, person_id)
    return invited.member_id


def _open(token: str) -> Any:
    return (
        select(
            Invitation.id,
            Member.id,
            Organization.id,
            Organization.name_ja,
            Organization.name_en,
            Member.name,
            Member.email,
            Member.role,
        )
        .join(Member, Member.id == Invitation.member_id)
        .join(Organization, Organization.id == Member.organization_id)
        .where(
            Invitation.token_sha256 == credentials.hash_of(token),
            Invitation.accepted_at.is_(None),
            Invitation.expires_at > clock.now(),
            Member.person_id.is_(None),
            Member.email.is_not(None),
            Organization.state != OrganizationState.SUSPENDED.value,
        )
    )


def _spend(token: str) -> Invited:
    # The row is held, so that of two who come with one link the second finds it accepted.
    row = db.session.execute(_open(token).with_for_update(of=Invitation)).first()
    if row is None:
        raise LinkOver
    invited = Invited(*row)
    accepted = update(Invitation).where(Invitation.id == invited.invitation_id)
    db.session.execute(accepted.values(accepted_at=clock.now()))
    return invited


def _link(invited: Invited, person_id: str) -> None:
    free = (Member.id == invited.member_id, Member.person_id.is_(None))
    try:
        with db.session.begin_nested():
            linked = update(Member).where(*free).values(person_id=person_id).returning(Member.id)
            row = db.session.execute(linked).first()
    except IntegrityError as error:
        raise MemberJoined from error
    if row is None:
        raise MemberJoined
    audit.record(
        Actor(invited.organization_id, member_id=invited.member_id),
        Verb.INVITATION_ACCEPTED,
        subject=invited.member_id,
        facts={"person": person_id},
    )


def renew(member_id: str) -> str:
    """Return the token of a new invitation of a member; earlier ones are void."""
    token, now = credentials.new_secret(credentials.INVITATION_PREFIX), clock.now()
    db.session.execute(delete(Invitation).where(Invitation.member_id == member_id))
    db.session.execute(
        insert(Invitation).values(
            id=new_id("ivt"),
            member_id=member_id,
            token_sha256=credentials.hash_of(token),
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return token


@jobs.task("identity.forget_invitations", cron="11 * * * *")
def forget_expired() -> None:
    """Delete invitations a day after they have run out."""
    with transaction():
        over = Invitation.expires_at <= clock.now() - timedelta(days=1)
        kept = Invitation.member_id.in_(select(Member.id).where(holds.covering(Member.organization_id)))
        db.session.execute(delete(Invitation).where(over, ~kept))
