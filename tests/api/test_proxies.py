"""Of what proxies say, the client's address alone is believed, and only of those that the operator named."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.api import proxies
from marketplace.app import create_app
from marketplace.identity.models import FailedAuthentication
from marketplace.identity.oauth import throttle
from marketplace.kit.db import db
from marketplace.kit.settings import Settings
from tests.api.trade import call
from tests.identity.conftest import basic

GRANT = {"grant_type": "client_credentials"}
BEHIND = Settings(trusted_proxies=("10.0.0.5", "10.1.0.0/16", "unix"))
STANDARD = Settings(trusted_proxies=("10.0.0.5",), proxy_header="Forwarded")


@pytest.mark.parametrize(
    ("peer", "passed_on", "client"),
    [
        ("10.0.0.5", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.5", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.5", "203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("10.0.0.5", "203.0.113.7:4711", "203.0.113.7"),
        ("10.0.0.5", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.5", "[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:10.0.0.5", "::ffff:203.0.113.7", "203.0.113.7"),
        ("", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("10.0.0.5", "unknown", "10.0.0.5"),
        ("10.0.0.5", "203.0.113.7, _hidden", "10.0.0.5"),
        ("10.0.0.5", "203.0.113.7,,", "10.0.0.5"),
        ("10.0.0.5", "10.1.2.3", "10.1.2.3"),
        ("10.0.0.6", "203.0.113.7", "10.0.0.6"),
        ("203.0.113.9", "127.0.0.1", "203.0.113.9"),
        ("not an address", "203.0.113.7", "not an address"),
    ],
)
def test_the_client_is_the_last_address_that_no_proxy_of_ours_has(peer: str, passed_on: str, client: str) -> None:
    assert proxies.client_of(peer, passed_on, BEHIND) == client


@pytest.mark.parametrize(
    ("passed_on", "client"),
    [
        ("for=203.0.113.7", "203.0.113.7"),
        ("for=198.51.100.1, For=203.0.113.7;proto=https;by=10.0.0.5", "203.0.113.7"),
        ('proto=https; for="[2001:db8::1]:4711"', "2001:db8::1"),
        ('for="198.51.100.1, for=203.0.113.7', "203.0.113.7"),
        ("for=_gazonk", "10.0.0.5"),
        ("by=203.0.113.7", "10.0.0.5"),
        ("x-for=203.0.113.7", "10.0.0.5"),
    ],
)
def test_the_standard_field_is_read_where_the_setting_says_so(passed_on: str, client: str) -> None:
    assert proxies.client_of("10.0.0.5", passed_on, STANDARD) == client


def test_who_speaks_through_a_socket_is_believed_only_where_it_is_named() -> None:
    assert proxies.client_of("", "203.0.113.7", STANDARD) == ""


@pytest.fixture
def behind(clone: Callable[[], str], make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Any:
    """An exchange behind a proxy at 10.0.0.5; one wrong secret is already too many."""
    monkeypatch.setattr(throttle, "FAILURES_MAX", 1)
    app = create_app(make_settings(clone(), trusted_proxies=("10.0.0.5",)))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def guess(app: Flask, peer: str, **fields: str) -> int:
    headers = basic("cli_" + "0" * 32, "mk_sk_wrong") | {name.replace("_", "-"): v for name, v in fields.items()}
    options = {"data": GRANT, "headers": headers, "environ_base": {"REMOTE_ADDR": peer}}
    return call(app, "POST", "/oauth/token", **options).status_code


def counted() -> int:
    return db.session.scalar(select(func.count()).select_from(FailedAuthentication)) or 0


def test_guessing_is_counted_for_the_client_and_not_for_the_proxy(behind: Flask) -> None:
    assert guess(behind, "10.0.0.5", X_Forwarded_For="203.0.113.7") == 401
    assert guess(behind, "10.0.0.5", X_Forwarded_For="203.0.113.7") == 429
    assert guess(behind, "10.0.0.5", X_Forwarded_For="198.51.100.1, 203.0.113.7") == 429
    assert guess(behind, "10.0.0.5", X_Forwarded_For="198.51.100.1") == 401


def test_whoever_reaches_the_exchange_past_the_proxy_cannot_choose_an_address(behind: Flask) -> None:
    assert guess(behind, "203.0.113.9", X_Forwarded_For="198.51.100.1") == 401
    assert guess(behind, "203.0.113.9", X_Forwarded_For="198.51.100.2") == 429
    assert guess(behind, "203.0.113.9", Forwarded="for=198.51.100.3", X_Real_IP="198.51.100.3") == 429
    assert counted() == 1


def test_without_the_setting_no_such_field_is_read(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "FAILURES_MAX", 1)
    fields = {"Forwarded": "for=198.51.100.4", "X_Real_IP": "198.51.100.5", "Client_IP": "198.51.100.6"}
    assert guess(app, "127.0.0.1", X_Forwarded_For="198.51.100.1", **fields) == 401
    assert guess(app, "127.0.0.1", X_Forwarded_For="198.51.100.2") == 429
    assert counted() == 1


def test_scheme_host_and_path_are_never_a_proxys_to_say(behind: Flask) -> None:
    told = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-Port": "6666",
        "X-Original-URL": "/v1/organizations",
        "X-HTTP-Method-Override": "DELETE",
    }
    answer = call(behind, "GET", "/terms", headers=told, environ_base={"REMOTE_ADDR": "10.0.0.5"})
    assert answer.status_code == 200
    assert not [sign for sign in ("evil", "gopher", "6666") if sign in answer.text + str(answer.headers)]
