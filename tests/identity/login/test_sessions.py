"""Sessions end on the server, at once."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session as Database

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity.errors import NotAuthenticated, StepUpRequired
from marketplace.identity.login import account, passkeys, providers, sessions
from marketplace.identity.login.errors import OrganizationNotChosen
from marketplace.identity.login.models import LoginSession
from marketplace.identity.models import Member, Organization, TokenFamily
from marketplace.identity.states import Assurance, Capacity, MemberRole, OrganizationState
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from tests.factories.identity import ApiClientFactory, MemberFactory, OrganizationFactory, PersonFactory
from tests.identity.login.conftest import found, sessions_of, signed_in


def family_of(member: Member) -> TokenFamily:
    """A family of tokens that a program holds by a member's consent."""
    now = clock.now()
    client = ApiClientFactory()
    family = TokenFamily(
        id=new_id("fam"), client_id=client.id, member_id=member.id, organization_id=member.organization_id,
        scope="grants:read", acr="aal1", authenticated_at=now, created_at=now, expires_at=now + timedelta(days=30),
    )  # fmt: skip
    db.session.add(family)
    db.session.flush()
    return family


def revoked_at(family: TokenFamily) -> Any:
    return db.session.scalar(select(TokenFamily.revoked_at).where(TokenFamily.id == family.id))


def test_a_session_says_who_signed_in_how_and_when(session: Database) -> None:
    person = PersonFactory()
    _token, who = signed_in(person.id, Assurance.AAL2)
    assert (who.person_id, who.name, who.email, who.locale) == (person.id, person.name, person.email, "ja")
    assert (who.acr, who.member_id) == (Assurance.AAL2, None)
    assert clock.now() - who.authenticated_at < timedelta(minutes=1)


def test_a_token_is_256_random_bits_and_kept_as_a_hash(session: Database) -> None:
    token, who = signed_in(PersonFactory().id)
    assert len(token) == 43
    assert token not in str(session.execute(select(LoginSession.__table__).where(LoginSession.id == who.id)).all())


def test_signing_in_again_gives_another_token_and_never_takes_a_given_one(session: Database) -> None:
    person = PersonFactory()
    planted = "planted-by-an-attacker" * 2
    assert sessions.find(planted) is None
    tokens = {signed_in(person.id)[0] for _ in range(3)}
    assert len(tokens) == 3
    assert planted not in tokens
    assert sessions.find(planted) is None


def test_half_an_hour_without_use_ends_a_session(session: Database) -> None:
    token, _who = signed_in(PersonFactory().id)
    with clock.stopped(clock.now() + sessions.IDLE + timedelta(seconds=1)):
        assert sessions.find(token) is None


def test_twelve_hours_end_a_session_however_much_it_is_used(session: Database) -> None:
    began = clock.now()
    token, _who = signed_in(PersonFactory().id)
    for minutes in range(20, 12 * 60, 20):
        with clock.stopped(began + timedelta(minutes=minutes)):
            assert sessions.find(token) is not None
    with clock.stopped(began + timedelta(hours=12, seconds=5)):
        assert sessions.find(token) is None


def test_a_use_is_noted_at_most_once_a_minute(session: Database) -> None:
    token, who = signed_in(PersonFactory().id)
    began = session.scalar(select(LoginSession.last_seen_at).where(LoginSession.id == who.id))
    for seconds, noted in ((30, 0), (70, 70), (100, 70), (131, 131)):
        with clock.stopped(began + timedelta(seconds=seconds)):
            assert sessions.find(token) is not None
        seen = session.scalar(select(LoginSession.last_seen_at).where(LoginSession.id == who.id))
        assert seen == began + timedelta(seconds=noted)


def test_signing_out_ends_the_session_on_the_server(session: Database) -> None:
    person = PersonFactory()
    token, who = signed_in(person.id)
    other, _who = signed_in(person.id)
    sessions.revoke(who.id, person.id)
    assert sessions.find(token) is None
    assert sessions.find(other) is not None
    assert record.search_entries(record.Search(subject=who.id, verb=Verb.SESSION_REVOKED.value)).items


