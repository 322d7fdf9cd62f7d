"""Members get other roles and leave, but no organization loses its last owner."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity import members
from marketplace.identity.errors import LastOwner
from marketplace.identity.login import sessions
from marketplace.identity.login.errors import OrganizationNotChosen
from marketplace.identity.models import Member, Organization, TokenFamily
from marketplace.identity.oauth import codes, refresh_tokens
from marketplace.identity.oauth.models import RefreshToken
from marketplace.identity.states import Assurance, MemberRole, PersonState
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from tests.factories.identity import MemberFactory, OrganizationFactory, PersonFactory, actor_of
from tests.identity.oauth.people import PUBLIC, Party, change_code, opens, party, waits_for_me
from tests.live import wait_until

OWNER, FINANCE, BUYER = MemberRole.OWNER, MemberRole.FINANCE, MemberRole.BUYER


def owner_of(organization: Organization, **person: str) -> Member:
    """An owner who can sign in, unless the person is said to be something else."""
    return MemberFactory(organization=organization, person_id=PersonFactory(**person).id)


def role_of(member: Member) -> str | None:
    return db.session.scalar(select(Member.role).where(Member.id == member.id))


def demote(member: Member) -> None:
    organization = db.session.get_one(Organization, member.organization_id)
    with transaction():
        members.change_role(actor_of(organization), member.id, FINANCE)


def remove(member: Member) -> None:
    organization = db.session.get_one(Organization, member.organization_id)
    with transaction():
        members.remove_member(actor_of(organization), member.id)


def test_a_role_changes_and_the_record_says_what_it_was(app: Flask) -> None:
    member = MemberFactory(role=BUYER.value)
    demote(member)
    assert role_of(member) == "finance"
    demote(member)  # nothing is left to change, and nothing is recorded
    [placed] = record.search_entries(record.Search(subject=member.id)).items
    assert (placed.entry.verb, placed.entry.facts) == (Verb.MEMBER_ROLE_CHANGED, {"role": "finance", "before": "buyer"})


def test_a_role_counts_from_the_next_request_on(app: Flask) -> None:
    whose = party(**PUBLIC)
    owner_of(whose.organization)
    db.session.commit()
    token = app.test_client().post("/oauth/token", data=whose.exchange_form(whose.code(scope="grants:read"))).json
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    assert app.test_client().get("/v1/grants", headers=bearer).status_code == 200
    with transaction():
        members.change_role(actor_of(whose.organization), whose.member.id, MemberRole.REVIEWER)
    answer = app.test_client().get("/v1/grants", headers=bearer)
    assert (answer.status_code, answer.json["type"].rpartition("/")[2]) == (403, "role-missing")


@pytest.mark.parametrize("deed", [demote, remove])
def test_the_last_owner_stays(app: Flask, deed: Callable[[Member], None]) -> None:
    organization = OrganizationFactory()
    member = owner_of(organization)
    MemberFactory(organization=organization, role=FINANCE.value)
    owner_of(OrganizationFactory())  # of another organization
    db.session.commit()
    with pytest.raises(LastOwner):
        deed(member)
    assert role_of(member) == "owner"
    assert record.search_entries(record.Search(subject=member.id)).items == []


@pytest.mark.parametrize("deed", [demote, remove])
def test_owners_who_cannot_sign_in_do_not_stand_in_for_one_who_can(app: Flask, deed: Callable[[Member], None]) -> None:
    organization = OrganizationFactory()
    member, invited = owner_of(organization), MemberFactory(organization=organization)
    disabled = owner_of(organization, state=PersonState.DISABLED.value)
    db.session.commit()
    with pytest.raises(LastOwner):
        deed(member)
    assert role_of(member) == "owner"
    for other in (invited, disabled):
        deed(other)
        assert role_of(other) != "owner"


def test_an_owner_who_never_joined_is_the_last_one_too(app: Flask) -> None:
    member = MemberFactory()
    db.session.commit()
    with pytest.raises(LastOwner):
        remove(member)
    assert role_of(member) == "owner"


def test_members_of_others_are_neither_changed_nor_removed(app: Flask) -> None:
    member, stranger = MemberFactory(role=BUYER.value), actor_of(OrganizationFactory())
    db.session.commit()
    for identifier in (member.id, "mem_" + "0" * 32, "\0"):
        with pytest.raises(NotFound), transaction():
            members.change_role(stranger, identifier, FINANCE)
        with pytest.raises(NotFound), transaction():
            members.remove_member(stranger, identifier)
    assert role_of(member) == "buyer"


def test_who_is_removed_acts_for_the_organization_nowhere_any_more(app: Flask) -> None:
    whose = party(**PUBLIC)
    owner_of(whose.organization)
    second = MemberFactory(organization=OrganizationFactory(), person_id=whose.person.id)
    with transaction():
        browser = sessions.open_session(whose.person.id, Assurance.AAL1, "Firefox")
    worn = sessions.find(browser)
    assert worn is not None
    with transaction():
        sessions.wear(worn.id, whose.member.id)
    tokens = app.test_client().post("/oauth/token", data=whose.exchange_form(whose.code())).json
    code = whose.code()
    remove(whose.member)
    assert opens(app, tokens["access_token"]) == 401
    assert app.test_client().post("/oauth/token", data=whose.exchange_form(code)).status_code == 400
    assert app.test_client().post("/oauth/token", data=whose.refresh_form(tokens["refresh_token"])).status_code == 400
    still = sessions.find(browser)
    assert still is not None
    with pytest.raises(OrganizationNotChosen):
        sessions.actor_of(still)
    with transaction():
        sessions.wear(still.id, second.id)
    [placed] = record.search_entries(record.Search(verb=Verb.MEMBER_REMOVED.value)).items
    assert placed.entry.facts == {"codes": 1, "devices": 0, "families": 1, "salt_erased": False}


@pytest.mark.parametrize(
    "deeds", [(demote, demote), (remove, remove), (demote, remove)], ids=["demote", "remove", "both"]
)
def test_of_two_owners_that_go_at_once_one_stays(
    own_database: Flask, deeds: tuple[Callable[[Member], None], Callable[[Member], None]]
) -> None:
    with transaction():
        organization = OrganizationFactory()
        pair = [owner_of(organization) for _ in range(2)]

    def attempt(n: int) -> bool:
        with own_database.app_context():
            try:
                deeds[n](db.session.get_one(Member, ids[n]))
            except LastOwner:
                return False
            return True

    ids = [member.id for member in pair]
    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(attempt, range(2))) == 1
    owners = select(func.count()).select_from(Member).where(Member.role == OWNER.value)
    assert db.session.scalar(owners) == 1


def removing(app: Flask, whose: Party) -> Callable[[], None]:
    def beside() -> None:
        with app.app_context():
            remove(whose.member)

    return beside


def test_a_member_leaves_while_a_token_of_theirs_is_renewed(own_database: Flask) -> None:
    whose = party(**PUBLIC)
    with transaction():
        owner_of(whose.organization)
    form = whose.exchange_form(whose.code())
    held = own_database.test_client().post("/oauth/token", data=form).json["refresh_token"]
    with ThreadPoolExecutor(1) as pool:
        with transaction():
            found = refresh_tokens.lock(held)
            assert found is not None
            family_id = found.TokenFamily.id
            leaving = pool.submit(removing(own_database, whose))
            wait_until("the removal to wait for the renewal", waits_for_me)
            refresh_tokens.spend(found.token_sha256)
            refresh_tokens.issue(family_id)
        leaving.result(timeout=120)
    assert db.session.scalars(select(RefreshToken)).all() == []
    assert db.session.scalars(select(TokenFamily)).all() == []


def test_a_member_leaves_while_a_code_of_theirs_is_changed(own_database: Flask) -> None:
    whose = party(**PUBLIC)
    with transaction():
        owner_of(whose.organization)
    code = whose.code()
    with ThreadPoolExecutor(1) as pool:
        with transaction():
            go_on = change_code(whose, code)
            leaving = pool.submit(removing(own_database, whose))
            wait_until("the removal to wait for the code", waits_for_me)
            go_on()
        leaving.result(timeout=120)
    assert codes.lock(code) is None
    assert db.session.scalars(select(TokenFamily)).all() == []
