"""Renewing logins: once, by one process at a time, and with the right proof."""

import json
import time
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from marketplace.client import keeping
from marketplace.client.exchange import Exchange
from marketplace.client.troubles import NotSignedIn, Trouble
from tests.client.conftest import SignIn
from tests.client.scripted import TOKEN, WELL_KNOWN, Asked, Said, Scripted, problem, tokens

SECRET = "mk_sk_a secret: + %"
KEYS = {
    "ec": ECKey.generate_key("P-256", parameters={"kid": "one"}),
    "rsa": RSAKey.generate_key(2048),
    "okp": OKPKey.generate_key("Ed25519"),
}


def rotating(*, first: int = 1) -> Callable[[Asked], Said]:
    """A token endpoint that takes each refresh token once, and ends the login when one comes again."""
    state = {"next": first, "ended": False}

    def answer(asked: Asked) -> Said:
        if state["ended"] or asked.form["refresh_token"] != f"r-{state['next']}":
            state["ended"] = True
            return Said(400, {"error": "invalid_grant"})
        state["next"] += 1
        return tokens(f"a-{state['next']}", refresh_token=f"r-{state['next']}")

    return answer


def opening(*good: str) -> Callable[[Asked], Said]:
    """An address that opens to these access tokens."""
    right = {f"Bearer {one}" for one in good}
    return lambda asked: Said(body={"ok": True}) if asked.headers["authorization"] in right else problem(401, "invalid")


def test_a_good_token_is_used_as_it_is(server: Scripted, signed_in: SignIn) -> None:
    signed_in()
    server.on("/v1/x", opening("a-1"))
    assert Exchange(server.origin).read("/v1/x") == {"ok": True}
    assert server.at(TOKEN) == []


def test_a_token_that_has_run_out_is_renewed_and_the_next_refresh_token_kept(
    server: Scripted, signed_in: SignIn
) -> None:
    signed_in(access_until=time.time())
    server.on(TOKEN, rotating())
    server.on("/v1/x", opening("a-2"))
    assert Exchange(server.origin).read("/v1/x") == {"ok": True}
    kept = keeping.get(server.origin)
    assert (kept.access_token, kept.refresh_token) == ("a-2", "r-2")
    assert kept.organization_id is not None
    assert server.at(TOKEN)[0].form["client_id"] == "cli_of_commands"


def test_a_token_that_was_ended_early_is_renewed_once(server: Scripted, signed_in: SignIn) -> None:
    signed_in()
    server.on(TOKEN, rotating())
    server.on("/v1/x", opening("a-2"))
    exchange = Exchange(server.origin)
    assert [exchange.read("/v1/x") for _ in range(3)] == [{"ok": True}] * 3
    assert len(server.at(TOKEN)) == 1


def test_eight_at_once_renew_once(server: Scripted, signed_in: SignIn) -> None:
    signed_in()
    server.on(TOKEN, rotating())
    server.on("/v1/x", opening("a-2"))
    start = Barrier(8)

    def read(_turn: int) -> object:
        exchange = Exchange(server.origin)
        start.wait()
        return exchange.read("/v1/x")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [{"ok": True}] * 8
    assert len(server.at(TOKEN)) == 1
    assert keeping.get(server.origin).refresh_token == "r-2"


def test_a_login_that_is_over_says_how_to_sign_in(server: Scripted, signed_in: SignIn) -> None:
    signed_in(access_until=0)
    server.on(TOKEN, rotating(first=5))
    with pytest.raises(NotSignedIn, match=f"marketplace login {server.origin}") as trouble:
        Exchange(server.origin).read("/v1/x")
    assert trouble.value.exit_code == 3
    assert server.at("/v1/x") == []


def test_a_login_without_a_refresh_token_ends_with_its_access_token(server: Scripted, signed_in: SignIn) -> None:
    signed_in(access_until=0, refresh_token=None)
    with pytest.raises(NotSignedIn, match="has run out"):
        Exchange(server.origin).read("/v1/x")
    assert server.at(TOKEN) == []


def test_a_server_that_speaks_for_another_is_told_no_secret(server: Scripted, signed_in: SignIn) -> None:
    signed_in(access_until=0)
    for lie in ({"issuer": "https://other.example"}, {"token_endpoint": "https://evil.example/oauth/token"}):
        server.is_an_exchange(**lie)
        with pytest.raises(Trouble, match="not answered by an exchange"):
            Exchange(server.origin).read("/v1/x")
    assert {one.path for one in server.asked} == {WELL_KNOWN}


