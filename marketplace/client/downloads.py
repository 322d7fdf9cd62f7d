"""Fetching a file: it goes on where it broke, and gets its name when its checksum is right."""

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from marketplace.client import elsewhere, pauses
from marketplace.client.exchange import Exchange
from marketplace.client.files import CHUNK_BYTES, Part, disk_full, safe_name, sha256_of, written
from marketplace.client.troubles import Trouble, Unreachable, WrongBytes
from marketplace.client.wire import PASSING, json_of, not_an_exchange
from marketplace.client.wording import say

FRUITLESS_MAX = 5
"""So many connections in a row may break without a byte."""

PAUSE_SECONDS_MAX = 30
Report = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file of a grant as the exchange lists it, and where it is to lie."""

    name: str
    url: str
    sha256: str
    size_bytes: int
    target: Path


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is there, right; ``fetched_bytes`` is what came now."""

    wanted: Wanted
    fetched_bytes: int
    was_there: bool = False


class _Broke(Exception):
    """A connection that ended before its answer did."""


def placed(listed: list[dict[str, Any]], folder: Path) -> list[Wanted]:
    """Return listed files with their places in a folder; no two of them share one, whatever they are named."""
    taken: set[str] = set()
    return [_placed(one, folder, taken) for one in listed]


def fetch(exchange: Exchange, wanted: Wanted, report: Report, *, overwrite: bool = False) -> Fetched:
    """Have a file lie at its place, whole and right; ``report`` is told how many bytes of it there are.

    Raises Denied, Unreachable, WrongBytes, DiskTrouble, or Trouble where another file lies there.
    """
    if wanted.target.exists() and not _may_replace(wanted, overwrite=overwrite):
        report(wanted.size_bytes)
        return Fetched(wanted, 0, was_there=True)
    with written(wanted.target):
        wanted.target.parent.mkdir(parents=True, exist_ok=True)
    with closing(Part(wanted.target, wanted.sha256)) as part:
        was_continued = part.at > 0
        fetched = _fill(exchange, wanted, part, report)
        if not part.is_right() and was_continued:
            # What lay here was damaged, say by a power cut: bytes that come twice are charged once.
            part.restart()
            fetched += _fill(exchange, wanted, part, report)
        if not part.is_right():
            part.discard()
            raise _wrong(wanted)
        part.finish()
    return Fetched(wanted, fetched)


def _placed(listed: dict[str, Any], folder: Path, taken: set[str]) -> Wanted:
    name, sha256 = safe_name(str(listed["name"])), str(listed["sha256"])
    if name.casefold() in taken:
        name = f"{sha256[:8]}_{name}"
    taken.add(name.casefold())
    return Wanted(str(listed["name"]), str(listed["url"]), sha256, int(listed["size_bytes"]), folder / name)


def _may_replace(wanted: Wanted, *, overwrite: bool) -> bool:
    """Tell whether what lies there is to be fetched anew; raises Trouble where it is somebody's other file."""
    if not wanted.target.is_file():
        raise Trouble(say(f"{wanted.target} はファイルではありません。", f"{wanted.target} is no file."))
    if wanted.target.stat().st_size == wanted.size_bytes and sha256_of(wanted.target) == wanted.sha256:
        return False
    if not overwrite:
        raise Trouble(
            say(f"{wanted.target} には別の内容があります。", f"{wanted.target} is there with other contents."),
            say(
                "--to で別のフォルダを示すか、--overwrite で置き換えてください。",
                "Name another folder with --to, or replace it: --overwrite.",
            ),
        )
    return True


def _fill(exchange: Exchange, wanted: Wanted, part: Part, report: Report) -> int:
    """Have all bytes in a part, over as many connections as it takes; returns how many came."""
    if part.at > wanted.size_bytes:
        part.restart()
    report(part.at)
    if part.at == wanted.size_bytes > 0:
        return 0
    _require_room(wanted, part)
    fetched = fruitless = 0
    while True:
        before = part.at
        try:
            return fetched + _receive(exchange, wanted, part, report)
        except _Broke as broke:
            fetched += max(part.at - before, 0)
            fruitless = 0 if part.at > before else fruitless + 1
            if fruitless >= FRUITLESS_MAX:
                raise _given_up(wanted) from broke
        pauses.pause(min(2**fruitless, PAUSE_SECONDS_MAX))


