"""Deeds of private groups: making them, who comes in and goes, and which datasets are listed to them."""

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import queries as catalog
from marketplace.catalog.errors import DatasetWithdrawn
from marketplace.catalog.groups import queries, rules
from marketplace.catalog.groups.errors import GroupFull, GroupInUse, MemberNotOpen
from marketplace.catalog.groups.models import GroupMember, PrivateGroup
from marketplace.catalog.groups.queries import Group
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.catalog.groups.states import Membership
from marketplace.catalog.models import Dataset
from marketplace.catalog.states import DatasetState
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.models import Organization
from marketplace.identity.states import OrganizationState
from marketplace.kit import clock
from marketplace.kit.db import changed_rows, db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from marketplace.webhooks import service as webhooks

DATASETS_NAMED = 20
"""So many datasets are named that keep a group from ending."""


def make_group(actor: Actor, draft: GroupDraft) -> Group:
    """Make a group without members; raises Invalid or GroupFull."""
    named = rules.check_draft(draft)
    # Two at once would each find room for one more.
    db.session.scalars(select(Organization.id).where(Organization.id == actor.organization_id).with_for_update()).one()
    mine = (PrivateGroup.organization_id == actor.organization_id, PrivateGroup.ended_at.is_(None))
    owned = select(func.count()).select_from(PrivateGroup).where(*mine)
    if (db.session.scalar(owned) or 0) >= rules.GROUPS_MAX:
        raise GroupFull(most=rules.GROUPS_MAX)
    names = {"name_ja": named.name_ja, "name_en": named.name_en}
    row = {"id": new_id("grp"), "organization_id": actor.organization_id, "created_at": clock.now()} | names
    db.session.execute(insert(PrivateGroup).values(**row))
    audit.record(actor, Verb.GROUP_MADE, subject=str(row["id"]))
    return queries.get_group(actor, str(row["id"]))


def rename_group(actor: Actor, group_id: str, draft: GroupDraft) -> Group:
    """Call one's own group something else; raises NotFound or Invalid."""
    named = rules.check_draft(draft)
    group = _hold(actor, group_id)
    db.session.execute(
        update(PrivateGroup)
        .where(PrivateGroup.id == group.id)
        .values(name_ja=named.name_ja, name_en=named.name_en)
        .execution_options(synchronize_session=False)
    )
    audit.record(actor, Verb.GROUP_RENAMED, subject=group.id)
    return queries.get_group(actor, group.id)


def dissolve_group(actor: Actor, group_id: str) -> None:
    """End one's own group with all who are in it; raises NotFound, or GroupInUse while datasets are listed to it.

    What was listed to it and withdrawn stays as private as it was, and grants of that go on to their end.
    """
    group = _hold(actor, group_id)
    # Who would list a dataset to it now waits for us, and is then told that there is none.
    listed = queries.list_datasets(actor, group.id, size=DATASETS_NAMED, is_live=True).items
    if listed:
        raise GroupInUse(datasets=[dataset.id for dataset in listed])
    db.session.execute(delete(GroupMember).where(GroupMember.group_id == group.id))
    webhooks.take_back(group.id)
    changed_rows(update(PrivateGroup).where(PrivateGroup.id == group.id).values(ended_at=clock.now()))
    audit.record(actor, Verb.GROUP_DISSOLVED, subject=group.id)


def admit(actor: Actor, group_id: str, organization_id: str, *, invited: bool = False) -> Group:
    """Name an organization as a member of one's own group, or invite it; who is in it already stays as it is.

    Naming whoever is invited makes it a member. Raises NotFound, MemberNotOpen or GroupFull.
    """
    group = _hold(actor, group_id)
    named = identity.find_organization(organization_id)
    if named is None or named.state != OrganizationState.VERIFIED or named.id == group.organization_id:
        raise MemberNotOpen
    counted = select(func.count()).select_from(GroupMember)
    others = counted.where(GroupMember.group_id == group.id, GroupMember.organization_id != named.id)
    if (db.session.scalar(others) or 0) >= rules.MEMBERS_MAX:
        raise GroupFull(most=rules.MEMBERS_MAX)
    state = Membership.INVITED if invited else Membership.MEMBER
    row = {"group_id": group.id, "organization_id": named.id, "state": state.value, "since": clock.now()}
    entered = insert(GroupMember).values(**row)
    key = ["group_id", "organization_id"]
    risen = {"state": entered.excluded.state, "since": entered.excluded.since}
    changes = (GroupMember.state == Membership.INVITED.value) & (entered.excluded.state == Membership.MEMBER.value)
    put = entered.on_conflict_do_update(index_elements=key, set_=risen, where=changes)
    if db.session.scalar(put.returning(GroupMember.group_id)) is not None:
        verb = Verb.GROUP_INVITED if invited else Verb.GROUP_JOINED
        audit.record(actor, verb, subject=group.id, counterparty=named.id)
    return queries.get_group(actor, group.id)


