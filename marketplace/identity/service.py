"""Deeds of identity: admitting organizations, their members and their API clients."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import case, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from marketplace.audit import commitments
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import credentials, delegations, queries, rules
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.client_traits import COMMAND_LINE, PROGRAM, ClientTraits
from marketplace.identity.errors import (
    ApplicationsFull,
    CapacityNotOpen,
    ClientKeepsNoSecret,
    ClientSuspended,
    CorporateNumberTaken,
    EmailTaken,
    InsufficientScope,
    OrganizationMoveRefused,
    OwnSuspension,
    RegistrationClosed,
    ScopeNotAvailable,
)
from marketplace.identity.models import AccessToken, ApiClient, Member, Organization, TokenFamily
from marketplace.identity.permissions import scopes_for
from marketplace.identity.rules import ApplicationDraft, MemberDraft
from marketplace.identity.states import (
    LEGAL_MOVES,
    Capacity,
    ClientState,
    OrganizationState,
    Trust,
)
from marketplace.kit import clock, settings
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import changed_rows, db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id

Row = TypeVar("Row", Organization, Member, ApiClient)
FIRST_CLIENT_NAME = "first client"
COMMAND_LINE_NAME = queries.COMMAND_LINE_NAME


@dataclass(frozen=True, slots=True)
class Admission:
    """A new organization with its first API client and the secret, which is shown this once."""

    organization: Organization
    client: ApiClient
    secret: str


def apply(draft: ApplicationDraft) -> Admission:
    """Take an application of the public with a program; it may read its organization's own state until it is verified.

    Whether the corporate number takes part already is told once the applicant's e-mail address is checked. Raises
    RegistrationClosed, ApplicationsFull, CapacityNotOpen or Invalid.
    """
    _refuse_closed(draft)
    return _admit(draft, OrganizationState.UNCHECKED, Verb.ORGANIZATION_APPLIED)


def apply_without_client(draft: ApplicationDraft) -> Organization:
    """Take an application of the public that names no program; raises what ``apply`` raises."""
    _refuse_closed(draft)
    return _enter(draft, OrganizationState.UNCHECKED, Verb.ORGANIZATION_APPLIED)


def admit_application(organization_id: str) -> None:
    """Let an application come before the operator, since its e-mail address is checked.

    Raises OrganizationMoveRefused where that was done before, CorporateNumberTaken where the number takes part.
    """
    try:
        with db.session.begin_nested():
            _move(organization_id, OrganizationState.APPLIED)
    except IntegrityError as error:
        raise CorporateNumberTaken from error
    _reread(Organization, organization_id)


def _refuse_closed(draft: ApplicationDraft) -> None:
    if not settings.current().open_registration:
        raise RegistrationClosed
    if not draft.capacities <= rules.OPEN_CAPACITIES:
        raise CapacityNotOpen
    # Whoever applies needs no account, so nothing else keeps a stranger from filling the books.
    if queries.count_applications() >= settings.current().applications_pending_max:
        raise ApplicationsFull(retry_after_seconds=3600)


def found_organization(draft: ApplicationDraft) -> Admission:
    """Admit an organization in any capacity, verified at once: for those who hold the machine, not for the API.

    With the first operator comes the client of the command line, which anybody's members may let act for them.
    Raises CorporateNumberTaken or Invalid.
    """
    admission = _admit(draft, OrganizationState.VERIFIED, Verb.ORGANIZATION_FOUNDED)
    ensure_command_line()
    return admission


def ensure_command_line() -> None:
    """Give the operators the client of the command line where they have none; one that they ended is not replaced."""
    operator = queries.find_operator()
    if operator is None:
        return
    # Of several servers that start at once the second waits here, and finds it there.
    db.session.execute(select(Organization.id).where(Organization.id == operator.id).with_for_update(key_share=True))
    if not queries.had_command_line_client():
        scopes = scopes_for(frozenset({Capacity.BUYER, Capacity.PROVIDER}))
        _register(SYSTEM, operator.id, COMMAND_LINE_NAME, scopes, COMMAND_LINE)


def verify_organization(actor: Actor, organization_id: str, facts: dict[str, Any] | None = None) -> Organization:
    """Trust an applicant, or a suspended organization again; raises NotFound or OrganizationMoveRefused.

    ``facts`` are what the record says of the judgement. How far it is trusted beyond ``verified`` stays as it was.
    """
    trust = case((Organization.trust == Trust.APPLIED.value, Trust.VERIFIED.value), else_=Organization.trust)
    _move(organization_id, OrganizationState.VERIFIED, verified_at=clock.now(), suspended_reason=None, trust=trust)
    audit.record(actor, Verb.ORGANIZATION_VERIFIED, subject=organization_id, counterparty=organization_id, facts=facts)
    return _reread(Organization, organization_id)


def suspend_organization(actor: Actor, organization_id: str, reason: str) -> Organization:
    """Shut an organization out at once, with every token that it and its members' programs hold.

    The reason is kept beside the organization; the record names it by hash, since it may speak of
    people. Raises NotFound, OwnSuspension, OrganizationMoveRefused or Invalid.
    """
    if organization_id == actor.organization_id:
        raise OwnSuspension
    tidied = rules.checked_text("reason", reason, rules.REASON_LENGTH_MAX)
    _move(organization_id, OrganizationState.SUSPENDED, suspended_reason=tidied)
    own_clients = select(ApiClient.id).where(ApiClient.organization_id == organization_id)
    _revoke_tokens(AccessToken.client_id.in_(own_clients))
    _end_families(TokenFamily.organization_id == organization_id)
    delegations.end_all(actor, organization_id)
    audit.record(
        actor,
        Verb.ORGANIZATION_SUSPENDED,
        subject=organization_id,
        counterparty=organization_id,
        facts={"reason_sha256": sha256_hex(tidied.encode())},
    )
    return _reread(Organization, organization_id)


def add_member(actor: Actor, organization_id: str, draft: MemberDraft) -> Member:
    """Add a person to the caller's organization; raises NotFound, EmailTaken or Invalid."""
    _refuse_strangers(actor, organization_id)
    checked = rules.checked_member(draft)
    member_id = new_id("mem")
    statement = insert(Member).values(
        id=member_id,
        organization_id=organization_id,
        name=checked.name,
        email=checked.email,
        role=checked.role.value,
        created_at=clock.now(),
    )
    if not _inserted(statement, Member.id):
        raise EmailTaken
    # Not who it is, but what shows later who it was, as long as nobody has it forgotten.
    committed = commitments.commitment_to(member_id, {"name": checked.name, "email": checked.email})
    facts = {"role": checked.role.value, "commitment": committed}
    audit.record(actor, Verb.MEMBER_ADDED, subject=member_id, facts=facts)
    return _reread(Member, member_id)


