"""Files that a store or a provider sends for an exchange: fetched there, with nothing of ours along."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.client import downloads
from marketplace.client.downloads import FRUITLESS_MAX
from marketplace.client.exchange import Exchange
from marketplace.client.troubles import Trouble, Unreachable, WrongBytes
from tests.client.conftest import SignIn
from tests.client.scripted import Asked, Said, Scripted, scripted

CONTENT = bytes(range(256)) * 1000
URL, KEPT = f"/v1/grants/grt_{'a' * 32}/files/x", "/bucket/x"


@pytest.fixture
def store() -> Iterator[Scripted]:
    """Who sends the bytes."""
    with scripted() as made:
        yield made


@pytest.fixture
def exchange(server: Scripted, signed_in: SignIn, store: Scripted) -> Exchange:
    """An exchange that leads to the store, each time by a new address."""
    signed_in()
    server.on(URL, lambda _asked: led(f"{store.origin}{KEPT}?signed={len(server.at(URL))}"))
    return Exchange(server.origin)


def led(address: str) -> Said:
    return Said(307, b"", {"Location": address})


def fetch(exchange: Exchange, folder: Path) -> downloads.Fetched:
    listed = {"name": "x", "url": URL, "sha256": hashlib.sha256(CONTENT).hexdigest(), "size_bytes": len(CONTENT)}
    [wanted] = downloads.placed([listed], folder)
    return downloads.fetch(exchange, wanted, lambda _bytes: None)


def sent(asked: Asked, cut_at: int | None = None) -> Said:
    """What a bucket answers, whose entity tags are others than the exchange's."""
    start = int(asked.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    told = {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"} if "range" in asked.headers else {}
    return Said(206 if told else 200, CONTENT[start:], {"ETag": '"of-the-bucket"'} | told, cut_at=cut_at)


def test_a_file_is_fetched_where_the_exchange_leads_to_without_a_token(
    store: Scripted, exchange: Exchange, tmp_path: Path
) -> None:
    store.on(KEPT, sent)
    assert fetch(exchange, tmp_path).fetched_bytes == len(CONTENT)
    assert (tmp_path / "x").read_bytes() == CONTENT
    [asked] = store.asked
    assert not {"authorization", "cookie", "dpop"} & set(asked.headers)


def test_a_broken_download_goes_on_by_a_new_address(
    store: Scripted, server: Scripted, exchange: Exchange, tmp_path: Path
) -> None:
    store.on(KEPT, lambda asked: sent(asked, cut_at=100_000), sent)
    assert fetch(exchange, tmp_path).fetched_bytes == len(CONTENT)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert [asked.query["signed"] for asked in store.asked] == ["1", "2"]
    assert "range" in store.asked[1].headers
    assert server.at(URL)[1].headers["range"] == store.asked[1].headers["range"]


def test_an_address_that_is_refused_is_asked_for_anew(store: Scripted, exchange: Exchange, tmp_path: Path) -> None:
    store.on(KEPT, Said(403, b"<Error/>"), sent)
    assert fetch(exchange, tmp_path).fetched_bytes == len(CONTENT)
    assert len(store.asked) == 2


def test_a_store_that_always_refuses_is_given_up(store: Scripted, exchange: Exchange, tmp_path: Path) -> None:
    store.on(KEPT, Said(403, b"<Error/>"))
    with pytest.raises(Unreachable):
        fetch(exchange, tmp_path)
    assert len(store.asked) == FRUITLESS_MAX
    assert not (tmp_path / "x").exists()


def test_other_bytes_never_get_the_name(store: Scripted, exchange: Exchange, tmp_path: Path) -> None:
    store.on(KEPT, Said(200, CONTENT[::-1]))
    with pytest.raises(WrongBytes):
        fetch(exchange, tmp_path)
    assert list(tmp_path.glob("x*")) == []


@pytest.mark.parametrize("address", ["http://store.example.jp/x", "ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_an_address_that_others_could_read_is_not_followed(
    server: Scripted, exchange: Exchange, tmp_path: Path, address: str
) -> None:
    server.on(URL, led(address))
    with pytest.raises(Trouble):
        fetch(exchange, tmp_path)
    assert not (tmp_path / "x").exists()


def test_a_store_that_leads_on_is_not_followed(
    store: Scripted, server: Scripted, exchange: Exchange, tmp_path: Path
) -> None:
    store.on(KEPT, led(f"{server.origin}/v1/grants"))
    with pytest.raises(Trouble):
        fetch(exchange, tmp_path)
    assert server.at("/v1/grants") == []
