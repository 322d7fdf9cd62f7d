"""Verifying receipts with a terminal: signature, figures and file, and nothing believed before."""

import hashlib
import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from tests.client.scripted import Said

CONTENT = b"0123456789"
ISSUER = "https://exchange.example.jp"
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "iat": 1, "jti": "dlv_1", "buyer_organization_id": "org_b", "provider_organization_id": "org_p",
    "grant_id": "grt_1", "order_id": "ord_1", "dataset_id": "ds_1", "release_id": "rel_1", "file_name": "人流.csv",
    "terms_sha256": "ab" * 32, "state": "complete", "opened_at": "2026-11-29T00:00:00Z",
    "closed_at": "2026-11-29T00:00:01Z",
    "content": {"sha256": hashlib.sha256(CONTENT).hexdigest(), "size_bytes": 10},
    "range": {"start_byte": 0, "length": 10, "bytes_acked": 10},
    "counted": {"bytes_new": 10, "rows_new": 0, "requests": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def key() -> ECKey:
    return ECKey.generate_key("P-256")


@pytest.fixture
def written(tmp_path, key):
    """Write a receipt and the keys of its exchange; return the paths of both."""

    def write(claims=CLAIMS, *, typ="musubi-receipt+jwt", signer=None, published=None):
        kid = key.thumbprint()
        text = jws.serialize_compact(
            {"alg": "ES256", "typ": typ, "kid": kid}, json.dumps(claims).encode(), signer or key, ["ES256"]
        )
        receipt, jwks = tmp_path / "r.receipt", tmp_path / "jwks.json"
        receipt.write_text(f"{text}\n", encoding="ascii")
        jwks.write_text(json.dumps(key_set(published or key, kid)), encoding="ascii")
        return receipt, jwks

    return write


def key_set(key, kid):
    return {"keys": [key.as_dict(private=False) | {"kid": kid, "use": "sig", "alg": "ES256"}]}


def test_a_receipt_is_verified_without_any_server(run, written):
    receipt, jwks = written()
    said, _ = run("verify", "receipt", receipt, "--jwks", jwks)
    for part in (ISSUER, "dlv_1", "org_b", "org_p", "grt_1", "人流.csv", CLAIMS["content"]["sha256"], "genuine"):
        assert part in said
    assert json.loads(run("verify", "receipt", receipt, "--jwks", jwks, "--json")[0])["claims"] == CLAIMS


def test_the_file_that_was_fetched_is_compared(run, written, tmp_path):
    receipt, jwks = written()
    data = tmp_path / "人流.csv"
    data.write_bytes(CONTENT)
    said, _ = run("verify", "receipt", receipt, "--jwks", jwks, "--file", data)
    assert "is this content" in said
    for other in (CONTENT[:5], b"012345678X"):
        data.write_bytes(other)
        _, told = run("verify", "receipt", receipt, "--jwks", jwks, "--file", data, code=6)
        assert "is not the content" in told


def test_the_keys_of_the_exchange_are_fetched_and_it_must_be_the_issuer(run, written, server, key):
    server.on("/v1/receipt-keys", Said(body=key_set(key, key.thumbprint())))
    receipt, _ = written(CLAIMS | {"iss": server.origin})
    assert "genuine" in run("verify", "receipt", receipt, "--exchange", server.origin)[0]
    receipt, _ = written()
    assert "not issued by" in run("verify", "receipt", receipt, "--exchange", server.origin, code=6)[1]


@pytest.mark.parametrize("place", range(3))
def test_no_part_of_a_receipt_can_be_altered(run, written, place):
    receipt, jwks = written()
    parts = receipt.read_text(encoding="ascii").strip().split(".")
    middle = len(parts[place]) // 2
    flipped = "B" if parts[place][middle] == "A" else "A"
    parts[place] = parts[place][:middle] + flipped + parts[place][middle + 1 :]
    receipt.write_text(".".join(parts), encoding="ascii")
    assert "cannot be verified" in run("verify", "receipt", receipt, "--jwks", jwks, code=6)[1]


def test_what_another_key_signed_and_what_is_no_receipt_is_refused(run, written):
    stranger = ECKey.generate_key("P-256")
    for changes in ({"signer": stranger}, {"published": stranger}, {"typ": "at+jwt"}):
        receipt, jwks = written(**changes)
        assert "cannot be verified" in run("verify", "receipt", receipt, "--jwks", jwks, code=6)[1]
    receipt.write_text("人流", encoding="utf-8")
    assert "cannot be verified" in run("verify", "receipt", receipt, "--jwks", jwks, code=6)[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"grant_id": None},
        {"range": None},
        {"range": {"start_byte": 5, "length": 10, "bytes_acked": 10}},
        {"counted": {"bytes_new": 11, "rows_new": 0, "requests": 1}},
        {"counted": {"bytes_new": True, "rows_new": 0, "requests": 1}},
    ],
    ids=["no grant", "no range", "beyond the end", "more new than arrived", "not a number"],
)
def test_a_signed_receipt_that_cannot_be_is_refused(run, written, changes):
    receipt, jwks = written(CLAIMS | changes)
    assert "cannot be verified" in run("verify", "receipt", receipt, "--jwks", jwks, code=6)[1]


def test_a_set_without_the_key_is_told_from_a_file_without_a_set(run, written):
    receipt, jwks = written()
    jwks.write_text('{"keys": []}', encoding="ascii")
    assert "not in the set" in run("verify", "receipt", receipt, "--jwks", jwks, code=6)[1]
    jwks.write_text("[]", encoding="ascii")
    assert "no set of keys" in run("verify", "receipt", receipt, "--jwks", jwks, code=1)[1]
    jwks.write_text("{", encoding="ascii")
    assert "no JSON" in run("verify", "receipt", receipt, "--jwks", jwks, code=1)[1]
    run("verify", "receipt", receipt, "--jwks", jwks, "--exchange", ISSUER, code=2)
