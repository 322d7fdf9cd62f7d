"""Tokens that a server binds to a key of the login (RFC 9449)."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from marketplace.client import keeping
from marketplace.client.exchange import Exchange
from tests.client.conftest import SignIn
from tests.client.scripted import TOKEN, Asked, Said, Scripted, tokens

PROOFLESS = Said(400, {"error": "invalid_dpop_proof"})
ASKING = Said(400, {"error": "use_dpop_nonce"}, {"DPoP-Nonce": "n-1"})


def proof_of(asked: Asked) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a request's proof, whose signature is that of the key in it."""
    text = asked.headers["dpop"]
    head = json.loads(base64.urlsafe_b64decode(text.split(".")[0] + "=="))
    return head, dict(jwt.decode(text, ECKey.import_key(head["jwk"]), algorithms=["ES256"]).claims)


def demanding(asked: Asked) -> Said:
    """A server that takes only proofs with its nonce."""
    if "dpop" not in asked.headers:
        return PROOFLESS
    if proof_of(asked)[1].get("nonce") != "n-1":
        return ASKING
    return tokens("a-bound", token_type="DPoP")


@pytest.fixture
def bound(server: Scripted, run: Callable, tmp_path: Path) -> Scripted:
    """A server that binds tokens, at which a program is signed in."""
    file = tmp_path / "secret"
    file.write_text("mk_sk_secret")
    file.chmod(0o600)
    server.on(TOKEN, demanding)
    run("login", server.origin, "--client-id", "cli_1", "--secret-file", file)
    return server


def test_a_server_that_asks_for_it_is_given_a_key_and_its_nonce(bound: Scripted) -> None:
    first, second, third = bound.at(TOKEN)
    assert "dpop" not in first.headers
    (head, claims), (again, later) = proof_of(second), proof_of(third)
    assert (head["typ"], head["alg"], "d" in head["jwk"]) == ("dpop+jwt", "ES256", False)
    assert (claims["htm"], claims["htu"], "ath" in claims) == ("POST", bound.origin + TOKEN, False)
    assert (head["jwk"], later["nonce"]) == (again["jwk"], "n-1")
    assert claims["jti"] != later["jti"]
    assert keeping.get(bound.origin).access_token == "a-bound"


def test_requests_prove_the_key_of_their_token(bound: Scripted) -> None:
    refused = Said(401, {"title": "a nonce"}, {"DPoP-Nonce": "n-2"})
    bound.on("/v1/x", refused, Said(body={"ok": True}))
    assert Exchange(bound.origin).read("/v1/x?release_id=rel_1", page=2) == {"ok": True}
    first, second = bound.at("/v1/x")
    assert second.headers["authorization"] == "DPoP a-bound"
    head, claims = proof_of(second)
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"a-bound").digest()).rstrip(b"=").decode()
    assert (claims["htm"], claims["htu"], claims["ath"]) == ("GET", f"{bound.origin}/v1/x", digest)
    assert claims["nonce"] == "n-2"
    assert proof_of(first)[0]["jwk"] == head["jwk"] == proof_of(bound.at(TOKEN)[-1])[0]["jwk"]


def test_a_nonce_that_is_never_good_ends(bound: Scripted) -> None:
    count = iter(range(100))
    bound.on("/v1/x", lambda _asked: Said(401, {"title": "again"}, {"DPoP-Nonce": f"n-{next(count)}"}))
    bound.on(TOKEN, lambda _asked: tokens("a-other", token_type="DPoP"))
    with pytest.raises(Exception, match="again"):
        Exchange(bound.origin).read("/v1/x")
    assert len(bound.at("/v1/x")) == 4


def test_the_key_is_kept_as_secrets_are(bound: Scripted, home: Path) -> None:
    kept = keeping.get(bound.origin)
    assert kept.bound_key is not None
    assert json.loads(kept.bound_key)["d"] not in repr(kept)
    [file] = home.glob("*.login.json")
    assert file.stat().st_mode & 0o077 == 0


def test_others_are_sent_no_proof(server: Scripted, signed_in: SignIn) -> None:
    signed_in()
    server.on("/v1/x", Said(body={}))
    Exchange(server.origin).read("/v1/x")
    assert "dpop" not in server.at("/v1/x")[0].headers
