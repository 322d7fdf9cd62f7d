"""Every kind of caller there is, and what the table gives each of them at a route."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.identity import service
from marketplace.identity.actors import SYSTEM
from marketplace.identity.login import sessions
from marketplace.identity.models import Organization
from marketplace.identity.oauth import access_tokens, families
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.permissions import NARROWED, STEP_UP_SECONDS, scopes_for
from marketplace.identity.states import Assurance, Capacity, MemberRole
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.api.routes import Route
from tests.api.trade import Market, Party, party
from tests.factories.identity import MemberFactory, PersonFactory

EVERY_SCOPE = frozenset(scopes_for(frozenset(Capacity)))
FORGED = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJjbGlfMSJ9."
KEY_THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
Answer = tuple[int, str]


@dataclass(frozen=True)
class Caller:
    """A kind of caller: with what it comes, and all that the table may ask about."""

    name: str
    party: Party
    good: bool = True
    scopes: frozenset[str] = EVERY_SCOPE
    capacities: frozenset[Capacity] = frozenset()
    narrowed: bool = False
    role: MemberRole | None = None
    stepped_up: bool = False
    token: bool = True
    foreign: bool = False

    def refusal(self, route: Route) -> Answer | None:  # noqa: PLR0911 - one line for each thing the table asks
        """What the table answers; None where it lets the caller in."""
        rule = route.demands
        if not self.good:
            return 401, "invalid-token"
        if rule.scope is None:
            return None
        if not self.token:
            return 401, "not-authenticated"
        if rule.scope not in self.scopes:
            return 403, "insufficient-scope"
        if rule.capacities and not rule.capacities & self.capacities:
            return 403, "capacity-missing"
        if self.narrowed and route.permission not in NARROWED:
            return 403, "token-narrowed"
        if self.role is not None and self.role not in rule.roles:
            return 403, "role-missing"
        if self.role is not None and rule.step_up and not self.stepped_up:
            return 401, "step-up-required"
        return None


def callers(market: Market, grant_id: str) -> Iterator[Caller]:
    """Nobody, those with tokens that are worth nothing, programs, and members in every role."""
    yield Caller("nobody", market.nobody, token=False)
    yield from _worthless(market)
    for role in Capacity:
        owner: Party = getattr(market, role.value)
        held = frozenset({role})
        yield Caller(f"{role} program", owner, scopes=frozenset(scopes_for(held)), capacities=held)
        yield from _narrow(owner, held)
    applicant = party(market.app, "applicant", "provider", "buyer", applicant=True)
    yield Caller("applicant's program, every scope", _with(applicant))
    buyer = frozenset({Capacity.BUYER})
    yield Caller("narrowed program", _with(market.buyer, grant_ids=(grant_id,)), capacities=buyer, narrowed=True)
    yield from _members(market)


def _worthless(market: Market) -> Iterator[Caller]:
    owner = market.operator
    yield Caller("forger", _holding(owner, FORGED), good=False)
    with clock.stopped(clock.now() - timedelta(hours=2)):
        expired = _with(owner)
    yield Caller("program of long ago", expired, good=False)
    yield Caller("bound token without its proof", _with(owner, dpop_jkt=KEY_THUMBPRINT), good=False)
    revoked = _with(owner)
    with transaction():
        access_tokens.revoke(access_tokens.verify(revoked.token or "").jti)
    yield Caller("revoked program", revoked, good=False)
    suspended = party(market.app, "suspended", "provider", "buyer", "operator")
    its_owner = _member(suspended, MemberRole.OWNER, clock.now())
    with transaction():
        service.suspend_organization(SYSTEM, suspended.organization_id, "規約違反")
    yield Caller("suspended organization's program", suspended, good=False)
    yield Caller("suspended organization's owner", its_owner, good=False)


def _narrow(owner: Party, held: frozenset[Capacity]) -> Iterator[Caller]:
    scope = frozenset({"organization:read"})
    yield Caller(f"{owner.role} program, one scope", owner.with_scopes(*scope), scopes=scope, capacities=held)


def _members(market: Market) -> Iterator[Caller]:
    """In every role of a provider, a buyer and an operator, with and without a fresh second factor, and an auditor."""
    stale = clock.now() - timedelta(seconds=STEP_UP_SECONDS + 60)
    everything = party(market.app, "all", "provider", "buyer", "operator")
    held = frozenset({Capacity.PROVIDER, Capacity.BUYER, Capacity.OPERATOR})
    other = party(market.app, "of another", "provider")
    for role in MemberRole:
        fresh = _member(everything, role, clock.now())
        yield Caller(f"{role} of all, second factor", fresh, capacities=held, role=role, stepped_up=True)
        one, held_there = _member(other, role, clock.now(), Assurance.AAL1), frozenset({Capacity.PROVIDER})
        yield Caller(f"{role} of another, one factor", one, capacities=held_there, role=role, foreign=True)
    for role in (MemberRole.OWNER, MemberRole.FINANCE):
        long_ago = _member(everything, role, stale)
        yield Caller(f"{role} of all, second factor long ago", long_ago, capacities=held, role=role)
    for capacity in Capacity:
        owner: Party = getattr(market, capacity.value)
        who = _member(owner, MemberRole.OWNER, clock.now())
        held = frozenset({capacity})
        yield Caller(f"owner of {capacity}", who, capacities=held, role=MemberRole.OWNER, stepped_up=True)


def _holding(owner: Party, token: str) -> Party:
    return Party(owner.app, owner.role, owner.organization_id, owner.client_id, token)


def _with(owner: Party, **more: object) -> Party:
    bearer = Bearer(owner.client_id, owner.organization_id, " ".join(sorted(EVERY_SCOPE)), **more)  # type: ignore[arg-type]
    with transaction():
        return _holding(owner, access_tokens.issue(bearer))


def _member(
    owner: Party,
    role: MemberRole,
    when: datetime,
    acr: Assurance = Assurance.AAL2,
    person_id: str | None = None,
) -> Party:
    """A program that a member of an organization lets act, with every scope."""
    organization = db.session.get(Organization, owner.organization_id)
    member = MemberFactory(organization=organization, role=role.value, person_id=person_id or PersonFactory().id)
    scope = " ".join(sorted(EVERY_SCOPE))
    with transaction():
        family = families.open_family(
            owner.client_id, Consent(member.id, owner.organization_id, scope, None, acr.value, when), None
        )
        bearer = Bearer(owner.client_id, owner.organization_id, scope, member.id, family, acr.value, when)
        return _holding(owner, access_tokens.issue(bearer))


def session_of(owner: Party, role: MemberRole, acr: Assurance) -> str:
    """The cookie of somebody of an organization who is signed in with a browser."""
    organization = db.session.get(Organization, owner.organization_id)
    person = PersonFactory()
    MemberFactory(organization=organization, role=role.value, person_id=person.id)
    with transaction():
        return sessions.open_session(person.id, acr, "a test")
