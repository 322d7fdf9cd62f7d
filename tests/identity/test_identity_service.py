"""Deeds of identity, and what they refuse."""

from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity import credentials, members, queries, service
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.errors import (
    ApplicationsFull,
    CapacityNotOpen,
    ClientSuspended,
    CorporateNumberTaken,
    EmailTaken,
    InvalidToken,
    OrganizationMoveRefused,
    OwnSuspension,
    RegistrationClosed,
    ScopeNotAvailable,
)
from marketplace.identity.models import ApiClient, Member, Organization
from marketplace.identity.oauth import access_tokens
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.identity.permissions import scopes_for
from marketplace.identity.states import Capacity, MemberRole
from marketplace.kit import settings
from marketplace.kit.errors import Invalid, NotFound
from tests.factories.identity import (
    ApiClientFactory,
    ApplicationDraftFactory,
    MemberDraftFactory,
    MemberFactory,
    OrganizationFactory,
    actor_of,
)

pytestmark = pytest.mark.usefixtures("app")


def verbs(subject: str) -> list[str]:
    """What the record says was done to a thing, oldest first."""
    page = record.search_entries(record.Search(subject=subject))
    return [placed.entry.verb for placed in reversed(page.items)]


def count(session: Session, model: type) -> int:
    return session.scalar(select(func.count()).select_from(model))


@pytest.fixture
def operator() -> Actor:
    return actor_of(OrganizationFactory(operator=True))


def test_the_public_may_apply_and_is_not_trusted_yet(session: Session) -> None:
    admission = service.apply(
        ApplicationDraftFactory(name_ja="株式会社北の恵み", capacities=frozenset(service.rules.OPEN_CAPACITIES))
    )
    organization = queries.get_organization(admission.organization.id)
    assert (organization.state, organization.trust) == ("unchecked", "applied")
    assert organization.name_ja == "株式会社北の恵み"
    assert organization.capacities == ["buyer", "provider"]
    assert organization.verified_at is None
    assert verbs(organization.id) == [Verb.ORGANIZATION_APPLIED]
    assert verbs(admission.client.id) == [Verb.CLIENT_REGISTERED]


def test_an_applicants_token_carries_no_capacity_until_the_operator_trusts_it(operator: Actor) -> None:
    admission = service.apply(ApplicationDraftFactory())
    token = access_tokens.issue(Bearer(admission.client.id, admission.organization.id, "organization:read"))
    assert access_tokens.authenticate(token).capacities == frozenset()
    service.admit_application(admission.organization.id)
    assert access_tokens.authenticate(token).capacities == frozenset()
    service.verify_organization(operator, admission.organization.id)
    assert access_tokens.authenticate(token).capacities == {Capacity.BUYER}


@pytest.mark.parametrize("capacity", [Capacity.OPERATOR, Capacity.AUDITOR])
def test_nobody_applies_to_oversee(session: Session, capacity: Capacity) -> None:
    with pytest.raises(CapacityNotOpen):
        service.apply(ApplicationDraftFactory(capacities=frozenset({capacity})))
    assert count(session, Organization) == 0


def test_an_exchange_may_close_its_registration(app: Flask, session: Session) -> None:
    settings.install(replace(settings.current(), open_registration=False))
    with pytest.raises(RegistrationClosed):
        service.apply(ApplicationDraftFactory())
    assert count(session, Organization) == 0
    assert service.found_organization(ApplicationDraftFactory()).organization.state == "verified"


def test_applications_are_taken_until_enough_of_them_wait(app: Flask) -> None:
    del app
    OrganizationFactory()  # verified: does not wait
    settings.install(replace(settings.current(), applications_pending_max=2))
    first, _second = (service.apply(ApplicationDraftFactory()).organization for _ in range(2))

    with pytest.raises(ApplicationsFull) as refused:
        service.apply(ApplicationDraftFactory())
    assert refused.value.members["retry_after_seconds"] == 3600
    assert queries.count_applications() == 2

    service.admit_application(first.id)
    service.verify_organization(SYSTEM, first.id)
    assert service.apply(ApplicationDraftFactory()).organization.state == "unchecked"


