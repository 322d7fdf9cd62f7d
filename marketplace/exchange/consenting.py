"""What a program asks a person to allow, in the words of the trade: for which organization, which data, until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from marketplace.access import queries as access
from marketplace.access.models import Grant
from marketplace.access.rules import standing
from marketplace.access.states import Standing
from marketplace.catalog import queries as catalog
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.login.sessions import Session
from marketplace.identity.models import Member, Organization
from marketplace.identity.oauth import consents
from marketplace.identity.oauth.clients import KnownClient
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.states import Capacity, GrantType, MemberRole, OrganizationState
from marketplace.kit import clock
from marketplace.kit.errors import NotFound
from marketplace.licensing import queries as licensing


@dataclass(frozen=True, slots=True)
class Opened:
    """One grant that the program would use: the dataset, for what its terms allow it, until when."""

    grant_id: str
    title_ja: str
    title_en: str
    purposes: tuple[tuple[str, str], ...]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Choice:
    """One organization for which the person can allow it, and what of the scope that would be."""

    member_id: str
    organization_id: str
    name_ja: str
    name_en: str
    scopes: tuple[str, ...]
    opened: tuple[Opened, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What a program asks for; without ``choices`` the person has nothing of that to give."""

    program: str
    owner_ja: str
    owner_en: str
    scopes: tuple[str, ...]
    grant_ids: tuple[str, ...] | None
    lasting: bool
    choices: tuple[Choice, ...]


def question(person_id: str, client: KnownClient, scope: str, grant_ids: tuple[str, ...] | None) -> Question:
    """Return what a client asks of a person, with the organizations for which they could allow it."""
    owner = identity.get_organization(client.organization_id)
    mine = identity.list_memberships(person_id)
    choices = [_choice(member, organization, scope, grant_ids) for member, organization in mine]
    return Question(
        program=client.name,
        owner_ja=owner.name_ja,
        owner_en=owner.name_en,
        scopes=tuple(scope.split()),
        grant_ids=grant_ids,
        lasting=GrantType.REFRESH_TOKEN.value in client.grant_types,
        choices=tuple(choice for choice in choices if choice is not None),
    )


def consent(session: Session, asked: Question, member_id: str) -> Consent | None:
    """Return what the person allows as one of their memberships, None where that is none of the choices."""
    chosen = next((choice for choice in asked.choices if choice.member_id == member_id), None)
    if chosen is None:
        return None
    return Consent(
        member_id=chosen.member_id,
        organization_id=chosen.organization_id,
        scope=" ".join(chosen.scopes),
        grant_ids=asked.grant_ids,
        acr=session.acr,
        authenticated_at=session.authenticated_at,
    )


def _choice(member: Member, organization: Organization, scope: str, grant_ids: tuple[str, ...] | None) -> Choice | None:
    if organization.state == OrganizationState.SUSPENDED.value:
        return None
    trusted = organization.state == OrganizationState.VERIFIED.value
    capacities = frozenset(map(Capacity, organization.capacities)) if trusted else frozenset()
    useful = consents.within(scope, capacities, MemberRole(member.role))
    opened = _opened(organization.id, grant_ids or ())
    if useful is None or opened is None:
        return None
    scopes = tuple(useful.split())
    return Choice(member.id, organization.id, organization.name_ja, organization.name_en, scopes, opened)


def _opened(organization_id: str, grant_ids: Sequence[str]) -> tuple[Opened, ...] | None:
    """Return the grants, None where one of them is not this organization's to use."""
    grants = [_own(organization_id, grant_id) for grant_id in grant_ids]
    return tuple(_shown(grant) for grant in grants if grant) if all(grants) else None


def _own(organization_id: str, grant_id: str) -> Grant | None:
    try:
        grant = access.get_grant(Actor(organization_id), grant_id)
    except NotFound:
        return None
    usable = standing(grant.state, grant.expires_at, clock.now()) in {Standing.ACTIVE, Standing.SUSPENDED}
    return grant if grant.organization_id == organization_id and usable else None


def _shown(grant: Grant) -> Opened:
    dataset = catalog.get_dataset(grant.dataset_id)
    terms = licensing.usage_terms(licensing.get_terms(grant.terms_sha256))
    purposes = tuple((one.text or one.code.ja, one.text or one.code.en) for one in terms.use_application)
    return Opened(grant.id, dataset.title_ja, dataset.title_en, purposes, grant.expires_at)
