"""Links that are mailed to learn whether an address is somebody's: secret, good once, and for a time."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, insert, select, update

from marketplace.identity import credentials
from marketplace.identity.login.errors import LinkOver
from marketplace.identity.login.models import EmailChallenge
from marketplace.identity.login.states import ChallengePurpose
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id

_PREFIXES = {
    ChallengePurpose.RESET: credentials.PASSWORD_LINK_PREFIX,
    ChallengePurpose.CHECK: credentials.EMAIL_LINK_PREFIX,
    ChallengePurpose.JOIN: credentials.JOINING_LINK_PREFIX,
}


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a link is for: a person who is known, or an organization that applies."""

    person_id: str | None = None
    organization_id: str | None = None


def issue(purpose: ChallengePurpose, email: str, holder: Holder, lifetime: timedelta) -> str:
    """Keep a link for an address and return its secret, which goes into one letter and is kept as a hash."""
    token, now = credentials.new_secret(_PREFIXES[purpose]), clock.now()
    db.session.execute(
        insert(EmailChallenge).values(
            id=new_id("emc"),
            purpose=purpose.value,
            email=email,
            person_id=holder.person_id,
            organization_id=holder.organization_id,
            token_sha256=credentials.hash_of(token),
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    return token


def open_with(purpose: ChallengePurpose, token: str) -> tuple[ColumnElement[bool], ...]:
    """Return what holds of the one row that a secret opens, while it does."""
    return (
        EmailChallenge.token_sha256 == credentials.hash_of(token),
        EmailChallenge.purpose == purpose.value,
        EmailChallenge.used_at.is_(None),
        EmailChallenge.expires_at > clock.now(),
    )


def find_holder(purpose: ChallengePurpose, token: str) -> Holder | None:
    """Return whom a link is for, None for one that no longer works."""
    columns = (EmailChallenge.person_id, EmailChallenge.organization_id)
    row = db.session.execute(select(*columns).where(*open_with(purpose, token))).first()
    return None if row is None else Holder(row.person_id, row.organization_id)


def spend(purpose: ChallengePurpose, token: str) -> str:
    """Use up a link and return the address that it was sent to; raises LinkOver."""
    used = update(EmailChallenge).where(*open_with(purpose, token)).values(used_at=clock.now())
    email = db.session.scalar(used.returning(EmailChallenge.email), execution_options={"synchronize_session": False})
    if email is None:
        raise LinkOver
    return str(email)
