"""Members: their roles, and their leaving. No organization loses its last owner."""

from collections.abc import Sequence

from sqlalchemy import delete, or_, select, update

from marketplace.audit import commitments
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.identity.errors import LastOwner
from marketplace.identity.models import Member, Person
from marketplace.identity.oauth import given_consents
from marketplace.identity.states import MemberRole, PersonState
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.texts import storable


def change_role(actor: Actor, member_id: str, role: MemberRole) -> Member:
    """Give a member of the caller's organization another role, which counts from their next request on.

    Raises NotFound or LastOwner.
    """
    member, owners = _held(actor, member_id)
    before = member.role
    if before == role.value:
        return member
    _refuse_last(member, owners)
    statement = update(Member).where(Member.id == member.id).values(role=role.value).returning(Member)
    changed = db.session.scalars(statement, execution_options={"populate_existing": True}).one()
    facts = {"role": role.value, "before": before}
    audit.record(actor, Verb.MEMBER_ROLE_CHANGED, subject=member.id, facts=facts)
    return changed


def remove_member(actor: Actor, member_id: str) -> None:
    """Erase a person of the caller's organization, with all that they let programs do for it.

    The record keeps the id alone, and commitments that say nothing without their salt. Raises NotFound or LastOwner.
    """
    member, owners = _held(actor, member_id)
    _refuse_last(member, owners)
    # Before the row goes: what is changed for tokens at this moment holds on to it.
    ended = given_consents.end_all([member.id])
    db.session.execute(delete(Member).where(Member.id == member.id), execution_options={"synchronize_session": False})
    db.session.expunge(member)
    facts = ended | {"salt_erased": commitments.erase(member_id)}
    audit.record(actor, Verb.MEMBER_REMOVED, subject=member_id, facts=facts)


def _held(actor: Actor, member_id: str) -> tuple[Member, Sequence[Member]]:
    """Return a member of the caller's organization, and its owners, all held until the transaction ends.

    Of two that take the role from the last two owners the second waits here, and finds the first one's done.
    """
    wanted = or_(Member.id == storable(member_id), Member.role == MemberRole.OWNER.value)
    statement = select(Member).where(Member.organization_id == actor.organization_id, wanted).order_by(Member.id)
    held = statement.with_for_update(key_share=True)
    rows = db.session.scalars(held, execution_options={"populate_existing": True}).all()
    member = next((row for row in rows if row.id == member_id), None)
    if member is None:
        raise NotFound
    return member, [row for row in rows if row.role == MemberRole.OWNER.value]


def _refuse_last(member: Member, owners: Sequence[Member]) -> None:
    """Raise LastOwner for an owner without whom nobody is left who is one, or nobody of them who can sign in."""
    others = [owner for owner in owners if owner.id != member.id]
    can_sign_in = _active([owner.person_id for owner in owners if owner.person_id is not None])
    if member.person_id in can_sign_in:
        others = [owner for owner in others if owner.person_id in can_sign_in]
    if member.role == MemberRole.OWNER.value and not others:
        raise LastOwner


def _active(person_ids: Sequence[str]) -> set[str]:
    active = select(Person.id).where(Person.id.in_(person_ids), Person.state == PersonState.ACTIVE.value)
    return set(db.session.scalars(active))