def test_nobody_ends_the_session_of_another_or_one_twice(session: Database) -> None:
    token, who = signed_in(PersonFactory().id)
    stranger = PersonFactory()
    with pytest.raises(NotFound):
        sessions.revoke(who.id, stranger.id)
    assert sessions.find(token) is not None
    sessions.revoke(who.id, who.person_id)
    with pytest.raises(NotFound):
        sessions.revoke(who.id, who.person_id)


def test_ids_that_no_database_holds_are_not_found(session: Database) -> None:
    _token, who = signed_in(PersonFactory().id)
    for deed in (
        lambda: sessions.wear(who.id, "mem_\0"),
        lambda: sessions.revoke("ses_\0", who.person_id),
        lambda: passkeys.remove(who, "pky_\0"),
        lambda: providers.unlink(who, "\0"),
    ):
        with pytest.raises(NotFound):
            deed()


def test_ending_all_sessions_leaves_one_and_ends_the_tokens_of_programs(session: Database) -> None:
    person, noise = PersonFactory(), PersonFactory()
    family, others_family = family_of(MemberFactory(person_id=person.id)), family_of(MemberFactory(person_id=noise.id))
    kept, here = signed_in(person.id)
    gone, _there = signed_in(person.id)
    strangers, _who = signed_in(noise.id)
    sessions.revoke_all(person.id, except_id=here.id)
    assert sessions.find(gone) is None
    assert sessions.find(kept) is not None
    assert sessions.find(strangers) is not None
    assert revoked_at(family) is not None
    assert revoked_at(others_family) is None
    sessions.revoke_all(person.id)
    assert sessions.find(kept) is None


def test_a_disabled_person_is_signed_out_everywhere_and_for_good(session: Database) -> None:
    person = PersonFactory()
    token, _who = signed_in(person.id)
    account.disable(person.id)
    assert sessions.find(token) is None
    assert sessions_of(person.id) == 0
    with pytest.raises(NotFound):
        account.disable(person.id)


def test_a_session_that_was_not_ended_is_worth_nothing_once_its_person_is_disabled(session: Database) -> None:
    person = PersonFactory()
    token, _who = signed_in(person.id)
    person.state = "disabled"
    session.flush()
    assert sessions.find(token) is None


def test_the_list_shows_ones_own_open_sessions_alone(session: Database) -> None:
    person = PersonFactory()
    _first, first = signed_in(person.id)
    _second, second = signed_in(person.id)
    _ended, ended = signed_in(person.id)
    signed_in(PersonFactory().id)
    sessions.revoke(ended.id, person.id)
    assert [listed.id for listed in sessions.list_of(person.id)] == [second.id, first.id]
    assert sessions.list_of(person.id)[0].user_agent == "Firefox"


def test_what_a_browser_says_of_itself_is_cut_and_cleaned(session: Database) -> None:
    person = PersonFactory()
    sessions.open_session(person.id, Assurance.AAL1, "A\r\nB\0" + "x" * 500)
    assert sessions.list_of(person.id)[0].user_agent == "AB" + "x" * 198


def test_stepping_up_gives_another_token_and_voids_the_one_before(session: Database) -> None:
    token, who = signed_in(PersonFactory().id)
    with clock.stopped(clock.now() + timedelta(minutes=20)):
        renewed = sessions.step_up(who.id, Assurance.AAL2)
        assert sessions.find(token) is None
        after = found(renewed)
        assert (after.id, after.acr, after.authenticated_at) == (who.id, Assurance.AAL2, clock.now())


def test_a_session_that_is_over_cannot_be_stepped_up(session: Database) -> None:
    token, who = signed_in(PersonFactory().id)
    sessions.revoke(who.id, who.person_id)
    with pytest.raises(NotAuthenticated):
        sessions.step_up(who.id, Assurance.AAL2)
    assert sessions.find(token) is None


