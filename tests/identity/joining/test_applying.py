"""Applications, and the letter that confirms them."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.identity import queries
from marketplace.identity.errors import (
    ApplicationsFull,
    CapacityNotOpen,
    CorporateNumberTaken,
    InvalidToken,
    MyNumberRefused,
    RegistrationClosed,
)
from marketplace.identity.joining import queries as applications
from marketplace.identity.joining import service as joining
from marketplace.identity.joining.errors import ApplicationsTooFrequent
from marketplace.identity.joining.models import Application
from marketplace.identity.joining.rules import Contact
from marketplace.identity.login import invitations
from marketplace.identity.login.errors import LinkOver, SignInFirst
from marketplace.identity.login.models import EmailChallenge
from marketplace.identity.models import AccessToken, ApiClient, Member, Organization, Person
from marketplace.identity.oauth import access_tokens
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.identity.states import Capacity, ClientState
from marketplace.kit import clock, mail
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.transaction import transaction
from tests.factories.identity import ApplicationDraftFactory, OrganizationFactory, PersonFactory, actor_of
from tests.identity.joining.steps import EMAIL, PEER, applicant, apply, confirm, tokens_to

TABLES = (Organization, ApiClient, Application, EmailChallenge, Member, AccessToken)


def rows() -> dict[str, int]:
    return {one.__name__: db.session.scalar(select(func.count()).select_from(one)) or 0 for one in TABLES}


def verbs(subject: str) -> list[str]:
    return list(db.session.scalars(select(Entry.verb).where(Entry.subject == subject).order_by(Entry.id)))


def test_an_application_comes_before_the_operator_once_its_letter_is_answered(app: Flask) -> None:
    del app
    operator = actor_of(OrganizationFactory(operator=True))
    admission = apply(name_ja="株式会社北の恵み")
    organization = admission.organization
    assert (organization.state, organization.trust) == ("unchecked", "applied")
    assert list(applications.list_waiting().items) == []
    with pytest.raises(NotFound):
        queries.get_visible_organization(operator, organization.id)
    [letter] = mail.list_waiting()
    assert letter.recipient == EMAIL
    assert "株式会社北の恵み" in letter.subject
    invitation = confirm(tokens_to()[0])
    assert queries.get_organization(organization.id).state == "applied"
    [shown] = applications.list_waiting().items
    assert (shown.organization.id, shown.application.contact_email) == (organization.id, EMAIL)
    invited = invitations.find(invitation)
    assert invited is not None
    assert (invited.email, invited.role, invited.organization_id) == (EMAIL, "owner", organization.id)
    assert Verb.APPLICATION_CHECKED in verbs(organization.id)


def test_the_contact_sets_a_password_and_can_sign_in_as_owner(app: Flask) -> None:
    del app
    apply()
    person_id = invitations.accept_with_password(confirm(tokens_to()[0]), "correct horse battery staple", "ja")
    [(member, organization)] = queries.list_memberships(person_id)
    assert (member.role, member.email, organization.state) == ("owner", EMAIL, "applied")


def test_a_link_works_once_and_not_for_ever(app: Flask) -> None:
    del app
    apply()
    apply(email="other@musubi-shoten.example")
    confirm(tokens_to()[0])
    late = tokens_to("other@musubi-shoten.example")[0]
    before = rows()
    for token in (tokens_to()[0], "", "nonsense", late + "x"):
        assert joining.find_asked(token) is None
        with pytest.raises(LinkOver):
            confirm(token)
    with clock.stopped(clock.now() + joining.LIFETIME), pytest.raises(LinkOver):
        confirm(late)
    assert rows() == before


def test_a_program_of_a_stranger_is_shut_out_and_ones_own_is_kept(app: Flask) -> None:
    del app
    kept = applicant(keep_client=True)
    stranger = apply(email="taro@musubi-shoten.example")
    token = access_tokens.issue(Bearer(stranger.client.id, stranger.organization.id, "organization:read"))
    asked = joining.find_asked(tokens_to("taro@musubi-shoten.example")[0])
    assert asked is not None
    assert asked.by_program
    confirm(tokens_to("taro@musubi-shoten.example")[0], keep_client=False)
    states = [db.session.get_one(ApiClient, one.client.id, populate_existing=True).state for one in (kept, stranger)]
    assert states == [ClientState.ACTIVE, ClientState.SUSPENDED]
    with pytest.raises(InvalidToken):
        access_tokens.authenticate(token)


def test_who_applies_on_a_page_gets_no_program(app: Flask) -> None:
    del app
    with transaction():
        joining.apply_in_person(ApplicationDraftFactory(), Contact("佐藤 花子", EMAIL), PEER)
    asked = joining.find_asked(tokens_to()[0])
    assert asked is not None
    assert (asked.by_program, rows()["ApiClient"]) == (False, 0)


def test_an_address_that_somebody_has_is_answered_as_any_other_and_sets_no_password_of_theirs(app: Flask) -> None:
    del app
    known = PersonFactory(email="known@musubi-shoten.example")
    with transaction():
        strangers = apply_shape(email="new@musubi-shoten.example")
        assert apply_shape(email=known.email) == strangers
    letters = [letter.subject.split()[0] for letter in mail.list_waiting()]
    assert len(letters) == 2
    invitation = confirm(tokens_to(known.email)[0])
    with pytest.raises(SignInFirst):
        invitations.accept_with_password(invitation, "correct horse battery staple", "ja")
    assert db.session.get_one(Person, known.id).password_hash is None


def apply_shape(email: str) -> Any:
    """What an application's answer is made of, without what differs for each."""
    made = joining.apply(ApplicationDraftFactory(name_ja="同じ", name_en="Same"), Contact("佐藤 花子", email), PEER)
    of = made.organization
    return of.state, of.name_ja, of.capacities, made.client.scopes, len(made.secret)


