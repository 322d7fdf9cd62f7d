"""Who sees whom, and in what order."""

import pytest
from flask import Flask

from marketplace.identity import queries
from marketplace.identity.states import Capacity, OrganizationState
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.pages import encode_cursor
from tests.factories.identity import ApiClientFactory, MemberFactory, OrganizationFactory, actor_of

pytestmark = pytest.mark.usefixtures("app")


def test_an_organization_sees_itself_and_an_overseer_sees_all() -> None:
    own, other = OrganizationFactory(), OrganizationFactory()
    assert queries.get_visible_organization(actor_of(own), own.id) is own
    for overseer in (OrganizationFactory(operator=True), OrganizationFactory(auditor=True)):
        assert queries.get_visible_organization(actor_of(overseer), other.id) is other
    with pytest.raises(NotFound):
        queries.get_visible_organization(actor_of(own), other.id)


def test_organizations_are_listed_page_by_page_newest_first() -> None:
    made = [OrganizationFactory().id for _ in range(5)]
    first = queries.list_organizations(size=2)
    second = queries.list_organizations(size=2, cursor=first.next_cursor)
    OrganizationFactory()
    third = queries.list_organizations(size=2, cursor=second.next_cursor)
    listed = [row.id for page in (first, second, third) for row in page.items]
    assert listed == sorted(made, reverse=True)
    assert third.next_cursor is None


def test_organizations_are_listed_by_state_and_capacity() -> None:
    applicant, auditor, trader = (
        OrganizationFactory(applicant=True, buyer=True),
        OrganizationFactory(auditor=True),
        OrganizationFactory(),
    )
    listed = queries.list_organizations(state=OrganizationState.APPLIED).items
    assert [row.id for row in listed] == [applicant.id]
    assert [row.id for row in queries.list_organizations(capacity=Capacity.AUDITOR).items] == [auditor.id]
    buyers = queries.list_organizations(capacity=Capacity.BUYER).items
    assert {row.id for row in buyers} == {applicant.id, trader.id}


def test_clients_and_members_are_listed_for_their_organization_alone() -> None:
    client, member = ApiClientFactory(), MemberFactory()
    ApiClientFactory()
    assert queries.list_clients(client.organization_id).items == [client]
    assert queries.list_members(member.organization_id).items == [member]
    assert queries.list_members(client.organization_id).items == []


def test_a_client_is_read_by_its_own_organization_alone() -> None:
    organization = OrganizationFactory()
    client = ApiClientFactory(organization=organization)
    assert queries.get_own_client(actor_of(organization), client.id) is client
    with pytest.raises(NotFound):
        queries.get_own_client(actor_of(OrganizationFactory(operator=True)), client.id)


@pytest.mark.parametrize("identifier", ["", "\x00", "\ud800", "org_" + "0" * 32, "' OR 1=1 --", "あ"])
def test_what_does_not_exist_is_not_found(app: Flask, identifier: str) -> None:
    OrganizationFactory()
    assert queries.find_organization(identifier) is None
    assert queries.find_client(identifier) is None
    for read in (queries.get_organization, queries.get_client):
        with pytest.raises(NotFound):
            read(identifier)


@pytest.mark.parametrize("cursor", ["nonsense", encode_cursor(["\x00"]), encode_cursor(["a", "b"])])
def test_a_cursor_that_no_list_handed_out_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid):
        queries.list_organizations(cursor=cursor)