def test_who_belongs_to_one_organization_acts_for_it_at_once(session: Database) -> None:
    person = PersonFactory()
    organization = OrganizationFactory(buyer=True)
    member = MemberFactory(person_id=person.id, organization=organization, role=MemberRole.BUYER.value)
    _token, who = signed_in(person.id, Assurance.AAL2)
    actor = sessions.actor_of(who)
    assert (actor.organization_id, actor.member_id, actor.role) == (organization.id, member.id, MemberRole.BUYER)
    assert actor.capacities == {Capacity.BUYER}
    assert "orders:write" in actor.scopes
    assert "organization:manage" not in actor.scopes
    assert (actor.assurance, actor.authenticated_at) == (Assurance.AAL2, who.authenticated_at)


def test_who_belongs_to_several_chooses_one_of_them(session: Database) -> None:
    person = PersonFactory()
    MemberFactory(person_id=person.id)
    second = MemberFactory(person_id=person.id)
    token, who = signed_in(person.id)
    with pytest.raises(OrganizationNotChosen):
        sessions.actor_of(who)
    sessions.wear(who.id, second.id)
    assert sessions.actor_of(found(token)).organization_id == second.organization_id


def test_nobody_acts_as_another_persons_member_or_as_one_who_cannot_sign_in(session: Database) -> None:
    person = PersonFactory()
    mine = MemberFactory(person_id=person.id)
    token, who = signed_in(person.id)
    for member in (MemberFactory(person_id=PersonFactory().id), MemberFactory()):
        with pytest.raises(NotFound):
            sessions.wear(who.id, member.id)
    assert found(token).member_id == mine.id


def test_a_suspended_organization_acts_no_more_from_the_next_request_on(session: Database) -> None:
    person, organization = PersonFactory(), OrganizationFactory()
    member = MemberFactory(person_id=person.id, organization=organization)
    token, who = signed_in(person.id)
    assert sessions.actor_of(who).organization_id == organization.id
    suspended = {"state": OrganizationState.SUSPENDED.value, "suspended_reason": "規約違反"}
    session.execute(update(Organization).where(Organization.id == organization.id).values(**suspended))
    with pytest.raises(OrganizationNotChosen):
        sessions.actor_of(found(token))
    with pytest.raises(NotFound):
        sessions.wear(who.id, member.id)


def test_an_applicant_has_no_capacities_yet(session: Database) -> None:
    person = PersonFactory()
    MemberFactory(person_id=person.id, organization=OrganizationFactory(applicant=True))
    _token, who = signed_in(person.id)
    assert sessions.actor_of(who).capacities == frozenset()


def test_a_changed_role_counts_at_once_and_a_removed_member_acts_no_more(session: Database) -> None:
    person = PersonFactory()
    member = MemberFactory(person_id=person.id, role=MemberRole.OWNER.value)
    token, who = signed_in(person.id)
    member.role = MemberRole.AUDITOR.value
    session.flush()
    assert sessions.actor_of(who).role is MemberRole.AUDITOR
    session.delete(member)
    session.flush()
    with pytest.raises(OrganizationNotChosen):
        sessions.actor_of(who)
    assert found(token).member_id is None


def test_changing_what_one_signs_in_with_asks_for_a_proof_of_the_last_ten_minutes(session: Database) -> None:
    _token, who = signed_in(PersonFactory().id)
    sessions.refuse_stale(who)
    with clock.stopped(who.authenticated_at + timedelta(seconds=601)), pytest.raises(StepUpRequired):
        sessions.refuse_stale(who)


def test_sessions_that_are_over_are_forgotten_and_others_are_not(session: Database) -> None:
    person = PersonFactory()
    _kept, kept = signed_in(person.id)
    _gone, gone = signed_in(person.id)
    session.execute(update(LoginSession).where(LoginSession.id == gone.id).values(revoked_at=clock.now()))
    sessions.forget_over()
    assert session.query(LoginSession).count() == 2
    with clock.stopped(clock.now() - timedelta(days=2)):
        session.execute(update(LoginSession).where(LoginSession.id == gone.id).values(revoked_at=clock.now()))
    sessions.forget_over()
    assert session.scalars(select(LoginSession.id)).all() == [kept.id]
    with clock.stopped(clock.now() + timedelta(hours=13)):
        sessions.forget_over()
    assert session.query(LoginSession).count() == 0