def register_client(
    actor: Actor, organization_id: str, name: str, scopes: Iterable[str], traits: ClientTraits = PROGRAM
) -> tuple[ApiClient, str]:
    """Give the caller's organization a new API client; returns it with its secret, which is shown this once.

    ``traits`` have passed the rules of registration; the secret of a client that keeps none is empty. Raises
    NotFound for another's organization, ScopeNotAvailable or Invalid.
    """
    _refuse_strangers(actor, organization_id)
    chosen = _chosen(scopes, _available(actor, organization_id))
    return _register(actor, organization_id, rules.checked_text("name", name), chosen, traits)


def within_own_scopes(actor: Actor, scopes: Iterable[str]) -> frozenset[str]:
    """Return the scopes if the caller may hand them on for its organization; raises ScopeNotAvailable."""
    return _chosen(scopes, _available(actor, actor.organization_id))


def reregister_client(actor: Actor, client_id: str, name: str, scopes: Iterable[str], traits: ClientTraits) -> str:
    """Replace all that a client was registered with; returns its new secret, empty for one that keeps none.

    What it proved itself with before, and its tokens, are void. Raises ClientSuspended, ScopeNotAvailable or Invalid.
    """
    chosen = within_own_scopes(actor, scopes)
    secret = credentials.new_secret() if traits.has_secret else ""
    proof = {"secret_sha256": credentials.hash_of(secret) if secret else None}
    _rearm(client_id, name=rules.checked_text("name", name), scopes=sorted(chosen), **traits.columns(), **proof)
    audit.record(actor, Verb.CLIENT_CHANGED, subject=client_id, facts={"scopes": sorted(chosen)})
    _reread(ApiClient, client_id)
    return secret


