"""Private groups: who comes in and goes, what is refused, and what the record says."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings
from marketplace.catalog import queries as catalog
from marketplace.catalog import service as catalog_service
from marketplace.catalog.groups import queries, rules, service
from marketplace.catalog.groups.errors import GroupFull, GroupInUse, MemberNotOpen
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.catalog.models import PrivateListing
from marketplace.catalog.search import SearchIndex
from marketplace.catalog.sight import PUBLIC, Sight
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from tests.factories.catalog import DatasetFactory, DocumentFactory
from tests.factories.identity import OrganizationFactory, actor_of

DRAFT = GroupDraft("観光推進の会", "Tourism circle")


@pytest.fixture
def group(provider: Actor) -> str:
    return service.make_group(provider, DRAFT).id


@pytest.fixture
def buyer(session: Session) -> Actor:
    return actor_of(OrganizationFactory(buyer=True))


def test_an_invitation_is_seen_and_followed_and_only_then_counts(provider: Actor, buyer: Actor, group: str) -> None:
    service.admit(provider, group, buyer.organization_id, invited=True)
    assert queries.get_group(buyer, group).standing == "invited"
    assert queries.sight_of(buyer) == PUBLIC

    assert service.accept(buyer, group).standing == "member"
    assert service.accept(buyer, group).standing == "member"
    assert queries.sight_of(buyer) == Sight(frozenset({group}))
    assert queries.sight_of(provider) == Sight(frozenset({group}))
    told = db.session.scalars(select(Entry).where(Entry.subject == group).order_by(Entry.id)).all()
    assert [(entry.verb, entry.counterparty_id) for entry in told] == [
        (Verb.GROUP_MADE, None), (Verb.GROUP_INVITED, buyer.organization_id), (Verb.GROUP_JOINED, provider.organization_id),
    ]  # fmt: skip


def test_naming_an_invited_organization_makes_it_a_member_and_inviting_a_member_changes_nothing(
    provider: Actor, buyer: Actor, group: str
) -> None:
    service.admit(provider, group, buyer.organization_id, invited=True)
    service.admit(provider, group, buyer.organization_id)
    service.admit(provider, group, buyer.organization_id, invited=True)
    [member] = queries.list_members(provider, group).items
    assert (member.organization.id, member.state) == (buyer.organization_id, "member")
    assert queries.get_group(provider, group).members_total == 1
    assert queries.get_group(buyer, group).members_total is None


def test_members_do_not_learn_of_each_other_and_strangers_of_nothing(
    provider: Actor, stranger: Actor, buyer: Actor, group: str
) -> None:
    service.admit(provider, group, buyer.organization_id)
    for who in (buyer, stranger):
        with pytest.raises(NotFound):
            queries.list_members(who, group)
        with pytest.raises(NotFound):
            queries.list_datasets(who, group)
        with pytest.raises(NotFound):
            service.admit(who, group, who.organization_id)
        with pytest.raises(NotFound):
            service.remove(who, group, buyer.organization_id)
        with pytest.raises(NotFound):
            service.rename_group(who, group, DRAFT)
    for deed in (service.accept, service.leave, queries.get_group):
        with pytest.raises(NotFound):
            deed(stranger, group)
    with pytest.raises(NotFound):
        service.accept(provider, group)
    assert len(queries.list_members(provider, group).items) == 1


@pytest.mark.parametrize("traits", [{"applicant": True}, {"suspended": True}])
def test_unknown_and_unverified_organizations_and_the_owner_are_refused_alike(
    provider: Actor, group: str, traits: dict[str, bool]
) -> None:
    for organization_id in (OrganizationFactory(**traits).id, "org_" + "0" * 32, "\x00", provider.organization_id):
        with pytest.raises(MemberNotOpen):
            service.admit(provider, group, organization_id)
    assert queries.list_members(provider, group).items == []


@pytest.mark.parametrize(
    "draft", [GroupDraft(), GroupDraft(" ", "\u3000"), GroupDraft("会" * 201), GroupDraft("a\nb"), GroupDraft("a\x00")]
)
def test_names_that_cannot_be_shown_are_refused(provider: Actor, group: str, draft: GroupDraft) -> None:
    with pytest.raises(Invalid):
        service.make_group(provider, draft)
    with pytest.raises(Invalid):
        service.rename_group(provider, group, draft)
    assert queries.get_group(provider, group).name_ja == "観光推進の会"


def test_groups_and_members_have_a_limit(
    provider: Actor, buyer: Actor, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MEMBERS_MAX", 1)
    monkeypatch.setattr(rules, "GROUPS_MAX", 1)
    service.admit(provider, group, buyer.organization_id)
    service.admit(provider, group, buyer.organization_id)
    with pytest.raises(GroupFull):
        service.admit(provider, group, OrganizationFactory().id)
    with pytest.raises(GroupFull):
        service.make_group(provider, DRAFT)


def test_only_groups_of_ones_own_are_an_audience(provider: Actor, stranger: Actor, buyer: Actor, group: str) -> None:
    own, foreign = (DatasetFactory(organization_id=who.organization_id, published=True) for who in (provider, stranger))
    for who, dataset_id, group_id in (
        (stranger, foreign.id, group), (provider, foreign.id, group), (stranger, own.id, None), (provider, own.id, "grp_x"),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            service.set_audience(who, dataset_id, group_id)
    service.admit(provider, group, stranger.organization_id)
    with pytest.raises(NotFound):
        service.set_audience(stranger, foreign.id, group)
    assert service.set_audience(provider, own.id, group).audience == group
    with pytest.raises(GroupInUse) as refused:
        service.dissolve_group(provider, group)
    assert refused.value.members["datasets"] == [own.id]
    service.set_audience(provider, own.id, None)
    service.dissolve_group(provider, group)
    with pytest.raises(NotFound):
        queries.get_group(provider, group)


def test_a_group_ends_with_withdrawn_datasets_which_stay_private(
    provider: Actor, buyer: Actor, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "GROUPS_MAX", 1)
    own, other = (DatasetFactory(organization_id=provider.organization_id, published=True) for _ in range(2))
    service.admit(provider, group, buyer.organization_id)
    service.set_audience(provider, own.id, group)
    catalog_service.withdraw_dataset(provider, own.id)

    service.dissolve_group(provider, group)

    assert queries.list_groups(provider).items == queries.list_groups(buyer).items == []
    assert queries.sight_of(provider) == queries.sight_of(buyer) == PUBLIC
    assert catalog.get_dataset(own.id).audience == group
    for deed in (service.dissolve_group, service.leave, lambda who, of: service.set_audience(who, other.id, of)):
        with pytest.raises(NotFound):
            deed(provider, group)
    service.make_group(provider, DRAFT)


def test_the_database_holds_that_an_audience_is_the_owners(
    session: Session, provider: Actor, stranger: Actor, group: str
) -> None:
    dataset = DatasetFactory(organization_id=stranger.organization_id, published=True)
    dataset.audience = group
    with pytest.raises(IntegrityError, match="fk_dataset_audience"):
        session.flush()
    session.rollback()


def test_the_database_holds_that_a_private_document_names_its_group(
    session: Session, provider: Actor, group: str
) -> None:
    dataset = DatasetFactory(organization_id=provider.organization_id, published=True)
    service.set_audience(provider, dataset.id, group)
    listings.put_listing(dataset.id, {"id": dataset.id, "audience": "grp_another"})
    row = session.scalars(select(PrivateListing)).one()
    assert row.document == {"id": dataset.id, "audience": group}
    row.document = {"id": dataset.id}
    with pytest.raises(IntegrityError, match="ck_private_listing_audience"):
        session.flush()
    session.rollback()


def test_pages_of_groups_and_members_are_whole(provider: Actor, buyer: Actor, group: str) -> None:
    others = [service.make_group(provider, DRAFT).id for _ in range(4)]
    members = sorted(OrganizationFactory().id for _ in range(5))
    for organization_id in members:
        service.admit(provider, group, organization_id)
    pages, cursor = [], None
    for _ in range(3):
        page = queries.list_groups(provider, cursor=cursor, size=2)
        pages += [one.id for one in page.items]
        cursor = page.next_cursor
    assert (pages, cursor) == ([*others[::-1], group], None)
    first = queries.list_members(provider, group, size=3)
    rest = queries.list_members(provider, group, size=3, cursor=first.next_cursor)
    assert [one.organization.id for one in [*first.items, *rest.items]] == members
    assert queries.list_groups(buyer).items == []


def test_a_refused_private_document_leaves_the_index_and_a_public_one_stays(index: SearchIndex) -> None:
    public, private = DocumentFactory(title_ja="橋の台帳"), DocumentFactory(title_ja="路線の台帳")
    index.rebuild([public, private])
    broken = {"title_ja": None, "publisher": None}

    assert index.follow({public["id"]: public | broken, private["id"]: private | broken | {"audience": "grp_x"}}) == {
        public["id"], private["id"],
    }  # fmt: skip

    assert [hit.dataset_id for hit in index.search("台帳").hits] == [public["id"]]
    assert index.search("台帳", sight=Sight(frozenset({"grp_x"}))).total == 1


def test_what_is_kept_of_an_answer_is_kept_for_its_reader_alone(index: SearchIndex) -> None:
    public, private = DocumentFactory(title_ja="橋の台帳"), DocumentFactory(title_ja="路線の台帳", audience="grp_x")
    index.rebuild([public, private])
    member = Sight(frozenset({"grp_x"}))
    for _ in range(2):
        assert index.search("台帳", sight=member).facets["format"] == {"CSV": 2}
        assert index.search("台帳").facets["format"] == {"CSV": 1}
        assert index.search("台帳", sight=Sight(frozenset({"grp_y"}))).total == 1
