"""Reads of private groups: whose listings a caller sees, and who is in a group."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, literal, or_, select

from marketplace.catalog.groups.models import GroupMember, PrivateGroup
from marketplace.catalog.groups.states import Membership
from marketplace.catalog.models import Dataset
from marketplace.catalog.sight import PUBLIC, Sight
from marketplace.catalog.states import DatasetState
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.judging import allows
from marketplace.identity.models import Organization
from marketplace.identity.permissions import Permission
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable

OWNER = "owner"
_SEEN = (
    select(PrivateGroup.id)
    .where(PrivateGroup.organization_id == bindparam("organization"), PrivateGroup.ended_at.is_(None))
    .union(
        select(GroupMember.group_id).where(
            GroupMember.organization_id == bindparam("organization"), GroupMember.state == Membership.MEMBER.value
        )
    )
)


@dataclass(frozen=True, slots=True)
class Group:
    """A group as its owner, a member, or whoever is invited sees it: ``standing`` says which.

    How many are in it, its owner alone learns.
    """

    id: str
    owner: Organization
    name_ja: str
    name_en: str
    standing: str
    since: datetime
    members_total: int | None


@dataclass(frozen=True, slots=True)
class Member:
    """An organization in a group, as its owner sees it."""

    organization: Organization
    state: str
    since: datetime


def sight_of(actor: Actor | None) -> Sight:
    """Return whose private listings a caller sees, read anew with each request: who was removed sees nothing more.

    It is the public's for whoever may not ask for them: nobody, narrow tokens, organizations that are not verified.
    """
    if actor is None or not allows(actor, Permission.GROUPS_READ):
        return PUBLIC
    return Sight(frozenset(db.session.scalars(_SEEN, {"organization": actor.organization_id})))


def get_group(actor: Actor, group_id: str) -> Group:
    """Return a group that the caller owns, is in, or is invited to; NotFound for all others."""
    row = db.session.execute(_standing(actor).where(PrivateGroup.id == storable(group_id))).first()
    if row is None:
        raise NotFound
    return _groups(actor, [row])[0]


def get_own_group(actor: Actor, group_id: str) -> PrivateGroup:
    """Return a group of the caller's organization; NotFound for all others."""
    own = (PrivateGroup.id == storable(group_id), PrivateGroup.organization_id == actor.organization_id)
    found = select(PrivateGroup).where(*own, PrivateGroup.ended_at.is_(None))
    group = db.session.scalar(found, execution_options={"populate_existing": True})
    if group is None:
        raise NotFound
    return group


def hold_organizations(group_id: str) -> frozenset[str]:
    """Return the organizations that see what is listed to a group: its owner and members.

    None of them leaves it until the transaction ends. For whoever tells them, never for a reader.
    """
    owner = select(PrivateGroup.organization_id).where(PrivateGroup.id == group_id)
    inside = select(GroupMember.organization_id).where(
        GroupMember.group_id == group_id, GroupMember.state == Membership.MEMBER.value
    )
    members = db.session.scalars(inside.with_for_update(read=True, key_share=True)).all()
    return frozenset({*db.session.scalars(owner), *members})


def list_groups(actor: Actor, *, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[Group]:
    """Return the groups that the caller owns, is in, or is invited to, newest first."""
    after = decode_cursor(cursor, 1)
    statement = _standing(actor)
    if after:
        statement = statement.where(PrivateGroup.id < storable(str(after[0])))
    rows = db.session.execute(statement.order_by(PrivateGroup.id.desc()).limit(size + 1)).all()
    page = cut(rows, size, lambda row: [row.PrivateGroup.id])
    return Page(_groups(actor, page.items), page.next_cursor)


def list_members(actor: Actor, group_id: str, *, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[Member]:
    """Return who is in the caller's own group or invited to it; NotFound for all others, its members too."""
    group = get_own_group(actor, group_id)
    after = decode_cursor(cursor, 1)
    statement = select(GroupMember).where(GroupMember.group_id == group.id)
    if after:
        statement = statement.where(GroupMember.organization_id > storable(str(after[0])))
    ordered = statement.order_by(GroupMember.organization_id).limit(size + 1)
    rows = db.session.scalars(ordered, execution_options={"populate_existing": True}).all()
    page = cut(rows, size, lambda row: [row.organization_id])
    known = identity.find_organizations({row.organization_id for row in page.items})
    return Page([Member(known[row.organization_id], row.state, row.since) for row in page.items], page.next_cursor)


def list_datasets(
    actor: Actor, group_id: str, *, cursor: str | None = None, size: int = SIZE_DEFAULT, is_live: bool = False
) -> Page[Dataset]:
    """Return which datasets are listed to the caller's own group alone, or those of them that were not withdrawn.

    NotFound for all others' groups.
    """
    group = get_own_group(actor, group_id)
    after = decode_cursor(cursor, 1)
    statement = select(Dataset).where(Dataset.audience == group.id)
    if is_live:
        statement = statement.where(Dataset.state != DatasetState.WITHDRAWN)
    if after:
        statement = statement.where(Dataset.id < storable(str(after[0])))
    rows = db.session.scalars(statement.order_by(Dataset.id.desc()).limit(size + 1)).all()
    return cut(rows, size, lambda row: [row.id])


def _standing(actor: Actor) -> Any:
    mine = GroupMember.organization_id == actor.organization_id
    standing = func.coalesce(GroupMember.state, literal(OWNER)).label("standing")
    since = func.coalesce(GroupMember.since, PrivateGroup.created_at).label("since")
    joined = select(PrivateGroup, standing, since).outerjoin(
        GroupMember, (GroupMember.group_id == PrivateGroup.id) & mine
    )
    standing_ones = joined.where(PrivateGroup.ended_at.is_(None))
    return standing_ones.where(or_(PrivateGroup.organization_id == actor.organization_id, mine))


def _groups(actor: Actor, rows: Sequence[Any]) -> list[Group]:
    owners = identity.find_organizations({row.PrivateGroup.organization_id for row in rows})
    own = [row.PrivateGroup.id for row in rows if row.PrivateGroup.organization_id == actor.organization_id]
    counted = select(GroupMember.group_id, func.count()).where(GroupMember.group_id.in_(own))
    sizes = {one: int(many) for one, many in db.session.execute(counted.group_by(GroupMember.group_id)).all()}
    return [
        Group(
            id=row.PrivateGroup.id,
            owner=owners[row.PrivateGroup.organization_id],
            name_ja=row.PrivateGroup.name_ja,
            name_en=row.PrivateGroup.name_en,
            standing=row.standing,
            since=row.since,
            members_total=sizes.get(row.PrivateGroup.id, 0) if row.standing == OWNER else None,
        )
        for row in rows
    ]
