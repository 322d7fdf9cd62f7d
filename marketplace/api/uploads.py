"""Request bodies of any size, read piece by piece."""

import base64
import binascii
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask import current_app, request

from marketplace.api import limits
from marketplace.kit import settings
from marketplace.kit.errors import Invalid, Refusal, Unavailable

CHUNK_BYTES = 2**20
EXTENSION = "marketplace.uploads"
SHA256_BYTES = 32
DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):(?:;.*)?", re.ASCII)


class UploadBroken(Refusal):
    """The connection ended before the body did."""

    slug, status = "upload-broken", 400
    title, title_ja = "Upload broken off", "アップロードが中断されました"
    cause = "The connection ended before all announced bytes had arrived; nothing was kept."
    cure = "Send the whole file again."
    cause_ja = "予告されたバイトがすべて届く前に接続が切れました。何も保存されていません。"
    cure_ja = "ファイル全体をもう一度送ってください。"


class LengthRequired(Refusal):
    """The body comes in chunks, through a server that cannot tell where it ends."""

    slug, status = "length-required", 411
    title, title_ja = "Length required", "長さの宣言が必要です"
    cause = "The file comes in chunks, and the server under this exchange reads only bodies whose length is announced."
    cure = "Send the file again with Content-Length."
    cause_ja = (
        "ファイルが分割して送られましたが、この取引所を動かすサーバーは、長さの宣言された本文だけを読み取れます。"
    )
    cure_ja = "Content-Length を付けて、もう一度ファイルを送ってください。"


class UploadsBusy(Unavailable):
    """As many uploads as the server takes at once are under way."""

    slug = "uploads-busy"
    title, title_ja = "Too many uploads at once", "アップロードが混み合っています"
    cause = "Uploads hold half of the server's threads already; the others are kept for everybody else."
    cure = "Send the file again after the seconds in Retry-After."
    cause_ja = "サーバーのスレッドの半分がアップロードに使われています。残りは他の利用者のために空けてあります。"
    cure_ja = "Retry-After の秒数が過ぎてから、もう一度ファイルを送ってください。"


@contextmanager
def place() -> Iterator[None]:
    """Hold one of the places for uploads: a slow one holds a thread, and must not take them all. Raises UploadsBusy."""
    places = current_app.extensions.setdefault(
        EXTENSION, threading.BoundedSemaphore(max(1, settings.current().threads // 2))
    )
    if not places.acquire(blocking=False):
        raise UploadsBusy
    try:
        yield
    finally:
        places.release()


def chunks() -> Iterator[bytes]:
    """Yield the body as it arrives; raises UploadBroken when the sender vanishes, and LengthRequired."""
    if request.headers.get("Transfer-Encoding") and not request.environ.get("wsgi.input_terminated"):
        raise LengthRequired  # Werkzeug would read such a body as an empty one, and an empty file would be kept
    limits.any_size()
    while True:
        try:
            piece = request.stream.read(CHUNK_BYTES)
        except OSError as error:
            raise UploadBroken from error
        if not piece:
            return
        yield piece


def announced_sha256(names: Sequence[str] = ("Content-Digest", "Repr-Digest")) -> str | None:
    """Return the SHA-256 in hex that one of these fields announces (RFC 9530), or None.

    Other algorithms are left aside. A SHA-256 that cannot be read is refused with Invalid: whoever sent it
    relies on its being compared.
    """
    for field in names:
        for member in request.headers.get(field, "").split(","):
            if member.strip().lower().startswith("sha-256"):
                return _sha256_of(member.strip(), field)
    return None


def _sha256_of(member: str, field: str) -> str:
    found = DIGEST.fullmatch(member)
    try:
        digest = base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error:
        digest = b""
    if len(digest) != SHA256_BYTES:
        raise Invalid(errors=[{"pointer": f"/{field}", "detail": "sha-256=:<base64 of 32 bytes>: is needed"}])
    return digest.hex()
