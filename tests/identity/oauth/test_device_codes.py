"""Programs without a browser: what they get, when, and what they never get (O122)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from marketplace.identity import queries
from marketplace.identity.oauth import devices
from marketplace.identity.states import Capacity
from marketplace.kit import clock, settings
from marketplace.kit.transaction import transaction
from tests.identity.conftest import found
from tests.identity.oauth.people import PUBLIC, Party, is_refused, opens, party, proof

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
Codes = dict[str, Any]


@pytest.fixture
def whose(app: Flask) -> Party:
    return party(**PUBLIC)


@pytest.fixture
def codes(whose: Party, wire: FlaskClient) -> Codes:
    answer = wire.post("/oauth/device_authorization", data=whose.named() | {"scope": "grants:read organization:read"})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    return answer.json


def polled(wire: FlaskClient, whose: Party, codes: Codes, **kwargs: Any) -> Any:
    form = whose.named() | {"grant_type": GRANT, "device_code": codes["device_code"]}
    return wire.post("/oauth/token", data=form, **kwargs)


def approve(whose: Party, codes: Codes) -> None:
    with transaction():
        waiting = devices.find_waiting(codes["user_code"])
        assert waiting is not None
        assert devices.approve(waiting.id, whose.consent(scope="grants:read organization:read"))


def after(seconds: float, start: datetime, deed: Callable[[], Any]) -> Any:
    with clock.stopped(start + timedelta(seconds=seconds)):
        return deed()


def test_a_person_lets_a_program_act_once(whose: Party, codes: Codes, app: Flask, wire: FlaskClient) -> None:
    base = settings.current().base_url
    assert codes["verification_uri"] == f"{base}/device"
    assert codes["verification_uri_complete"] == f"{base}/device?user_code={codes['user_code']}"
    assert is_refused(polled(wire, whose, codes), 400, "authorization_pending")
    approve(whose, codes)
    answer = polled(wire, whose, codes)
    assert (answer.status_code, answer.json["scope"]) == (200, "grants:read organization:read")
    assert opens(app, answer.json["access_token"]) == 200
    assert wire.post("/oauth/token", data=whose.refresh_form(answer.json["refresh_token"])).status_code == 200
    assert is_refused(polled(wire, whose, codes), 400, "invalid_grant")


def test_asking_too_often_is_told_and_slows_down(whose: Party, codes: Codes, wire: FlaskClient) -> None:
    start = clock.now()
    said = [
        after(seconds, start, lambda: polled(wire, whose, codes)).json["error"] for seconds in (0, 5, 6, 14, 29, 50)
    ]
    pending, slow = "authorization_pending", "slow_down"
    # After each slow_down five seconds more are to be waited: 5, then 10, then 15.
    assert said == [pending, pending, slow, slow, pending, pending]


def test_a_denied_program_is_told(whose: Party, codes: Codes, wire: FlaskClient) -> None:
    with transaction():
        assert devices.deny(devices.find_waiting(codes["user_code"]).id)
    assert is_refused(polled(wire, whose, codes), 400, "access_denied")
    assert devices.find_waiting(codes["user_code"]) is None


def test_codes_run_out(whose: Party, codes: Codes, wire: FlaskClient) -> None:
    with clock.stopped(clock.now() + devices.LIFETIME):
        assert devices.find_waiting(codes["user_code"]) is None
        assert is_refused(polled(wire, whose, codes), 400, "expired_token")


def test_the_code_of_another_program_buys_nothing(whose: Party, codes: Codes, wire: FlaskClient) -> None:
    approve(whose, codes)
    assert is_refused(polled(wire, party(**PUBLIC), codes), 400, "invalid_grant")
    assert polled(wire, whose, codes).status_code == 200


@pytest.mark.parametrize("code", ["unknown", "\x00", "あ"])
def test_an_unknown_code_buys_nothing(whose: Party, codes: Codes, wire: FlaskClient, code: str) -> None:
    assert is_refused(polled(wire, whose, codes | {"device_code": code}), 400, "invalid_grant")
    assert is_refused(polled(wire, whose, codes | {"device_code": ""}), 400, "invalid_request")


def test_only_who_is_registered_for_it_gets_codes(app: Flask, wire: FlaskClient) -> None:
    whose = party()
    answer = wire.post("/oauth/device_authorization", data=whose.named())
    assert is_refused(answer, 400, "unauthorized_client")


def test_a_code_is_read_however_it_is_typed(whose: Party, codes: Codes) -> None:
    typed = codes["user_code"]
    for written in (typed, typed.lower(), typed.replace("-", ""), f" {typed[:2]} {typed[2:]} "):
        assert devices.find_waiting(written) is not None
    assert devices.find_waiting("") is None
    assert devices.find_waiting(typed[:-1]) is None


def test_an_answer_is_given_once(whose: Party, codes: Codes) -> None:
    waiting = devices.find_waiting(codes["user_code"])
    approve(whose, codes)
    with transaction():
        assert not devices.deny(waiting.id)
        assert not devices.approve(waiting.id, whose.consent())


def test_d40_its_tokens_are_bound_to_the_key_it_proves(whose: Party, codes: Codes, wire: FlaskClient) -> None:
    approve(whose, codes)
    answer = polled(wire, whose, codes, headers={"DPoP": proof()})
    assert answer.json["token_type"] == "DPoP"
    refused = wire.post("/oauth/token", data=whose.refresh_form(answer.json["refresh_token"]))
    assert is_refused(refused, 400, "invalid_grant")


def test_the_command_line_has_a_client_at_every_exchange(app: Flask, wire: FlaskClient) -> None:
    address = "/.well-known/oauth-authorization-server"
    assert "musubi_cli_client_id" not in wire.get(address).json
    first = found(Capacity.OPERATOR)
    client_id = wire.get(address).json["musubi_cli_client_id"]
    found(Capacity.OPERATOR)
    found(Capacity.BUYER)
    assert wire.get(address).json["musubi_cli_client_id"] == client_id
    answer = wire.post("/oauth/device_authorization", data={"client_id": client_id})
    assert answer.status_code == 200
    mine = queries.list_clients(first.organization.id).items
    assert {client.name for client in mine} == {"Musubi CLI", "first client"}
    assert "orders:write" in queries.get_client(client_id).scopes
    assert "market:operate" not in queries.get_client(client_id).scopes