def test_tokens_of_another_type_than_was_agreed_are_not_taken(server: Scripted, signed_in: SignIn) -> None:
    before = signed_in(access_until=0)
    server.on(TOKEN, tokens(token_type="DPoP"))
    with pytest.raises(Trouble, match="not answered by an exchange"):
        Exchange(server.origin).read("/v1/x")
    assert keeping.get(server.origin) == before


def test_a_program_proves_itself_by_the_secret_in_its_file(server: Scripted, run: Callable, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    file.chmod(0o600)
    server.on(TOKEN, tokens())
    _out, said = run("login", server.origin, "--client-id", "cli_1", "--secret-file", file)
    assert said == ""
    [asked] = server.at(TOKEN)
    pair = b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode()
    assert pair == "cli_1:mk_sk_a+secret%3A+%2B+%25"  # RFC 6749 section 2.3.1
    assert asked.form == {"grant_type": "client_credentials"}
    [kept] = Path(keeping.home()).glob("*.login.json")
    assert SECRET not in kept.read_text()


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("form", ["pem", "jwk"])
def test_a_program_proves_itself_by_a_signature(
    server: Scripted, run: Callable, tmp_path: Path, kind: str, form: str
) -> None:
    key, file = KEYS[kind], tmp_path / "key"
    jwk = json.dumps(key.as_dict(private=True)).encode()
    file.write_bytes(key.as_pem(private=True) if form == "pem" else jwk)
    file.chmod(0o600)
    server.on(TOKEN, tokens())
    run("login", server.origin, "--client-id", "cli_1", "--key-file", file)
    [asked] = server.at(TOKEN)
    assert "authorization" not in asked.headers
    token = jwt.decode(asked.form["client_assertion"], key, algorithms=["ES256", "PS256", "Ed25519"])
    assert [token.claims[name] for name in ("iss", "sub", "aud")] == ["cli_1", "cli_1", server.origin]
    assert 0 < token.claims["exp"] - time.time() <= 60
    assert token.header.get("kid") == (key.kid if form == "jwk" else None)


def test_each_try_is_signed_anew(server: Scripted, run: Callable, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEYS["ec"].as_pem(private=True))
    server.on(TOKEN, problem(503, "unavailable"), tokens())
    run("login", server.origin, "--client-id", "cli_1", "--key-file", file)
    first, second = (one.form["client_assertion"] for one in server.at(TOKEN))
    assert first != second


@pytest.mark.parametrize("content", ["", "no key", "{}", "public"])
def test_a_file_without_a_private_key_signs_nobody_in(
    server: Scripted, run: Callable, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "key"
    public = KEYS["ec"].as_pem(private=False).decode()
    file.write_text(public if content == "public" else content)
    _out, said = run("login", server.origin, "--client-id", "cli_1", "--key-file", file, code=2)
    assert "holds no private key" in said
    assert server.at(TOKEN) == []
    assert keeping.find(server.origin) is None


def test_a_wrong_secret_is_told_as_such_and_nothing_is_kept(server: Scripted, run: Callable, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("mk_sk_wrong")
    server.on(TOKEN, Said(401, {"error": "invalid_client"}))
    _out, said = run("login", server.origin, "--client-id", "cli_1", "--secret-file", file, code=3)
    assert "does not take this client" in said
    assert "mk_sk_wrong" not in said
    assert keeping.find(server.origin) is None


def test_others_who_can_read_the_secret_are_pointed_out(server: Scripted, run: Callable, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    file.chmod(0o644)
    server.on(TOKEN, tokens())
    _out, said = run("login", server.origin, "--client-id", "cli_1", "--secret-file", file)
    assert "chmod 600" in said


def test_a_program_needs_an_id_and_one_proof(server: Scripted, run: Callable, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    run("login", server.origin, "--secret-file", file, code=2)
    run("login", server.origin, "--client-id", "c", "--secret-file", file, "--key-file", file, code=2)
    assert server.asked == []


def test_a_server_without_a_client_for_commands_says_what_to_do(server: Scripted, run: Callable) -> None:
    server.is_an_exchange(musubi_cli_client_id=None)
    _out, said = run("login", server.origin, code=2)
    assert "--client-id" in said
