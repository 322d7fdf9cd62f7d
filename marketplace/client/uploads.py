"""Sending a file to a draft release in pieces: it goes on where it broke, and is there when its checksum is right."""

import base64
import hashlib
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from marketplace.client import pauses
from marketplace.client.downloads import FRUITLESS_MAX, PAUSE_SECONDS_MAX
from marketplace.client.exchange import Exchange, part
from marketplace.client.files import sha256_of
from marketplace.client.keeping import troubled
from marketplace.client.troubles import Trouble, Unreachable, WrongBytes
from marketplace.client.wire import json_of, not_an_exchange
from marketplace.client.wording import plain, say

PIECE_BYTES = 8 * 2**20
TUS = {"Tus-Resumable": "1.0.0"}
ELSEWHERE = {409, 460}
"""Answers after which one asks how far the upload is: another connection was quicker, or the piece was damaged."""

Report = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that is in the release; ``sent_bytes`` is what went now."""

    name: str
    sha256: str
    size_bytes: int
    sent_bytes: int
    was_there: bool = False


def send(exchange: Exchange, release_id: str, name: str, path: Path, there: dict[str, str], report: Report) -> Sent:
    """Have a file be in a draft release under a name; ``there`` is what is, with SHA-256, ``report`` hears how far.

    Raises what the exchange refuses, Unreachable, DiskTrouble, WrongBytes where the file changes meanwhile, or
    Trouble where the release holds another file of that name.
    """
    sha256 = sha256_of(path)
    with troubled(path):
        size_bytes = path.stat().st_size
    if name in there:
        if there[name] != sha256:
            raise _another(name)
        report(size_bytes)
        return Sent(name, sha256, size_bytes, 0, was_there=True)
    upload = _begun(exchange, release_id, name, sha256, size_bytes)
    begun_at = _whole(upload.get("offset_bytes"))
    _fill(exchange, str(upload.get("id")), path, begun_at, size_bytes, report)
    return Sent(name, sha256, size_bytes, size_bytes - begun_at)


def _begun(exchange: Exchange, release_id: str, name: str, sha256: str, size_bytes: int) -> dict[str, Any]:
    """Return the upload that was begun of the same bytes and not ended, or a new one."""
    address = f"/v1/releases/{part(release_id)}/uploads"
    for upload in exchange.walk(address):
        same = (upload.get("name"), upload.get("sha256"), upload.get("size_bytes")) == (name, sha256, size_bytes)
        if same and upload.get("file_id") is None:
            return upload
    said = {"filename": name, "filetype": _type_of(name), "sha256": sha256}
    told = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
    headers = TUS | {"Upload-Length": str(size_bytes), "Upload-Metadata": told}
    made: dict[str, Any] = json_of(exchange.ask("POST", address, headers=headers))
    return made


def _fill(exchange: Exchange, upload_id: str, path: Path, at: int, size_bytes: int, report: Report) -> None:
    fruitless = 0
    report(at)
    with troubled(path), path.open("rb") as file:
        while at < size_bytes:
            reached = _piece_sent(exchange, upload_id, file, at)
            fruitless = 0 if reached > at else fruitless + 1
            if fruitless >= FRUITLESS_MAX:
                raise _broke_too_often(path)
            if fruitless:
                pauses.pause(min(2**fruitless, PAUSE_SECONDS_MAX))
            at = reached
            report(at)
        if file.read(1):
            raise _changed(path)


def _piece_sent(exchange: Exchange, upload_id: str, file: Any, at: int) -> int:
    """Send one piece, and return how far the upload is then, whatever became of the piece."""
    file.seek(at)
    piece = file.read(PIECE_BYTES)
    if not piece:
        raise _changed(Path(file.name))
    digest = base64.b64encode(hashlib.sha256(piece).digest()).decode()
    headers = TUS | {
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": str(at),
        "Upload-Checksum": f"sha256 {digest}",
    }
    response = exchange.ask("PATCH", _address(upload_id), data=piece, headers=headers)
    if response.status_code in ELSEWHERE:
        return _reached(exchange, upload_id, response)
    if response.status_code != 204:
        json_of(response)
    return _whole(response.headers.get("Upload-Offset"))


def _reached(exchange: Exchange, upload_id: str, refused: requests.Response) -> int:
    """Return how far an upload is; raises the refusal where that is no matter of the offset."""
    if refused.status_code == 409 and "upload-offset-wrong" not in refused.text:
        json_of(refused)
    return _whole(exchange.read(_address(upload_id)).get("offset_bytes"))


def _address(upload_id: str) -> str:
    return f"/v1/uploads/{part(upload_id)}"


def _whole(said: Any) -> int:
    text = str(said)
    if not (text.isascii() and text.isdecimal()):
        raise not_an_exchange("/v1/uploads")
    return int(text)


def _type_of(name: str) -> str:
    return mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"


def _another(name: str) -> Trouble:
    told = plain(name)
    return Trouble(
        say(f"版には別の内容の {told} があります。", f"The release holds another file named {told}."),
        say(
            "名前を変えるか、--release で新しい版を作ってください。",
            "Rename it, or begin another release with --release.",
        ),
    )


def _changed(path: Path) -> WrongBytes:
    name = plain(path.name)
    return WrongBytes(
        say(f"{name} は送信中に変わりました。", f"{name} changed while it was sent."),
        say("変わらなくなってから、同じコマンドを実行してください。", "Run the same command again once it rests."),
    )


def _broke_too_often(path: Path) -> Unreachable:
    name = plain(path.name)
    return Unreachable(
        say(f"{name} の送信が進みません。", f"Sending {name} comes no further."),
        say("同じコマンドを実行すると続きから送ります。", "Run the same command again: it goes on."),
    )