def accept(actor: Actor, group_id: str) -> Group:
    """Follow an invitation; who is a member already stays it. Raises NotFound where there is none, or no more."""
    group = queries.get_group(actor, group_id)
    if group.standing == queries.OWNER:
        raise NotFound
    here = (GroupMember.group_id == group.id, GroupMember.organization_id == actor.organization_id)
    joined = update(GroupMember).where(*here, GroupMember.state == Membership.INVITED.value)
    if changed_rows(joined.values(state=Membership.MEMBER.value, since=clock.now())):
        audit.record(actor, Verb.GROUP_JOINED, subject=group.id, counterparty=group.owner.id)
    # Whoever was removed meanwhile is told so here.
    return queries.get_group(actor, group.id)


def leave(actor: Actor, group_id: str) -> None:
    """Leave a group, or decline to join it: what is listed to it is seen no more; what was bought stays.

    Raises NotFound for whoever is not in it.
    """
    group = queries.get_group(actor, group_id)
    _end(actor, group.id, actor.organization_id, group.owner.id)


def remove(actor: Actor, group_id: str, organization_id: str) -> None:
    """Take an organization out of one's own group, or its invitation back; what it bought stays. Raises NotFound."""
    group = queries.get_own_group(actor, group_id)
    _end(actor, group.id, organization_id, organization_id)


def set_audience(actor: Actor, dataset_id: str, group_id: str | None) -> Dataset:
    """Have one's own dataset listed to a group of one's own alone, or to everybody; the story lists it anew.

    Raises NotFound for either of them, or DatasetWithdrawn.
    """
    dataset = catalog.get_own_dataset(actor, dataset_id)
    if dataset.state == DatasetState.WITHDRAWN:
        raise DatasetWithdrawn
    audience = None if group_id is None else _hold(actor, group_id, share=True).id
    living = (Dataset.id == dataset.id, Dataset.state != DatasetState.WITHDRAWN)
    fresh = update(Dataset).where(*living, Dataset.audience.is_distinct_from(audience))
    if changed_rows(fresh.values(audience=audience, updated_at=clock.now())):
        facts = {"audience": audience or "public"}
        audit.record(actor, Verb.DATASET_AUDIENCE_SET, subject=dataset.id, dataset=dataset.id, facts=facts)
    db.session.refresh(dataset)
    return dataset


def _hold(actor: Actor, group_id: str, *, share: bool = False) -> PrivateGroup:
    """Return one's own group and keep it as it is until the transaction ends; raises NotFound."""
    found = queries.get_own_group(actor, group_id)
    living = (PrivateGroup.id == found.id, PrivateGroup.ended_at.is_(None))
    held = select(PrivateGroup).where(*living).with_for_update(read=share)
    group = db.session.scalars(held.execution_options(populate_existing=True)).one_or_none()
    if group is None:
        raise NotFound
    return group


def _end(actor: Actor, group_id: str, organization_id: str, other_id: str) -> None:
    gone = delete(GroupMember).where(GroupMember.group_id == group_id, GroupMember.organization_id == organization_id)
    if not changed_rows(gone):
        raise NotFound
    # After the row is gone: whoever tells the group of something holds it, so that nothing is told in between.
    webhooks.take_back(group_id, organization_id)
    audit.record(actor, Verb.GROUP_LEFT, subject=group_id, counterparty=other_id)