def suspend_client(actor: Actor, client_id: str) -> ApiClient:
    """Shut an API client out at once and for good, with its tokens; doing it twice is no error.

    For the client's own organization and for operators; raises NotFound for all others.
    """
    client = queries.get_client(client_id)
    if Capacity.OPERATOR not in actor.capacities:
        _refuse_strangers(actor, client.organization_id)
    active = (ApiClient.id == client_id, ApiClient.state == ClientState.ACTIVE.value)
    if changed_rows(update(ApiClient).where(*active).values(state=ClientState.SUSPENDED.value)):
        _revoke_tokens(AccessToken.client_id == client_id)
        audit.record(actor, Verb.CLIENT_SUSPENDED, subject=client_id, counterparty=client.organization_id)
    return _reread(ApiClient, client_id)


def rotate_client_secret(actor: Actor, client_id: str) -> tuple[ApiClient, str]:
    """Replace the secret of one's own client; the old one and the tokens it bought are void at once.

    Returns the client and the new secret, which is shown this once. Raises NotFound, ClientSuspended,
    ClientKeepsNoSecret, or InsufficientScope when the client may do more than the caller.
    """
    client = _rearmable(actor, client_id)
    if client.secret_sha256 is None:
        raise ClientKeepsNoSecret
    secret = credentials.new_secret()
    _rearm(client_id, secret_sha256=credentials.hash_of(secret))
    audit.record(actor, Verb.CLIENT_SECRET_ROTATED, subject=client_id)
    return _reread(ApiClient, client_id), secret


def replace_client_keys(actor: Actor, client_id: str, traits: ClientTraits) -> ApiClient:
    """Have one's own client prove itself by other keys; what did before, and the tokens it bought, are void at once.

    ``traits`` are those of the client with its new keys. Raises NotFound, ClientSuspended, or InsufficientScope when
    the client may do more than the caller.
    """
    _rearmable(actor, client_id)
    _rearm(client_id, **traits.columns(), secret_sha256=None)
    audit.record(actor, Verb.CLIENT_KEYS_REPLACED, subject=client_id)
    return _reread(ApiClient, client_id)


def _admit(draft: ApplicationDraft, state: OrganizationState, verb: Verb) -> Admission:
    organization = _enter(draft, state, verb)
    scopes = scopes_for(draft.capacities)
    client, secret = _register(_enterer(organization.id, state), organization.id, FIRST_CLIENT_NAME, scopes, PROGRAM)
    return Admission(organization, client, secret)


def _enter(draft: ApplicationDraft, state: OrganizationState, verb: Verb) -> Organization:
    checked = rules.checked_application(draft)
    organization_id = new_id("org")
    if not _inserted(_insertion(organization_id, checked, state), Organization.id):
        raise CorporateNumberTaken
    facts = {"kind": checked.kind.value, "capacities": sorted(checked.capacities)}
    audit.record(_enterer(organization_id, state), verb, subject=organization_id, facts=facts)
    return _reread(Organization, organization_id)


def _enterer(organization_id: str, state: OrganizationState) -> Actor:
    return SYSTEM if state is OrganizationState.VERIFIED else Actor(organization_id)


def _insertion(organization_id: str, draft: ApplicationDraft, state: OrganizationState) -> Any:
    now = clock.now()
    return insert(Organization).values(
        id=organization_id,
        name_ja=draft.name_ja,
        name_en=draft.name_en,
        kind=draft.kind.value,
        capacities=sorted(capacity.value for capacity in draft.capacities),
        corporate_number=draft.corporate_number,
        invoice_registration_number=draft.invoice_registration_number,
        local_government_code=draft.local_government_code,
        state=state.value,
        trust=(Trust.VERIFIED if state is OrganizationState.VERIFIED else Trust.APPLIED).value,
        created_at=now,
        verified_at=now if state is OrganizationState.VERIFIED else None,
    )


