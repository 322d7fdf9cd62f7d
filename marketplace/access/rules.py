"""What a grant is and what it is worth: pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from marketplace.access.errors import ReasonMissing
from marketplace.access.models import Grant
from marketplace.access.states import GrantState, Standing
from marketplace.identity.actors import Actor
from marketplace.identity.states import Capacity
from marketplace.kit.clock import JST
from marketplace.kit.texts import is_storable

REASON_LENGTH_MAX = 1000


@dataclass(frozen=True, slots=True)
class GrantDraft:
    """What a fulfilled order gives: to whom, of whom, under which terms, which releases, how long.

    ``release_ids`` are the releases bought; ``release_scope`` is the offer's (``licensing.states``), of
    which ``all`` adds every published release, now and later.
    ``duration_days`` None means without end; ``last_day`` is the last day in Japan on which the terms allow use.
    """

    order_id: str
    organization_id: str
    provider_organization_id: str
    offer_id: str
    dataset_id: str
    acceptance_id: str
    terms_sha256: str
    release_scope: str
    release_ids: tuple[str, ...]
    duration_days: int | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class Entitlement:
    """One content that a grant opens at this moment: everything that delivering and metering it takes.

    ``sha256`` and ``size_bytes`` are those of the bytes that go out: the file's own, or those of what was made of it.
    ``rows`` are the rows in them; None where they are the file's, as its profile counts them. ``purpose`` is there
    where it was declared, ``origin_url`` where the provider has the bytes, ``token_id`` and ``family_id`` where an
    access token asks, with the end of which it ends. ``is_part``: the content was made of
    the file under the data policy of the terms, and is all of it that the grant opens.
    """

    grant_id: str
    organization_id: str
    provider_organization_id: str
    dataset_id: str
    release_id: str
    file_id: str
    file_name: str
    media_type: str
    sha256: str
    size_bytes: int
    published_at: datetime
    rows: int | None = None
    purpose: str | None = None
    origin_url: str | None = None
    token_id: str | None = None
    family_id: str | None = None
    is_part: bool = False


def expiry(starts_at: datetime, duration_days: int | None, last_day: date | None = None) -> datetime | None:
    """Return when a grant runs out: after that many times 24 hours, or with its last day in Japan; None for never.

    Whoever's money came late still has 24 hours, since a grant without any time would be nothing for money.
    """
    ends = []
    if duration_days is not None:
        ends.append(starts_at + timedelta(days=duration_days))
    if last_day is not None:
        midnight = datetime.combine(last_day + timedelta(days=1), time.min, JST)
        ends.append(max(midnight, starts_at + timedelta(days=1)))
    return min(ends, default=None)


def standing(state: str, expires_at: datetime | None, at: datetime) -> Standing:
    """Return what a grant is worth at an instant; it is worth nothing from ``expires_at`` on."""
    if state == GrantState.REVOKED:
        return Standing.REVOKED
    if expires_at is not None and at >= expires_at:
        return Standing.EXPIRED
    return Standing.SUSPENDED if state == GrantState.SUSPENDED else Standing.ACTIVE


def is_visible(actor: Actor, grant: Grant) -> bool:
    """Whether the actor may know of the grant: its two parties and the overseers, within what the token is for."""
    party = actor.organization_id in {grant.organization_id, grant.provider_organization_id}
    return is_open_to(actor, grant.id) and (party or actor.oversees)


def is_open_to(actor: Actor, grant_id: str) -> bool:
    """Whether the token is not narrowed to other grants (RFC 9396); for a narrowed one there are no others."""
    return actor.grant_ids is None or grant_id in actor.grant_ids


def may_revoke(actor: Actor, grant: Grant) -> bool:
    """Whether the actor may revoke the grant: its provider and the operator."""
    return actor.organization_id == grant.provider_organization_id or Capacity.OPERATOR in actor.capacities


def checked_reason(reason: str) -> str:
    """Return the reason without surrounding blanks; raises ReasonMissing when it is empty or too long."""
    tidy = reason.strip()
    if not 1 <= len(tidy) <= REASON_LENGTH_MAX or not is_storable(tidy):
        raise ReasonMissing(errors=[{"pointer": "/reason", "detail": f"1 to {REASON_LENGTH_MAX} characters"}])
    return tidy
