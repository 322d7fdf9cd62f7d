"""People who sign in."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from marketplace.identity.login import one_time_codes, passwords, provider_wire, sessions
from marketplace.identity.login.models import LoginSession
from marketplace.identity.login.sessions import Session
from marketplace.identity.models import Person
from marketplace.identity.states import Assurance
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.identity import PersonFactory

PASSWORD = "correct horse battery staple"
PEER, ELSEWHERE = "198.51.100.1", "203.0.113.7"


@cache
def hashed() -> str:
    return passwords.hash_of(PASSWORD)


def person_with_password(**said: Any) -> Person:
    """Somebody whose password is PASSWORD."""
    return PersonFactory(password_hash=hashed(), password_changed_at=clock.now(), **said)


def signed_in(person_id: str, acr: Assurance = Assurance.AAL1) -> tuple[str, Session]:
    """The token and the session of somebody who has just signed in."""
    with transaction():
        token = sessions.open_session(person_id, acr, "Firefox")
    return token, found(token)


def found(token: str) -> Session:
    session = sessions.find(token)
    assert session is not None
    return session


def with_generator(person_id: str) -> tuple[bytes, list[str]]:
    """Set up a code generator; returns its secret and the recovery codes. Its first code is of the step before now."""
    _token, session = signed_in(person_id)
    with transaction():
        address = one_time_codes.begin(session)
    secret = base64.b32decode(parse_qs(urlsplit(address).query)["secret"][0])
    with transaction():
        codes = one_time_codes.confirm(session, code_now(secret, -1))
    return secret, codes


def code_now(secret: bytes, later: int = 0) -> str:
    return one_time_codes.code_at(secret, one_time_codes.step_now() + later)


def sessions_of(person_id: str) -> int:
    return db.session.query(LoginSession).filter_by(person_id=person_id, revoked_at=None).count()


@pytest.fixture
def with_settings() -> Iterator[Any]:
    """Change settings for one test."""
    before = settings.current()
    provider_wire.forget()

    def change(**changes: Any) -> None:
        settings.install(replace(settings.current(), **changes))

    yield change
    settings.install(before)
    provider_wire.forget()
