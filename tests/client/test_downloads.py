"""Fetching in spite of everything."""

import errno
import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from marketplace.client import downloads, files
from marketplace.client.downloads import FRUITLESS_MAX
from marketplace.client.exchange import Exchange
from marketplace.client.troubles import Denied, DiskTrouble, Trouble, Unreachable, WrongBytes
from tests.client.conftest import SignIn
from tests.client.scripted import TOKEN, Asked, Said, Scripted, problem, tokens

GRANT, DATASET, OFFER = (f"{kind}_{'a' * 32}" for kind in ("grt", "ds", "ofr"))
CONTENT = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
URL = f"/v1/grants/{GRANT}/files/x"
NAME = "人流.csv"


class Disk(NamedTuple):
    free: int


def listed(name: str = NAME, content: bytes = CONTENT, url: str = URL, release: str = "rel_2") -> dict[str, Any]:
    sha256 = hashlib.sha256(content).hexdigest()
    return {"name": name, "url": url, "sha256": sha256, "size_bytes": len(content), "release_id": release}


def whole(content: bytes = CONTENT, **more: Any) -> Said:
    return Said(200, content, {"ETag": f'"{hashlib.sha256(content).hexdigest()}"'}, **more)


def ranged(asked: Asked, content: bytes = CONTENT, **more: Any) -> Said:
    """What an honest server answers to a request for the rest."""
    if "range" not in asked.headers:
        return whole(content, **more)
    start = int(asked.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert asked.headers["if-range"] == f'"{SHA256}"'
    fields = {"ETag": f'"{SHA256}"', "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
    return Said(206, content[start:], fields, **more)


def cut(at: int) -> Callable[[Asked], Said]:
    return lambda asked: ranged(asked, cut_at=at)


@pytest.fixture
def exchange(server: Scripted, signed_in: SignIn) -> Exchange:
    signed_in()
    server.on(f"/v1/grants/{GRANT}/files", Said(body=[listed()]))
    return Exchange(server.origin)


def fetch(exchange: Exchange, folder: Path, reports: list[int] | None = None, **how: Any) -> downloads.Fetched:
    [wanted] = downloads.placed([listed()], folder)
    return downloads.fetch(exchange, wanted, (reports if reports is not None else []).append, **how)


def begun(folder: Path, content: bytes) -> Path:
    """Leave a part behind, as a killed command does."""
    part = folder / f"{NAME}.{SHA256[:12]}.part"
    part.write_bytes(content)
    return part


def test_a_file_is_fetched_whole(server: Scripted, exchange: Exchange, tmp_path: Path) -> None:
    server.on(URL, ranged)
    reports: list[int] = []
    assert fetch(exchange, tmp_path / "new" / "folder", reports).fetched_bytes == len(CONTENT)
    assert (tmp_path / "new" / "folder" / NAME).read_bytes() == CONTENT
    assert (reports[0], reports[-1]) == (0, len(CONTENT))
    assert server.at(URL)[0].headers["accept-encoding"] == "identity"


def test_a_broken_download_goes_on_where_it_broke(
    server: Scripted, exchange: Exchange, tmp_path: Path, paused: list[float]
) -> None:
    server.on(URL, cut(100_000), cut(50_000), ranged)
    assert fetch(exchange, tmp_path).fetched_bytes == len(CONTENT)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    asked = [one.headers.get("range") for one in server.at(URL)]
    assert asked == [None, "bytes=100000-", "bytes=150000-"]
    assert len(paused) == 2


def test_what_a_killed_command_left_is_gone_on_with(server: Scripted, exchange: Exchange, tmp_path: Path) -> None:
    begun(tmp_path, CONTENT[:123_456])
    server.on(URL, ranged)
    assert fetch(exchange, tmp_path).fetched_bytes == len(CONTENT) - 123_456
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert server.at(URL)[0].headers["range"] == "bytes=123456-"


def test_a_part_that_is_whole_is_not_asked_for_again(server: Scripted, exchange: Exchange, tmp_path: Path) -> None:
    begun(tmp_path, CONTENT)
    assert fetch(exchange, tmp_path).fetched_bytes == 0
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert server.at(URL) == []


@pytest.mark.parametrize("left", [b"\0" * 1000, CONTENT + b"more", b"\0" * 300_000], ids=["start", "longer", "as long"])
def test_a_damaged_part_is_fetched_anew(server: Scripted, exchange: Exchange, tmp_path: Path, left: bytes) -> None:
    begun(tmp_path, left)
    server.on(URL, ranged)
    fetch(exchange, tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert list(tmp_path.glob("*.part")) == []


def test_a_server_that_gives_no_ranges_is_begun_anew(server: Scripted, exchange: Exchange, tmp_path: Path) -> None:
    begun(tmp_path, CONTENT[:1000])
    server.on(URL, whole())
    fetch(exchange, tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_connection_that_never_brings_a_byte_is_given_up_and_what_came_stays(
    server: Scripted, exchange: Exchange, tmp_path: Path, paused: list[float]
) -> None:
    server.on(URL, cut(1000), cut(0))
    with pytest.raises(Unreachable, match="Run the same command again") as trouble:
        fetch(exchange, tmp_path)
    assert trouble.value.exit_code == 5
    assert len(server.at(URL)) == 1 + FRUITLESS_MAX
    assert begun_bytes(tmp_path) == CONTENT[:1000]
    assert not (tmp_path / NAME).exists()


def begun_bytes(folder: Path) -> bytes:
    [part] = folder.glob("*.part")
    return part.read_bytes()


def test_wrong_bytes_never_get_the_files_name(server: Scripted, exchange: Exchange, tmp_path: Path) -> None:
    server.on(URL, Said(200, CONTENT[:-1] + b"!", {"ETag": f'"{SHA256}"'}))
    with pytest.raises(WrongBytes, match="not what was promised") as trouble:
        fetch(exchange, tmp_path)
    assert trouble.value.exit_code == 6
    assert list(tmp_path.glob("*人流*")) == []


def test_more_bytes_than_promised_are_not_taken(server: Scripted, exchange: Exchange, tmp_path: Path) -> None:
    server.on(URL, Said(200, CONTENT + b"!" * 5_000_000, {"ETag": f'"{SHA256}"'}))
    with pytest.raises(WrongBytes):
        fetch(exchange, tmp_path)
    assert list(tmp_path.glob("*人流*")) == []


@pytest.mark.parametrize(
    "said",
    [
        Said(200, b"other", {"ETag": '"other"'}),
        Said(206, CONTENT[5:], {"ETag": f'"{SHA256}"', "Content-Range": "bytes 5-299999/300000"}),
        Said(204, b"", {}),
    ],
    ids=["another file", "another range", "nothing"],
)
def test_an_answer_that_is_not_what_was_asked_for_is_not_mixed_in(
    server: Scripted, exchange: Exchange, tmp_path: Path, said: Said
) -> None:
    begun(tmp_path, CONTENT[:1000])
    server.on(URL, said)
    with pytest.raises(Trouble):
        fetch(exchange, tmp_path)
    assert begun_bytes(tmp_path) == CONTENT[:1000]


@pytest.mark.parametrize("slug", ["grant-revoked", "grant-expired", "quota-exhausted"])
def test_access_that_ends_in_the_middle_is_told_and_what_came_stays(
    server: Scripted, exchange: Exchange, tmp_path: Path, slug: str
) -> None:
    server.on(URL, cut(1000), problem(403, slug))
    with pytest.raises(Denied, match=slug.replace("-", " ")) as trouble:
        fetch(exchange, tmp_path)
    assert trouble.value.exit_code == 4
    assert begun_bytes(tmp_path) == CONTENT[:1000]


def test_a_token_that_ends_in_the_middle_is_renewed(server: Scripted, exchange: Exchange, tmp_path: Path) -> None:
    server.on(TOKEN, tokens("a-2", refresh_token="r-2"))
    server.on(URL, cut(1000), problem(401, "invalid-token"), ranged)
    fetch(exchange, tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert [one.headers["authorization"] for one in server.at(URL)] == ["Bearer a-1", "Bearer a-1", "Bearer a-2"]


def test_a_busy_server_is_waited_for(server: Scripted, exchange: Exchange, tmp_path: Path, paused: list[float]) -> None:
    server.on(URL, problem(429, "too-many-downloads", Retry_After="9"), ranged)
    fetch(exchange, tmp_path)
    assert paused == [9]


def test_a_file_that_is_there_is_not_fetched_again(server: Scripted, exchange: Exchange, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    assert fetch(exchange, tmp_path).was_there
    assert server.at(URL) == []


def test_somebodys_other_file_is_replaced_only_where_asked(
    server: Scripted, exchange: Exchange, tmp_path: Path
) -> None:
    server.on(URL, ranged)
    (tmp_path / NAME).write_bytes(b"notes of mine")
    with pytest.raises(Trouble, match="--overwrite"):
        fetch(exchange, tmp_path)
    assert (tmp_path / NAME).read_bytes() == b"notes of mine"
    fetch(exchange, tmp_path, overwrite=True)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_disk_without_room_is_named_before_a_byte_is_charged(
    server: Scripted, exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Disk(1000))
    with pytest.raises(DiskTrouble, match=r"292\.0 KiB more are needed"):
        fetch(exchange, tmp_path)
    assert server.at(URL) == []


def test_a_disk_that_fills_up_meanwhile_keeps_what_came(
    server: Scripted, exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on(URL, cut(1000), ranged)
    write = files.Part._write_all

    def filling(part: files.Part, piece: bytes) -> None:
        if part.at:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(part, piece)

    monkeypatch.setattr(files.Part, "_write_all", filling)
    with pytest.raises(DiskTrouble, match="goes on where it stopped"):
        fetch(exchange, tmp_path)
    assert begun_bytes(tmp_path) == CONTENT[:1000]


def test_an_empty_file_is_a_file(server: Scripted, exchange: Exchange, tmp_path: Path) -> None:
    server.on(URL, whole(b""))
    [wanted] = downloads.placed([listed(content=b"")], tmp_path)
    downloads.fetch(exchange, wanted, [].append)
    assert (tmp_path / NAME).read_bytes() == b""


def test_names_that_become_one_have_places_of_their_own(tmp_path: Path) -> None:
    names = ["a/b.csv", "a_b.csv", "A_B.csv"]
    placed = downloads.placed([listed(name, name.encode()) for name in names], tmp_path)
    assert len({one.target.name.casefold() for one in placed}) == 3
    assert {one.target.parent for one in placed} == {tmp_path}


def test_get_fetches_the_files_of_the_newest_release(
    server: Scripted, exchange: Exchange, run: Callable, tmp_path: Path
) -> None:
    second, before = f"{URL}2", f"{URL}0"
    all_files = [listed(), listed("b.csv", b"b", second), listed(NAME, b"before", before, "rel_1")]
    server.on(f"/v1/grants/{GRANT}/files", Said(body=all_files))
    server.on(URL, ranged)
    server.on(second, whole(b"b"))
    out, said = run("get", GRANT, "--to", tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.glob("*.csv")} == {NAME: CONTENT, "b.csv": b"b"}
    assert said == ""  # nobody looks: no bar
    assert [line.split()[-1] for line in out.splitlines()] == ["fetched", "fetched"]
    assert server.at(before) == []


def test_get_fetches_what_is_named(server: Scripted, exchange: Exchange, run: Callable, tmp_path: Path) -> None:
    before = f"{URL}0"
    all_files = [listed(), listed("b.csv", b"b", f"{URL}2"), listed("old.csv", b"old", before, "rel_1")]
    server.on(f"/v1/grants/{GRANT}/files", Said(body=all_files))
    server.on(before, whole(b"old"))
    out, _said = run("get", GRANT, "--to", tmp_path, "--release", "rel_1", "--file", "old.csv", "--json")
    assert '"fetched_bytes": 3' in out
    assert [one.name for one in tmp_path.glob("*.csv")] == ["old.csv"]
    _out, said = run("get", GRANT, "--to", tmp_path, "--file", "nope.csv", code=2)
    assert f"{NAME}, b.csv" in said


def grants(*made: dict[str, Any]) -> Said:
    return Said(body={"items": list(made), "next_cursor": None})


def grant(grant_id: str, **changes: Any) -> dict[str, Any]:
    own = {"id": grant_id, "organization_id": "org_" + "1" * 32, "dataset_id": DATASET, "offer_id": OFFER}
    return own | {"state": "active", "expires_at": None} | changes


@pytest.mark.parametrize("what", [DATASET, OFFER])
def test_get_finds_the_grant_that_opens_a_dataset_or_an_offer(
    server: Scripted, exchange: Exchange, run: Callable, tmp_path: Path, what: str
) -> None:
    others = [
        grant("grt_0", organization_id="org_2"),
        grant("grt_1", state="revoked"),
        grant("grt_2", dataset_id="ds_2", offer_id="ofr_2"),
    ]
    server.on("/v1/grants", grants(*others, grant(GRANT)))
    server.on(URL, ranged)
    run("get", what, "--to", tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_get_says_which_offers_a_dataset_has_that_is_not_bought(
    server: Scripted, exchange: Exchange, run: Callable
) -> None:
    server.on("/v1/grants", grants())
    server.on("/v1/offers", grants({"id": OFFER}, {"id": "ofr_2"}))
    _out, said = run("get", DATASET, code=4)
    assert f"marketplace get {OFFER}" in said


def test_usage_is_printed_with_its_sums(server: Scripted, exchange: Exchange, run: Callable) -> None:
    line = {"day": "2026-11-30", "grant_id": GRANT, "bytes_new": 1234567, "rows_new": 5, "requests": 1}
    totals = {"total_bytes": 1234567, "total_rows": 5, "total_requests": 1}
    pages = (
        Said(body={"items": [line], "next_cursor": "c"} | totals),
        Said(body={"items": [line], "next_cursor": None} | totals),
    )
    server.on("/v1/usage", *pages)
    out, _said = run("usage", GRANT, "--from", "2026-11-01")
    assert out.count("1,234,567") == 3
    assert server.at("/v1/usage")[1].query["cursor"] == "c"
    assert all((one.query["grant_id"], one.query["from_on"]) == (GRANT, "2026-11-01") for one in server.at("/v1/usage"))


def test_the_first_download_signs_in_first_where_somebody_sits(
    server: Scripted, run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signed_in: SignIn
) -> None:
    signed: list[str] = []

    def sign_in(origin: str) -> None:
        signed.append(origin)
        signed_in()

    monkeypatch.setattr("marketplace.client.fetching.signing.sign_in", sign_in)
    server.on(f"/v1/grants/{GRANT}/files", Said(body=[listed()]))
    server.on(URL, ranged)
    address = f"{server.origin}/v1/grants/{GRANT}"
    run("get", address, "--to", tmp_path, code=3)
    assert signed == []
    monkeypatch.setattr("marketplace.client.fetching.is_interactive", lambda: True)
    run("get", address, "--to", tmp_path)
    run("get", address, "--to", tmp_path)
    assert signed == [server.origin]
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_bar_is_drawn_for_a_terminal(
    server: Scripted, exchange: Exchange, run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on(URL, ranged)
    monkeypatch.setattr("marketplace.client.fetching.is_watched", lambda: True)
    _out, said = run("get", GRANT, "--to", tmp_path)
    assert NAME in said
