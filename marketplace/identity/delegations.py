"""Delegations: an organization lets another manage its listings in its name, until either of them ends it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import queries
from marketplace.identity.actors import Actor
from marketplace.identity.errors import DelegateNotOpen, DelegationOpen, NotDelegated
from marketplace.identity.models import Delegation, Organization
from marketplace.identity.permissions import DELEGABLE, Permission
from marketplace.identity.states import Capacity, OrganizationState, Trust
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable


@dataclass(frozen=True, slots=True)
class Delegated:
    """A delegation as both of its sides see it."""

    id: str
    delegator: Organization
    delegate: Organization
    permissions: Sequence[str]
    created_at: datetime
    ended_at: datetime | None


_OPEN = (
    select(Delegation.permissions, Organization.capacities, Organization.trust)
    .join(Organization, Organization.id == Delegation.delegator_id)
    .where(
        Delegation.delegator_id == bindparam("delegator"),
        Delegation.delegate_id == bindparam("delegate"),
        Delegation.ended_at.is_(None),
        Organization.state == OrganizationState.VERIFIED.value,
    )
)


def act_for(actor: Actor, organization_id: str) -> Actor:
    """Return the caller as it acts in the name of an organization that lets it; raises NotDelegated.

    Read anew with each request: what has ended, and whoever was suspended, counts at once. It acts as a provider
    alone, whatever else the organization is, and hands nothing on.
    """
    names = {"delegator": storable(organization_id), "delegate": actor.organization_id}
    row = db.session.execute(_OPEN, names).first()
    if row is None or Capacity.PROVIDER not in actor.capacities:
        raise NotDelegated
    return replace(
        actor,
        organization_id=organization_id,
        delegate_id=actor.organization_id,
        delegated=DELEGABLE & frozenset(row.permissions),
        capacities=frozenset(map(Capacity, row.capacities)) & {Capacity.PROVIDER},
        trust=Trust(row.trust),
    )


def open_delegation(actor: Actor, delegate_id: str, permissions: Iterable[str]) -> Delegated:
    """Let another organization do these deeds in the caller's name from its next request on.

    Raises DelegateNotOpen for whoever is not a verified provider, DelegationOpen, or Invalid.
    """
    named = frozenset(permissions)
    chosen = sorted(DELEGABLE & named)
    if not chosen or not named <= DELEGABLE:
        raise Invalid(errors=[{"pointer": "/permissions", "detail": f"must be some of {', '.join(sorted(DELEGABLE))}"}])
    delegate = queries.find_organization(delegate_id)
    if delegate is None or not _may_act(delegate) or delegate.id == actor.organization_id:
        raise DelegateNotOpen
    delegation_id = _opened(actor.organization_id, delegate.id, chosen)
    facts = {"permissions": chosen}
    audit.record(actor, Verb.DELEGATION_OPENED, subject=delegation_id, counterparty=delegate.id, facts=facts)
    return get_delegation(actor, delegation_id)


def end_delegation(actor: Actor, delegation_id: str) -> Delegated:
    """End a delegation that the caller gave or got; ending it twice is no error. Raises NotFound for all others."""
    present = get_delegation(actor, delegation_id)
    _end(actor, Delegation.id == present.id)
    return get_delegation(actor, delegation_id)


def end_all(actor: Actor, organization_id: str) -> None:
    """End whatever an organization gave or got, since it is shut out; lifting that brings nothing back."""
    _end(actor, _is_party(organization_id))


def get_delegation(actor: Actor, delegation_id: str) -> Delegated:
    """Return a delegation that the caller gave or got; NotFound for all others."""
    own = (Delegation.id == storable(delegation_id), _is_party(actor.organization_id))
    row = db.session.scalar(select(Delegation).where(*own), execution_options={"populate_existing": True})
    if row is None:
        raise NotFound
    return _shown([row])[0]


def list_delegations(actor: Actor, *, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[Delegated]:
    """Return the delegations that the caller gave or got, newest first; those that have ended too."""
    after = decode_cursor(cursor, 1)
    statement = select(Delegation).where(_is_party(actor.organization_id))
    if after:
        statement = statement.where(Delegation.id < str(after[0]))
    rows = db.session.scalars(statement.order_by(Delegation.id.desc()).limit(size + 1)).all()
    page = cut(rows, size, lambda row: [row.id])
    return Page(_shown(page.items), page.next_cursor)


def _is_party(organization_id: str) -> Any:
    return or_(Delegation.delegator_id == organization_id, Delegation.delegate_id == organization_id)


def _may_act(organization: Organization) -> bool:
    provides = Capacity.PROVIDER.value in organization.capacities
    return provides and organization.state == OrganizationState.VERIFIED.value


def _opened(delegator_id: str, delegate_id: str, permissions: Sequence[Permission]) -> str:
    # Who is being suspended at this moment is waited for: a suspension ends what it finds, and finds this.
    standing = select(Organization.state).where(Organization.id.in_([delegator_id, delegate_id]))
    held = db.session.scalars(standing.order_by(Organization.id).with_for_update(read=True)).all()
    if set(held) != {OrganizationState.VERIFIED.value}:
        raise DelegateNotOpen
    row = {
        "id": new_id("dlg"),
        "delegator_id": delegator_id,
        "delegate_id": delegate_id,
        "permissions": permissions,
        "created_at": clock.now(),
    }
    made = db.session.scalar(insert(Delegation).values(**row).on_conflict_do_nothing().returning(Delegation.id))
    if made is None:
        raise DelegationOpen
    return str(made)


def _end(actor: Actor, condition: Any) -> None:
    ended = update(Delegation).where(condition, Delegation.ended_at.is_(None)).values(ended_at=clock.now())
    sides = (Delegation.id, Delegation.delegator_id, Delegation.delegate_id)
    for row in db.session.execute(ended.returning(*sides), execution_options={"synchronize_session": False}).all():
        other = row.delegate_id if actor.organization_id == row.delegator_id else row.delegator_id
        facts = {"delegator": row.delegator_id, "delegate": row.delegate_id}
        audit.record(actor, Verb.DELEGATION_ENDED, subject=row.id, counterparty=other, facts=facts)


def _shown(rows: Sequence[Delegation]) -> list[Delegated]:
    known = queries.find_organizations({side for row in rows for side in (row.delegator_id, row.delegate_id)})
    return [
        Delegated(
            id=row.id,
            delegator=known[row.delegator_id],
            delegate=known[row.delegate_id],
            permissions=row.permissions,
            created_at=row.created_at,
            ended_at=row.ended_at,
        )
        for row in rows
    ]
