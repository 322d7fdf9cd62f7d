"""`marketplace people`: what an operator does where a device was stolen, or somebody has left."""

import pytest
from sqlalchemy import func, select

from marketplace.audit.models import Entry
from marketplace.identity.login import sessions
from marketplace.identity.models import Person
from marketplace.identity.states import Assurance, PersonState
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.identity import PersonFactory


@pytest.fixture
def signed_in(own_database) -> dict[str, str]:
    """Two people by their addresses, each with the token of a session."""
    with transaction():
        people = {email: PersonFactory(email=email).id for email in ("hana@example.jp", "ken@example.jp")}
    with transaction():
        return {email: sessions.open_session(id_, Assurance.AAL1, "x") for email, id_ in people.items()}


def state_of(email):
    db.session.rollback()
    return db.session.scalar(select(Person.state).where(Person.email == email))


def test_somebody_who_has_left_is_shut_out_at_once_and_nobody_else(run, signed_in):
    assert run("people", "disable", "HANA@example.jp") == "shut out\n"
    assert state_of("hana@example.jp") == PersonState.DISABLED.value
    assert sessions.find(signed_in["hana@example.jp"]) is None
    assert sessions.find(signed_in["ken@example.jp"]) is not None
    verbs = set(db.session.scalars(select(Entry.verb)))
    assert {"identity.person.disabled", "identity.sessions.revoked"} <= verbs


def test_whose_device_was_stolen_is_signed_out_everywhere_and_may_sign_in_again(run, signed_in):
    assert run("people", "sign-out", "hana@example.jp") == "signed out everywhere\n"
    assert sessions.find(signed_in["hana@example.jp"]) is None
    assert sessions.find(signed_in["ken@example.jp"]) is not None
    assert state_of("hana@example.jp") == PersonState.ACTIVE.value


def test_an_address_of_nobody_is_said_and_changes_nothing(run, signed_in):
    before = db.session.scalar(select(func.count()).select_from(Entry))
    db.session.rollback()
    for command in ("disable", "sign-out"):
        assert "Nobody signs in with nobody@example.jp." in run("people", command, "nobody@example.jp", code=1)
    assert db.session.scalar(select(func.count()).select_from(Entry)) == before
    assert sessions.find(signed_in["hana@example.jp"]) is not None