def test_a_broken_application_leaves_nothing(session: Session) -> None:
    with pytest.raises(Invalid):
        service.apply(ApplicationDraftFactory(corporate_number="1234567890123"))
    assert (count(session, Organization), count(session, ApiClient)) == (0, 0)


def test_a_corporate_number_takes_part_once(session: Session) -> None:
    draft = ApplicationDraftFactory()
    first, second = (service.apply(replace(draft, name_en=name)).organization for name in ("One Name", "Another Name"))
    service.admit_application(second.id)
    with pytest.raises(CorporateNumberTaken):
        service.admit_application(first.id)
    with pytest.raises(CorporateNumberTaken):
        service.found_organization(draft)
    assert (queries.get_organization(first.id).state, count(session, Organization)) == ("unchecked", 2)


def test_any_number_of_organizations_may_have_no_corporate_number(session: Session) -> None:
    for _ in range(2):
        service.apply(ApplicationDraftFactory(corporate_number=None))
    assert count(session, Organization) == 2


def test_those_who_hold_the_machine_found_overseers_at_once() -> None:
    admission = service.found_organization(ApplicationDraftFactory(capacities=frozenset({Capacity.AUDITOR})))
    assert admission.organization.state == "verified"
    assert admission.organization.verified_at is not None
    assert set(admission.client.scopes) == scopes_for(frozenset({Capacity.AUDITOR}))
    assert verbs(admission.organization.id) == [Verb.ORGANIZATION_FOUNDED]


def test_a_secret_is_shown_once_and_kept_as_a_hash(session: Session) -> None:
    admission = service.apply(ApplicationDraftFactory())
    assert admission.secret.startswith("mk_sk_")
    assert len(admission.secret) >= len("mk_sk_") + 43
    assert admission.client.secret_sha256 == credentials.hash_of(admission.secret)
    entries = record.search_entries(record.Search()).items
    assert not [placed for placed in entries if admission.secret in placed.entry.canonical]


def test_an_applicant_is_verified_once(operator: Actor) -> None:
    applicant = OrganizationFactory(applicant=True)
    OrganizationFactory(applicant=True)
    assert service.verify_organization(operator, applicant.id).state == "verified"
    assert applicant.verified_at is not None
    with pytest.raises(OrganizationMoveRefused) as refusal:
        service.verify_organization(operator, applicant.id)
    assert refusal.value.members == {"state": "verified"}
    assert verbs(applicant.id) == [Verb.ORGANIZATION_VERIFIED]
    assert queries.list_organizations(state=service.OrganizationState.APPLIED).items


def test_an_unknown_organization_is_neither_verified_nor_suspended(operator: Actor) -> None:
    for identifier in ("org_" + "0" * 32, "", "org\x00", "'; --"):
        with pytest.raises(NotFound):
            service.verify_organization(operator, identifier)
        with pytest.raises(NotFound):
            service.suspend_organization(operator, identifier, "規約違反")


def test_a_suspended_organization_is_shut_out_at_once_and_its_old_tokens_stay_dead(operator: Actor) -> None:
    client, other = ApiClientFactory(), ApiClientFactory()
    token, others = (access_tokens.issue(Bearer(one.id, one.organization_id, "orders:read")) for one in (client, other))
    suspended = service.suspend_organization(operator, client.organization_id, "  規約違反の疑い ")
    assert (suspended.state, suspended.suspended_reason) == ("suspended", "規約違反の疑い")
    with pytest.raises(InvalidToken):
        access_tokens.authenticate(token)
    service.verify_organization(operator, client.organization_id)
    with pytest.raises(InvalidToken):
        access_tokens.authenticate(token)
    assert access_tokens.authenticate(others).client_id == other.id
    assert suspended.suspended_reason is None