def test_a_number_that_takes_part_is_told_to_who_reads_the_letter_alone(app: Flask) -> None:
    del app
    taken = OrganizationFactory()
    admission = apply(corporate_number=taken.corporate_number)
    assert admission.organization.state == "unchecked"
    before = rows()
    with pytest.raises(CorporateNumberTaken):
        confirm(tokens_to()[0])
    assert rows() == before
    assert joining.find_asked(tokens_to()[0]) is not None, "the link was not spent"


def test_nobodys_letter_box_is_filled_by_strangers(app: Flask) -> None:
    del app
    for _ in range(joining.LETTERS_MAX + 2):
        assert apply(email=EMAIL.upper()).organization.state == "unchecked"
    assert len(mail.list_waiting()) == joining.LETTERS_MAX


def test_one_network_address_is_stopped_and_others_are_not(app: Flask) -> None:
    del app
    for n in range(joining.APPLICATIONS_MAX):
        apply(email=f"n{n}@musubi-shoten.example")
    before = rows()
    with pytest.raises(ApplicationsTooFrequent) as refused:
        apply(email="one-more@musubi-shoten.example")
    assert 0 < refused.value.members["retry_after_seconds"] <= 601
    assert rows() == before
    apply(email="one-more@musubi-shoten.example", peer="203.0.113.9")


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (MyNumberRefused, {"name": "佐藤 123456789018"}), (MyNumberRefused, {"email": "123456789018@example.jp"}),
        (MyNumberRefused, {"name_ja": "株式会社1234-5678-9018"}), (Invalid, {"email": "no address"}), (Invalid, {"email": " "}),
        (Invalid, {"name": " "}), (Invalid, {"corporate_number": "1234567890123"}),
        (CapacityNotOpen, {"capacities": frozenset({Capacity.OPERATOR})}),
    ],
    ids=["my number", "my number as address", "my number in a name", "no address", "blank address", "no name", "check digit", "operator"],
)  # fmt: skip
def test_what_cannot_be_an_application_leaves_nothing(
    app: Flask, refusal: type[Exception], said: dict[str, Any]
) -> None:
    del app
    before = rows()
    with pytest.raises(refusal):
        apply(**said)
    assert rows() == before
    assert list(mail.list_waiting()) == []


def test_a_closed_or_a_full_exchange_takes_none(app: Flask, with_settings: Any) -> None:
    del app
    with_settings(applications_pending_max=1)
    apply()
    before = rows()
    with pytest.raises(ApplicationsFull):
        apply(email="other@musubi-shoten.example")
    with_settings(open_registration=False)
    with pytest.raises(RegistrationClosed):
        apply(email="other@musubi-shoten.example")
    assert rows() == before


def test_what_nobody_confirms_lapses_without_a_trace_but_in_the_record(app: Flask) -> None:
    del app
    noise = applicant(email="kept@musubi-shoten.example")
    forgotten = apply(corporate_number=noise_number())
    with transaction():
        access_tokens.issue(Bearer(forgotten.client.id, forgotten.organization.id, "organization:read"))
    number, gone = forgotten.organization.corporate_number, forgotten.organization.id
    joining.lapse()
    assert queries.find_organization(gone) is not None, "it is not over yet"
    with clock.stopped(clock.now() + joining.LIFETIME + timedelta(seconds=1)):
        young = apply(email="young@musubi-shoten.example")
        joining.lapse()
        joining.lapse()
    db.session.expire_all()
    left = {organization.id for organization in db.session.scalars(select(Organization))}
    assert left == {noise.organization.id, young.organization.id}
    assert {one.organization_id for one in db.session.scalars(select(ApiClient))} == left
    assert rows()["AccessToken"] == 0
    assert verbs(gone)[-1] == Verb.APPLICATION_LAPSED
    assert apply(email="again@musubi-shoten.example", corporate_number=number).organization.corporate_number == number


def noise_number() -> str:
    return str(ApplicationDraftFactory().corporate_number)


def test_the_record_names_nobody_who_applies(app: Flask) -> None:
    del app
    applicant()
    told = "".join(entry.canonical for entry in db.session.scalars(select(Entry)))
    assert EMAIL not in told
    assert "佐藤" not in told