def _receive(exchange: Exchange, wanted: Wanted, part: Part, report: Report) -> int:
    """Take what one connection brings; returns how many bytes came when the file is complete. Raises _Broke."""
    with closing(_asked(exchange, wanted, part)) as response:
        before = part.at
        try:
            # Whatever has come, not full chunks: what a broken connection brought last is not lost.
            while piece := response.raw.read1(CHUNK_BYTES, decode_content=False):
                part.write(piece[: wanted.size_bytes - part.at + 1])
                report(min(part.at, wanted.size_bytes))
                if part.at > wanted.size_bytes:
                    break
        except HTTPError as error:
            raise _Broke from error
    if part.at < wanted.size_bytes:
        raise _Broke
    return part.at - before


def _asked(exchange: Exchange, wanted: Wanted, part: Part) -> requests.Response:
    """Return the answer that goes on where the part ends (RFC 9110 sections 13.1.5 and 14.2)."""
    condition = {"Range": f"bytes={part.at}-", "If-Range": f'"{wanted.sha256}"'} if part.at else {}
    response = exchange.ask("GET", wanted.url, headers=condition, stream=True, led=True)
    try:
        if not response.is_redirect:
            _check(response, wanted, part)
            return response
        with response:
            response = _led(response)
        _check_extent(response, wanted, part)
    except BaseException:
        response.close()
        raise
    return response


def _led(redirect: requests.Response) -> requests.Response:
    """Return the answer of whoever sends the bytes for the exchange; what it refuses may go well at a new address."""
    try:
        response = elsewhere.follow(redirect)
    except PASSING as error:
        raise _Broke from error
    if response.status_code >= 400:
        response.close()
        raise _Broke
    return response


def _check(response: requests.Response, wanted: Wanted, part: Part) -> None:
    if response.status_code >= 400:
        json_of(response)
    if response.headers.get("ETag", "").removeprefix("W/") not in {"", f'"{wanted.sha256}"'}:
        raise _wrong(wanted)
    _check_extent(response, wanted, part)


def _check_extent(response: requests.Response, wanted: Wanted, part: Part) -> None:
    if response.status_code == 206:
        if response.headers.get("Content-Range") != f"bytes {part.at}-{wanted.size_bytes - 1}/{wanted.size_bytes}":
            raise _wrong(wanted)
    elif response.status_code == 200:
        part.restart()
    else:
        raise not_an_exchange(wanted.url)


def _require_room(wanted: Wanted, part: Part) -> None:
    missing = wanted.size_bytes - part.at
    with written(part.path):
        free = shutil.disk_usage(part.path.parent).free
    if free < missing:
        raise disk_full(part.path, missing - free)


def _wrong(wanted: Wanted) -> WrongBytes:
    return WrongBytes(
        say(
            f"{wanted.target.name}: 届いた内容が約束のもの（SHA-256 {wanted.sha256}）と違います。",
            f"{wanted.target.name}: what came is not what was promised (SHA-256 {wanted.sha256}).",
        ),
        say(
            "もう一度実行してください。同じバイトは二度課金されません。続く場合は提供者か運営者に伝えてください。",
            "Run the command again: no byte is charged twice. If it stays so, tell the provider or the operator.",
        ),
    )


def _given_up(wanted: Wanted) -> Unreachable:
    return Unreachable(
        say(
            f"{wanted.target.name}: 接続が何度も切れました。",
            f"{wanted.target.name}: the connection broke again and again.",
        ),
        say(
            "同じコマンドを実行すると、続きから取得します。",
            "Run the same command again: it goes on where it stopped.",
        ),
    )
