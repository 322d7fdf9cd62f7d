"""Refresh tokens: each once; the second use of one ends its whole family (RFC 9700 section 4.14.2)."""

from datetime import datetime

from sqlalchemy import Row, insert, select, update

from marketplace.identity import credentials
from marketplace.identity.models import TokenFamily
from marketplace.identity.oauth import families
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.oauth.models import RefreshToken
from marketplace.kit import clock
from marketplace.kit.db import db

_HOLD = (
    select(TokenFamily.id)
    .join(RefreshToken, RefreshToken.family_id == TokenFamily.id)
    .with_for_update(read=True, key_share=True, of=TokenFamily)
)
_LOCK = (
    select(RefreshToken.token_sha256, RefreshToken.used_at, TokenFamily)
    .join(TokenFamily, TokenFamily.id == RefreshToken.family_id)
    .with_for_update(of=RefreshToken)
)


def issue(family_id: str) -> str:
    """Return the next refresh token of a family; it is kept as a hash."""
    token = credentials.new_secret(credentials.REFRESH_PREFIX)
    row = {"token_sha256": credentials.hash_of(token), "family_id": family_id, "issued_at": clock.now()}
    db.session.execute(insert(RefreshToken).values(**row))
    return token


def lock(token: str) -> Row[str, datetime | None, TokenFamily] | None:
    """Return a token with its family, held until the transaction ends: of several uses at once one goes first."""
    named = RefreshToken.token_sha256 == credentials.hash_of(token)
    # First the family, as when its member is removed: whoever came the other way round would wait for each other.
    db.session.execute(_HOLD.where(named))
    statement = _LOCK.where(named)
    return db.session.execute(statement, execution_options={"populate_existing": True}).first()


def spend(token_sha256: str) -> None:
    """Mark a locked token as used."""
    mark = update(RefreshToken).where(RefreshToken.token_sha256 == token_sha256)
    db.session.execute(mark.values(used_at=clock.now()))


def find_family(token: str) -> TokenFamily | None:
    """Return the family that a token is of, for revocation; None for what is no refresh token of ours."""
    statement = (
        select(TokenFamily)
        .join(RefreshToken, RefreshToken.family_id == TokenFamily.id)
        .where(RefreshToken.token_sha256 == credentials.hash_of(token))
    )
    return db.session.scalar(statement, execution_options={"populate_existing": True})


def find_renewable(token: str) -> TokenFamily | None:
    """Return the family that a token could still renew, for introspection, or None."""
    found = db.session.execute(
        select(RefreshToken.used_at, TokenFamily)
        .join(TokenFamily, TokenFamily.id == RefreshToken.family_id)
        .where(RefreshToken.token_sha256 == credentials.hash_of(token)),
        execution_options={"populate_existing": True},
    ).first()
    if found is None or found.used_at is not None or not is_alive(found.TokenFamily):
        return None
    family: TokenFamily = found.TokenFamily
    return family


def is_alive(family: TokenFamily) -> bool:
    """Tell whether a family may be renewed: not ended, not too old, and its member still in good standing."""
    if family.revoked_at is not None or family.expires_at <= clock.now():
        return False
    return families.is_standing(family.member_id)


def consent_of(family: TokenFamily) -> Consent:
    """Return what the person behind a family allowed."""
    grant_ids = tuple(family.grant_ids) if family.grant_ids is not None else None
    return Consent(
        family.member_id, family.organization_id, family.scope, grant_ids, family.acr, family.authenticated_at
    )