def test_the_record_names_the_reason_of_a_suspension_by_hash_alone(operator: Actor) -> None:
    organization = OrganizationFactory()
    service.suspend_organization(operator, organization.id, "田中部長の指示")
    entry = record.search_entries(record.Search(subject=organization.id)).items[0].entry
    assert "田中" not in entry.canonical
    assert set(entry.facts) == {"reason_sha256"}


@pytest.mark.parametrize("reason", ["", "　", "あ" * 1001, "\x00"])
def test_a_suspension_needs_a_reason(operator: Actor, reason: str) -> None:
    organization = OrganizationFactory()
    with pytest.raises(Invalid):
        service.suspend_organization(operator, organization.id, reason)
    assert queries.get_organization(organization.id).state == "verified"


def test_a_suspended_organization_is_not_suspended_again(operator: Actor) -> None:
    organization = OrganizationFactory(suspended=True)
    with pytest.raises(OrganizationMoveRefused):
        service.suspend_organization(operator, organization.id, "再度")
    assert verbs(organization.id) == []


def test_an_operator_does_not_lock_itself_out(operator: Actor) -> None:
    with pytest.raises(OwnSuspension):
        service.suspend_organization(operator, operator.organization_id, "誤操作")
    assert queries.get_organization(operator.organization_id).state == "verified"


def test_a_member_is_added_and_erased(session: Session) -> None:
    organization = OrganizationFactory()
    actor = actor_of(organization)
    MemberFactory()
    member = service.add_member(actor, organization.id, MemberDraftFactory(name="高橋　次郎", role=MemberRole.BUYER))
    assert (member.name, member.role) == ("高橋 次郎", "buyer")
    assert [one.id for one in queries.list_members(organization.id).items] == [member.id]
    members.remove_member(actor, member.id)
    assert queries.list_members(organization.id).items == []
    assert count(session, Member) == 1
    assert verbs(member.id) == [Verb.MEMBER_ADDED, Verb.MEMBER_REMOVED]


def test_the_record_knows_no_person() -> None:
    organization = OrganizationFactory()
    service.add_member(
        actor_of(organization), organization.id, MemberDraftFactory(name="高橋次郎", email="jiro@example.jp")
    )
    for placed in record.search_entries(record.Search()).items:
        assert "高橋" not in placed.entry.canonical
        assert "jiro" not in placed.entry.canonical


def test_an_address_belongs_to_one_member_of_an_organization(session: Session) -> None:
    organization = OrganizationFactory()
    actor = actor_of(organization)
    MemberFactory(email="HANAKO@example.jp")
    service.add_member(actor, organization.id, MemberDraftFactory(email="hanako@example.jp"))
    with pytest.raises(EmailTaken):
        service.add_member(actor, organization.id, MemberDraftFactory(email="Hanako@Example.JP"))
    for _ in range(2):
        service.add_member(actor, organization.id, MemberDraftFactory(email=None))
    assert count(session, Member) == 4


def test_members_of_others_do_not_exist_for_the_caller(session: Session, operator: Actor) -> None:
    member = MemberFactory()
    for stranger in (actor_of(OrganizationFactory()), operator):
        with pytest.raises(NotFound):
            service.add_member(stranger, member.organization_id, MemberDraftFactory())
        for identifier in (member.id, "mem_" + "0" * 32, "\x00"):
            with pytest.raises(NotFound):
                members.remove_member(stranger, identifier)
    assert count(session, Member) == 1


def test_a_client_carries_the_scopes_it_was_given() -> None:
    organization = OrganizationFactory(buyer=True)
    client, secret = service.register_client(
        actor_of(organization), organization.id, " 夜間　取込 ", ["orders:read", "data:read", "data:read"]
    )
    assert (client.name, client.scopes, client.state) == ("夜間 取込", ["data:read", "orders:read"], "active")
    assert credentials.matches(secret, client.secret_sha256)
    assert verbs(client.id) == [Verb.CLIENT_REGISTERED]


