"""Families: all tokens that came of one consent, which end together."""

from datetime import timedelta

from authlib.oauth2.rfc6749 import InvalidGrantError
from sqlalchemy import delete, insert, select, update

from marketplace.audit import holds
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.identity.models import Member, Organization, Person, TokenFamily
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.states import OrganizationState, PersonState
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction

LIFETIME = timedelta(days=30)
"""So long after the consent a person must be asked again, however often the tokens were renewed."""


def open_family(client_id: str, consent: Consent, dpop_jkt: str | None) -> str:
    """Begin the family of a consent and return its id.

    Raises InvalidGrantError where the person, or the organization that they act for, was shut out since the consent.
    """
    if not is_standing(consent.member_id):
        raise InvalidGrantError
    now, family_id = clock.now(), new_id("fam")
    db.session.execute(
        insert(TokenFamily).values(
            id=family_id,
            client_id=client_id,
            member_id=consent.member_id,
            organization_id=consent.organization_id,
            scope=consent.scope,
            grant_ids=list(consent.grant_ids) if consent.grant_ids is not None else None,
            dpop_jkt=dpop_jkt,
            acr=consent.acr,
            authenticated_at=consent.authenticated_at,
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return family_id


def is_standing(member_id: str) -> bool:
    """Tell whether a member may have programs act: neither they nor their organization is shut out."""
    standing = (
        select(Member.id)
        .join(Person, Person.id == Member.person_id)
        .join(Organization, Organization.id == Member.organization_id)
        .where(
            Member.id == member_id,
            Person.state == PersonState.ACTIVE.value,
            Organization.state != OrganizationState.SUSPENDED.value,
        )
    )
    return db.session.scalar(standing) is not None


def revoke(family_id: str, *, replayed: bool = False) -> bool:
    """End a family with every token of it; returns whether it was alive.

    ``replayed``: because a code or a refresh token came twice, so that one of two holders has stolen it.
    """
    alive = (TokenFamily.id == family_id, TokenFamily.revoked_at.is_(None))
    ended = (
        update(TokenFamily)
        .where(*alive)
        .values(revoked_at=clock.now())
        .returning(TokenFamily.organization_id, TokenFamily.client_id, TokenFamily.member_id)
    )
    row = db.session.execute(ended).first()
    if row is None:
        return False
    verb = Verb.TOKENS_REPLAYED if replayed else Verb.TOKENS_REVOKED
    audit.record(Actor(row.organization_id, row.client_id, row.member_id), verb, subject=family_id)
    return True


@jobs.task("identity.forget_families", cron="23 * * * *")
def forget_expired() -> None:
    """Delete families a day after their end, with all that hangs on them; until then a replay is still seen."""
    with transaction():
        over = TokenFamily.expires_at <= clock.now() - timedelta(days=1)
        db.session.execute(delete(TokenFamily).where(over, ~holds.covering(TokenFamily.organization_id)))
