"""Given consents: which programs a person lets act for them, and how that ends, one by one or all at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Select, delete, or_, select, union_all, update
from sqlalchemy.orm import aliased

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.identity.models import AccessToken, ApiClient, Member, Organization, TokenFamily
from marketplace.identity.oauth.models import AuthorizationCode, DeviceAuthorization
from marketplace.identity.states import ClientState, DeviceState, GrantType
from marketplace.kit import clock
from marketplace.kit.db import changed_rows, db
from marketplace.kit.errors import NotFound
from marketplace.kit.texts import storable


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody lets one program do for one organization, since the first consent that holds, until the last."""

    client_id: str
    member_id: str
    program: str
    owner_ja: str
    owner_en: str
    organization_ja: str
    organization_en: str
    scopes: tuple[str, ...]
    since: datetime
    until: datetime


def list_of(person_id: str) -> Sequence[Given]:
    """Return what a person lets programs do, of each program and organization once, the latest first."""
    rows = db.session.execute(_listed(person_id)).all()
    given = [_together(list(several)) for _pair, several in groupby(rows, lambda row: (row.client_id, row.member_id))]
    return sorted(given, key=lambda one: one.since, reverse=True)


def end(person_id: str, client_id: str, member_id: str) -> None:
    """End what a person lets one program do for one organization, tokens and codes alike.

    Raises NotFound where there is nothing of that.
    """
    own = select(Member.organization_id).where(Member.id == storable(member_id), Member.person_id == person_id)
    organization_id = db.session.scalar(own)
    if organization_id is None:
        raise NotFound
    ended = _end([member_id], (storable(client_id),))
    if not any(ended.values()):
        raise NotFound
    audit.record(Actor(organization_id, member_id=member_id), Verb.CONSENT_ENDED, subject=client_id, facts=ended)


def end_all(member_ids: Iterable[str]) -> dict[str, int]:
    """End all that these members let programs do; returns how many of each kind of thing that was."""
    return _end(list(member_ids))


def memberships(person_id: str) -> Sequence[str]:
    """Return as which members a person acts."""
    return db.session.scalars(select(Member.id).where(Member.person_id == person_id)).all()


def _end(member_ids: Sequence[str], client_ids: Sequence[str] | None = None) -> dict[str, int]:
    def of(model: Any) -> list[Any]:
        chosen = [model.client_id.in_(client_ids)] if client_ids is not None else []
        return [model.member_id.in_(member_ids), *chosen]

    # First what can still become tokens: who changes it at this moment is waited for, and found among the families.
    codes = delete(AuthorizationCode).where(*of(AuthorizationCode), AuthorizationCode.family_id.is_(None))
    approved = (*of(DeviceAuthorization), DeviceAuthorization.state == DeviceState.APPROVED.value)
    devices = update(DeviceAuthorization).where(*approved).values(state=DeviceState.DENIED.value)
    alive = (*of(TokenFamily), TokenFamily.revoked_at.is_(None))
    families = update(TokenFamily).where(*alive).values(revoked_at=clock.now())
    return {"codes": changed_rows(codes), "devices": changed_rows(devices), "families": changed_rows(families)}


def _listed(person_id: str) -> Select[Any]:
    held, owner = _held(), aliased(Organization)
    return (
        select(
            held,
            ApiClient.name.label("program"),
            owner.name_ja.label("owner_ja"),
            owner.name_en.label("owner_en"),
            Organization.name_ja,
            Organization.name_en,
        )
        .join(Member, Member.id == held.c.member_id)
        .join(Organization, Organization.id == Member.organization_id)
        .join(ApiClient, ApiClient.id == held.c.client_id)
        .join(owner, owner.id == ApiClient.organization_id)
        .where(Member.person_id == person_id, ApiClient.state == ClientState.ACTIVE.value)
        .order_by(held.c.client_id, held.c.member_id)
    )


def _held() -> Any:
    """Return as a table whatever a program holds, or may still fetch, by somebody's consent."""
    now = clock.now()
    renewable = select(ApiClient.id).where(ApiClient.grant_types.contains([GrantType.REFRESH_TOKEN.value]))
    usable = select(AccessToken.family_id).where(AccessToken.family_id.is_not(None), AccessToken.expires_at > now)
    families = _columns(TokenFamily, TokenFamily.created_at).where(
        TokenFamily.revoked_at.is_(None),
        TokenFamily.expires_at > now,
        or_(TokenFamily.client_id.in_(renewable), TokenFamily.id.in_(usable)),
    )
    codes = _columns(AuthorizationCode, AuthorizationCode.issued_at).where(
        AuthorizationCode.family_id.is_(None), AuthorizationCode.expires_at > now
    )
    devices = _columns(DeviceAuthorization, DeviceAuthorization.created_at).where(
        DeviceAuthorization.state == DeviceState.APPROVED.value, DeviceAuthorization.expires_at > now
    )
    return union_all(families, codes, devices).subquery()


def _columns(model: Any, since: Any) -> Select[Any]:
    return select(model.client_id, model.member_id, model.scope, since.label("since"), model.expires_at.label("until"))


def _together(rows: Sequence[Any]) -> Given:
    first = rows[0]
    return Given(
        client_id=first.client_id,
        member_id=first.member_id,
        program=first.program,
        owner_ja=first.owner_ja,
        owner_en=first.owner_en,
        organization_ja=first.name_ja,
        organization_en=first.name_en,
        scopes=tuple(sorted({scope for row in rows for scope in row.scope.split()})),
        since=min(row.since for row in rows),
        until=max(row.until for row in rows),
    )