@pytest.mark.parametrize("scopes", [[], ["catalog:write"], ["orders:read", "market:operate"], ["everything"], ["\x00"]])
def test_a_client_gets_no_scope_that_its_organization_cannot_use(session: Session, scopes: list[str]) -> None:
    organization = OrganizationFactory(buyer=True)
    with pytest.raises(ScopeNotAvailable) as refusal:
        service.register_client(actor_of(organization), organization.id, "欲張り", scopes)
    assert refusal.value.members["available"] == sorted(scopes_for(frozenset({Capacity.BUYER})))
    assert count(session, ApiClient) == 0


def test_a_client_needs_a_name(session: Session) -> None:
    organization = OrganizationFactory()
    with pytest.raises(Invalid) as refusal:
        service.register_client(actor_of(organization), organization.id, " ", ["orders:read"])
    assert refusal.value.errors[0]["pointer"] == "/name"
    assert count(session, ApiClient) == 0


def test_nobody_registers_clients_for_others_but_the_command_line(operator: Actor) -> None:
    organization = OrganizationFactory(buyer=True)
    for stranger in (actor_of(OrganizationFactory()), operator):
        with pytest.raises(NotFound):
            service.register_client(stranger, organization.id, "なりすまし", ["orders:read"])
    assert queries.list_clients(organization.id).items == []
    assert service.register_client(SYSTEM, organization.id, "救済", ["orders:read"])


def test_a_suspended_client_is_shut_out_at_once(operator: Actor) -> None:
    organization = OrganizationFactory()
    client, sibling = (ApiClientFactory(organization=organization) for _ in range(2))
    token, siblings = (access_tokens.issue(Bearer(one.id, organization.id, "orders:read")) for one in (client, sibling))
    for _ in range(2):
        assert service.suspend_client(actor_of(organization), client.id).state == "suspended"
    with pytest.raises(InvalidToken):
        access_tokens.authenticate(token)
    assert access_tokens.authenticate(siblings)
    assert verbs(client.id) == [Verb.CLIENT_SUSPENDED]
    assert service.suspend_client(operator, sibling.id).state == "suspended"


def test_a_stranger_suspends_no_client() -> None:
    client = ApiClientFactory()
    for identifier in (client.id, "cli_" + "0" * 32):
        with pytest.raises(NotFound):
            service.suspend_client(actor_of(OrganizationFactory()), identifier)
    assert queries.get_client(client.id).state == "active"


def test_a_new_secret_voids_the_old_one_and_its_tokens() -> None:
    organization = OrganizationFactory()
    client = ApiClientFactory(organization=organization, secret="mk_sk_old")
    token = access_tokens.issue(Bearer(client.id, organization.id, "orders:read"))
    changed, secret = service.rotate_client_secret(actor_of(organization), client.id)
    assert credentials.matches(secret, changed.secret_sha256)
    assert not credentials.matches("mk_sk_old", changed.secret_sha256)
    with pytest.raises(InvalidToken):
        access_tokens.authenticate(token)
    assert verbs(client.id) == [Verb.CLIENT_SECRET_ROTATED]


def test_the_secret_of_anothers_or_of_a_suspended_client_is_not_changed(operator: Actor) -> None:
    client = ApiClientFactory()
    before = client.secret_sha256
    with pytest.raises(NotFound):
        service.rotate_client_secret(operator, client.id)
    owner = actor_of(queries.get_organization(client.organization_id))
    service.suspend_client(owner, client.id)
    with pytest.raises(ClientSuspended):
        service.rotate_client_secret(owner, client.id)
    assert queries.get_client(client.id).secret_sha256 == before


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "trusted"},
        {"kind": "ministry"},
        {"capacities": []},
        {"capacities": ["emperor"]},
        {"capacities": ["auditor", "buyer"]},
        {"corporate_number": "0123456789012"},
        {"invoice_registration_number": "9000020011002"},
        {"local_government_code": "01100"},
        {"verified_at": None},
        {"suspended_reason": "理由だけ"},
        {"state": "suspended"},
    ],
)
def test_the_database_itself_refuses_nonsense(columns: dict) -> None:
    with pytest.raises(IntegrityError):
        OrganizationFactory(**columns)