def _register(
    actor: Actor, organization_id: str, name: str, scopes: Iterable[str], traits: ClientTraits
) -> tuple[ApiClient, str]:
    secret, now = credentials.new_secret() if traits.has_secret else "", clock.now()
    client = ApiClient(
        id=new_id("cli"),
        organization_id=organization_id,
        name=name,
        scopes=sorted(scopes),
        secret_sha256=credentials.hash_of(secret) if secret else None,
        **traits.columns(),
        state=ClientState.ACTIVE.value,
        created_at=now,
        secret_changed_at=now,
    )
    db.session.add(client)
    db.session.flush()
    audit.record(
        actor,
        Verb.CLIENT_REGISTERED,
        subject=client.id,
        counterparty=organization_id,
        facts={"scopes": client.scopes},
    )
    return client, secret


def _rearmable(actor: Actor, client_id: str) -> ApiClient:
    """Return one's own client of which nothing but what it proves itself with is to change."""
    client = queries.get_own_client(actor, client_id)
    missing = (frozenset(client.scopes) & scopes_for(actor.capacities)) - actor.scopes
    if missing:
        raise InsufficientScope("The client may do more than your token.", scope=" ".join(sorted(missing)))
    return client


def _rearm(client_id: str, **columns: Any) -> None:
    """Change what a client proves itself with; whoever holds what it was given before holds nothing any more."""
    active = (ApiClient.id == client_id, ApiClient.state == ClientState.ACTIVE.value)
    if changed_rows(update(ApiClient).where(*active).values(**columns, secret_changed_at=clock.now())) == 0:
        raise ClientSuspended
    _revoke_tokens(AccessToken.client_id == client_id)
    _end_families(TokenFamily.client_id == client_id)


def _available(actor: Actor, organization_id: str) -> frozenset[str]:
    useful = _useful_scopes(queries.get_organization(organization_id))
    # Nobody hands on more than it holds: a narrow token must not buy a wide client.
    return useful if actor == SYSTEM else useful & actor.scopes


def _useful_scopes(organization: Organization) -> frozenset[str]:
    return scopes_for(frozenset(Capacity(capacity) for capacity in organization.capacities))


def _chosen(scopes: Iterable[str], available: frozenset[str]) -> frozenset[str]:
    asked = frozenset(scopes)
    if not asked or not asked <= available:
        raise ScopeNotAvailable(
            errors=[{"pointer": "/scopes", "detail": "must name scopes out of `available`, at least one"}],
            available=sorted(available),
        )
    return asked


def _move(organization_id: str, to: OrganizationState, **columns: Any) -> None:
    present = queries.get_organization(organization_id)
    sources = [source.value for source, targets in LEGAL_MOVES.items() if to in targets]
    statement = (
        update(Organization)
        .where(Organization.id == organization_id, Organization.state.in_(sources))
        .values(state=to.value, **columns)
    )
    if changed_rows(statement) == 0:
        raise OrganizationMoveRefused(f"The organization cannot become {to.value}.", state=present.state)


def _refuse_strangers(actor: Actor, organization_id: str) -> None:
    if actor != SYSTEM and actor.organization_id != organization_id:
        raise NotFound


def _revoke_tokens(condition: Any) -> None:
    live = (condition, AccessToken.revoked_at.is_(None))
    changed_rows(update(AccessToken).where(*live).values(revoked_at=clock.now()))


def _end_families(condition: Any) -> None:
    live = (condition, TokenFamily.revoked_at.is_(None))
    changed_rows(update(TokenFamily).where(*live).values(revoked_at=clock.now()))


def _inserted(statement: Any, key: Any) -> bool:
    # Who comes second is told by the unique index, not by a look beforehand.
    return db.session.execute(statement.on_conflict_do_nothing().returning(key)).first() is not None


def _reread(model: type[Row], identifier: str) -> Row:
    return db.session.get_one(model, identifier, populate_existing=True)
