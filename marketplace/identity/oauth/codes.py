"""Authorization codes: 60 seconds, once; whoever comes second ends what the first one got (RFC 6749 section 4.1.2)."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, insert, select, update

from marketplace.audit import holds
from marketplace.identity import credentials
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.oauth.models import AuthorizationCode
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

LIFETIME = timedelta(seconds=60)
CODE_BYTES = 32
KEPT = timedelta(days=1)
"""So long a spent code is known, so that its replay is seen."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a code may be changed with, and by whom."""

    client_id: str
    redirect_uri: str
    code_challenge: str
    dpop_jkt: str | None


def issue(bound: Bound, consent: Consent) -> str:
    """Return a new code; it is kept as a hash."""
    code, now = secrets.token_urlsafe(CODE_BYTES), clock.now()
    db.session.execute(
        insert(AuthorizationCode).values(
            code_sha256=credentials.hash_of(code),
            client_id=bound.client_id,
            member_id=consent.member_id,
            organization_id=consent.organization_id,
            redirect_uri=bound.redirect_uri,
            code_challenge=bound.code_challenge,
            scope=consent.scope,
            grant_ids=list(consent.grant_ids) if consent.grant_ids is not None else None,
            dpop_jkt=bound.dpop_jkt,
            acr=consent.acr,
            authenticated_at=consent.authenticated_at,
            issued_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return code


def lock(code: str) -> AuthorizationCode | None:
    """Return a code's row, held until the transaction ends: of several exchanges at once one goes first."""
    statement = select(AuthorizationCode).where(AuthorizationCode.code_sha256 == credentials.hash_of(code))
    return db.session.scalar(statement.with_for_update(), execution_options={"populate_existing": True})


def spend(row: AuthorizationCode, family_id: str) -> None:
    """Mark a locked code as changed for the tokens of a family."""
    mark = update(AuthorizationCode).where(AuthorizationCode.code_sha256 == row.code_sha256)
    db.session.execute(mark.values(family_id=family_id))


def consent_of(row: AuthorizationCode) -> Consent:
    """Return what the person behind a code allowed."""
    grant_ids = tuple(row.grant_ids) if row.grant_ids is not None else None
    return Consent(row.member_id, row.organization_id, row.scope, grant_ids, row.acr, row.authenticated_at)


@jobs.task("identity.forget_codes", cron="*/10 * * * *")
def forget_expired() -> None:
    """Delete codes a day after they have run out."""
    with transaction():
        over = AuthorizationCode.expires_at <= clock.now() - KEPT
        db.session.execute(delete(AuthorizationCode).where(over, ~holds.covering(AuthorizationCode.organization_id)))
