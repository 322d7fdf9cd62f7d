"""The key file: private, made once, replaceable."""

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, RSAKey

from marketplace.identity.errors import InvalidToken
from marketplace.identity.oauth import access_tokens, keys
from marketplace.kit import clock, secret_files, settings
from marketplace.kit.settings import Settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "keys" / "oauth.pem"
    settings.install(Settings(signing_key_file=file))
    return file


def write(path: Path, *pems: bytes) -> None:
    """Replace the file as a careful operator would: at once, as a new file."""
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_bytes(b"".join(pems))
    draft.replace(path)


def some_claims() -> dict[str, object]:
    base = settings.current().base_url
    return {
        "iss": base, "aud": base, "sub": "cli_1", "client_id": "cli_1", "org": "org_1", "scope": "orders:read",
        "jti": "tok_1", "iat": 1, "exp": 2**40,
    }  # fmt: skip


def test_a_key_is_made_when_there_is_none_and_only_the_owner_reads_it(path: Path) -> None:
    ring = keys.current()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert keys.current() is ring


def test_of_several_processes_that_start_at_once_one_makes_the_key(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: keys.current().signing.kid, range(8)))
    assert len(set(rings)) == 1
    assert list(path.parent.iterdir()) == [path]


def test_a_key_that_is_there_is_never_overwritten(path: Path) -> None:
    kid = keys.current().signing.kid
    keys.create(path)
    assert keys.current().signing.kid == kid


def test_only_public_parts_are_published(path: Path) -> None:
    published = keys.current().jwks()["keys"]
    assert [set(key) for key in published] == [{"kty", "crv", "x", "y", "kid", "use", "alg"}]
    assert published[0]["kid"] == keys.current().signing.key.thumbprint()
    assert (published[0]["alg"], published[0]["crv"]) == ("ES256", "P-256")


def test_a_replaced_key_verifies_until_it_is_taken_away(path: Path) -> None:
    old, new = (ECKey.generate_key("P-256").as_pem(private=True) for _ in range(2))
    write(path, old)
    token = access_tokens.sign(some_claims())
    write(path, new, old)
    assert len(keys.current().jwks()["keys"]) == 2
    assert access_tokens.verify(token).jti == "tok_1"
    assert access_tokens.sign(some_claims()).split(".")[0] != token.split(".")[0]
    write(path, new)
    with pytest.raises(InvalidToken):
        access_tokens.verify(token)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no private key"),
        (b"not a key", "holds no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not an unencrypted P-256 key"),
        (ECKey.generate_key("P-384").as_pem(private=True), "its curve is P-384"),
        (RSAKey.generate_key(2048).as_pem(private=True), "not an unencrypted P-256 key"),
        (ECKey.generate_key("P-256").as_pem(private=True, password="secret"), "not an unencrypted P-256 key"),
    ],
)
def test_a_file_that_holds_something_else_says_how_to_mend_it(path: Path, content: bytes, words: str) -> None:
    write(path, content)
    with pytest.raises(keys.SigningKeyUnusable, match=words):
        keys.current()


def test_another_installation_has_another_key(path: Path, tmp_path: Path) -> None:
    token = access_tokens.sign(some_claims())
    settings.install(replace(settings.current(), signing_key_file=tmp_path / "other.pem"))
    with pytest.raises(InvalidToken):
        access_tokens.verify(token)


def test_o111_a_replaced_key_verifies_until_it_is_dropped(path: Path) -> None:
    old = keys.current().signing
    token = access_tokens.sign(some_claims())
    fresh = keys.rotate()
    assert fresh.kid != old.kid
    assert keys.current().signing.kid == fresh.kid
    assert [key["kid"] for key in keys.current().jwks()["keys"]] == [fresh.kid, old.kid]
    assert access_tokens.verify(token).jti == "tok_1"
    with pytest.raises(keys.KeysInUse):
        keys.prune()
    with clock.stopped(clock.now() + keys.GRACE + timedelta(seconds=1)):
        assert keys.prune() == [old.kid]
        assert [key["kid"] for key in keys.current().jwks()["keys"]] == [fresh.kid]
        with pytest.raises(InvalidToken):
            access_tokens.verify(token)
        assert keys.prune() == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_of_several_that_rotate_at_once_no_key_is_lost(path: Path) -> None:
    first = keys.current().signing.kid
    with ThreadPoolExecutor(4) as pool:
        made = [key.kid for key in pool.map(lambda _: keys.rotate(), range(4))]
    kept = [key["kid"] for key in keys.current().jwks()["keys"]]
    assert len(kept) == 5
    assert set(made) | {first} <= set(kept)


def test_what_cannot_be_written_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.current()
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(secret_files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        keys.rotate()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir() if file.suffix not in {".pem", ".lock"}] == []
