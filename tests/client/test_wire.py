"""Patience with servers, and no word to anybody else."""

from pathlib import Path

import pytest

from marketplace.client.exchange import Exchange
from marketplace.client.troubles import Denied, NotSignedIn, Trouble, Unreachable
from marketplace.client.wire import TRIES, Wire, json_of
from tests.client.conftest import SignIn
from tests.client.scripted import Said, Scripted, problem


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_is_waited_for_as_long_as_it_asks(server: Scripted, paused: list[float], status: int) -> None:
    busy = problem(status, "busy", Retry_After="7")
    server.on("/v1/x", busy, busy, Said(body={"is": "there"}))
    assert json_of(Wire(server.origin).send("GET", "/v1/x")) == {"is": "there"}
    assert paused == [7, 7]


def test_a_server_that_stays_busy_ends_the_command(server: Scripted, paused: list[float]) -> None:
    server.on("/v1/x", problem(503, "unavailable", Retry_After="soon"))
    with pytest.raises(Unreachable) as trouble:
        json_of(Wire(server.origin).send("GET", "/v1/x"))
    assert trouble.value.exit_code == 5
    assert (len(server.at("/v1/x")), len(paused)) == (TRIES, TRIES - 1)


def test_a_server_that_asks_for_an_hour_is_not_waited_for(server: Scripted, paused: list[float]) -> None:
    server.on("/v1/x", problem(429, "too-many", Retry_After="3600"))
    with pytest.raises(Unreachable, match="3600 seconds"):
        Wire(server.origin).send("GET", "/v1/x")
    assert (paused, len(server.at("/v1/x"))) == ([], 1)


def test_a_connection_that_fails_is_tried_again_and_then_named(paused: list[float]) -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 cannot be reached"):
        Wire("http://127.0.0.1:1").send("GET", "/v1/x")
    assert len(paused) == TRIES - 1


def test_a_redirect_takes_nobody_along(server: Scripted, signed_in: SignIn) -> None:
    signed_in()
    server.on("/v1/grants", Said(302, headers={"Location": f"{server.origin}/elsewhere"}))
    server.on("/elsewhere", Said(body={}))
    with pytest.raises(Trouble, match="points to another address"):
        Exchange(server.origin).read("/v1/grants")
    assert server.at("/elsewhere") == []


@pytest.mark.parametrize("path", ["@evil.example/x", ".evil.example/x", "https://evil.example/x", ""])
def test_a_path_that_would_change_the_host_is_not_asked(server: Scripted, path: str) -> None:
    with pytest.raises(Trouble):
        Wire(server.origin).send("GET", path)
    assert server.asked == []


def test_passwords_of_other_programs_do_not_take_the_place_of_the_token(
    server: Scripted, signed_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password of-mail\n")
    monkeypatch.setenv("NETRC", str(netrc))
    signed_in()
    server.on("/v1/x", Said(body={}))
    Exchange(server.origin).read("/v1/x")
    assert server.at("/v1/x")[0].headers["authorization"] == "Bearer a-1"


@pytest.mark.parametrize(
    ("status", "slug", "kind"),
    [
        (403, "grant-revoked", Denied),
        (404, "not-found", Denied),
        (401, "invalid-token", NotSignedIn),
        (502, "", Unreachable),
        (409, "conflict", Trouble),
    ],
)
def test_each_refusal_is_told_with_its_cure_and_a_code_of_its_own(
    server: Scripted, status: int, slug: str, kind: type[Trouble]
) -> None:
    server.on("/v1/x", problem(status, slug))
    with pytest.raises(kind) as trouble:
        json_of(Wire(server.origin).send("GET", "/v1/x"))
    assert type(trouble.value) is kind
    assert trouble.value.message.endswith("\nDo better.")


def test_what_is_no_exchange_is_said_to_be_none(server: Scripted) -> None:
    server.on("/v1/x", Said(body=b"<html>It works!</html>"), Said(500, b"<html>It does not.</html>"))
    wire = Wire(server.origin)
    with pytest.raises(Trouble, match="not answered by an exchange"):
        json_of(wire.send("GET", "/v1/x"))
    with pytest.raises(Unreachable, match="answered 500"):
        json_of(wire.send("GET", "/v1/x"))


def test_a_servers_words_do_not_steer_the_terminal(server: Scripted) -> None:
    server.on("/v1/x", Said(409, {"title": "no\x1b[2J\u202e", "cure": "人流\x07"}))
    with pytest.raises(Trouble) as trouble:
        json_of(Wire(server.origin).send("GET", "/v1/x"))
    assert trouble.value.message == "no [2J \n人流 "


def test_the_language_of_the_terminal_is_asked_for(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    Wire(server.origin).send("GET", "/v1/x")
    assert server.asked[0].headers["accept-language"] == "ja"
    with pytest.raises(Unreachable, match="接続できません"):
        Wire("http://127.0.0.1:1").send("GET", "/v1/x")
