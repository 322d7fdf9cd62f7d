"""Waiting for somebody's consent (RFC 8628 sections 3.4 and 3.5)."""

from typing import Any

import pytest

from marketplace.client import device, metadata
from marketplace.client.keeping import Login
from marketplace.client.troubles import Denied, NotSignedIn, Trouble
from marketplace.client.wire import Wire
from tests.client.scripted import TOKEN, Said, Scripted, tokens

DEVICE = "/oauth/device_authorization"


def error(code: str, status: int = 400) -> Said:
    return Said(status, {"error": code})


PENDING, SLOW_DOWN = error("authorization_pending"), error("slow_down")


@pytest.fixture(autouse=True)
def codes(server: Scripted) -> dict[str, Any]:
    said = {
        "device_code": "d-1",
        "user_code": "BCDF-GHJK",
        "verification_uri": f"{server.origin}/device",
        "expires_in": 600,
        "interval": 5,
    }
    server.on(DEVICE, Said(body=said))
    return said


def sign_in(server: Scripted, told: list[dict[str, Any]] | None = None) -> Login:
    wire = Wire(server.origin)
    said = told if told is not None else []
    return device.sign_in(wire, metadata.of(wire), "cli_of_commands", said.append)


def test_the_login_is_what_the_person_allowed(server: Scripted, paused: list[float], codes: dict[str, Any]) -> None:
    server.on(TOKEN, PENDING, PENDING, tokens(refresh_token="r-1"))
    told: list[dict[str, Any]] = []
    login = sign_in(server, told)
    assert (login.access_token, login.refresh_token, login.client_id) == ("a-2", "r-1", "cli_of_commands")
    assert told == [codes]
    assert paused == [5, 5, 5]
    assert server.at(DEVICE)[0].form == {"client_id": "cli_of_commands", "scope": "data:read grants:read"}
    assert server.at(TOKEN)[0].form == {
        "client_id": "cli_of_commands",
        "device_code": "d-1",
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
    }


def test_whoever_is_told_to_slow_down_asks_less_often_from_then_on(server: Scripted, paused: list[float]) -> None:
    server.on(TOKEN, PENDING, SLOW_DOWN, PENDING, SLOW_DOWN, tokens())
    sign_in(server)
    assert paused == [5, 5, 10, 10, 15]


def test_a_busy_server_and_a_broken_connection_are_asked_less_often(server: Scripted, paused: list[float]) -> None:
    server.on(TOKEN, Said(body={"a": 1}, cut_at=2), error("temporarily_unavailable", 503), tokens())
    assert sign_in(server).access_token == "a-2"
    assert paused == [5, 10, 15]


@pytest.mark.parametrize(
    ("code", "kind"), [("access_denied", Denied), ("expired_token", NotSignedIn), ("invalid_grant", Trouble)]
)
def test_a_no_ends_the_wait(server: Scripted, code: str, kind: type[Trouble]) -> None:
    server.on(TOKEN, PENDING, error(code))
    with pytest.raises(kind):
        sign_in(server)
    assert len(server.at(TOKEN)) == 2


def test_nobody_waits_longer_than_the_code_lives(
    server: Scripted, codes: dict[str, Any], monkeypatch: pytest.MonkeyPatch, paused: list[float]
) -> None:
    server.on(DEVICE, Said(body=codes | {"expires_in": 12}))
    server.on(TOKEN, PENDING)
    monkeypatch.setattr("marketplace.client.device.time.monotonic", lambda: sum(paused))
    with pytest.raises(NotSignedIn, match="run out"):
        sign_in(server)
    assert paused == [5, 5, 5]


@pytest.mark.parametrize("address", ["http://evil.example/device", "javascript:alert(1)", None])
def test_nobody_is_sent_to_an_unsafe_address(server: Scripted, codes: dict[str, Any], address: str | None) -> None:
    server.on(DEVICE, Said(body=codes | {"verification_uri": address}))
    told: list[dict[str, Any]] = []
    with pytest.raises(Trouble):
        sign_in(server, told)
    assert (told, server.at(TOKEN)) == ([], [])
