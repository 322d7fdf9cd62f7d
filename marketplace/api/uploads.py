"""Request bodies of any size, read piece by piece."""

import base64
import binascii
import re
from collections.abc import Iterator

from flask import request

from marketplace.kit.errors import Invalid, Refusal

CHUNK_BYTES = 2**18
DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):\s*(?:,|$)")


class UploadBroken(Refusal):
    """The connection ended before the body did."""

    slug, status = "upload-broken", 400
    title, title_ja = "Upload broken off", "アップロードが中断されました"
    cause = "The connection ended before all announced bytes had arrived; nothing was kept."
    cure = "Send the whole file again."


def chunks() -> Iterator[bytes]:
    """Yield the body as it arrives; raises UploadBroken when the sender vanishes."""
    while True:
        try:
            piece = request.stream.read(CHUNK_BYTES)
        except OSError as error:
            raise UploadBroken from error
        if not piece:
            return
        yield piece


def announced_sha256() -> str | None:
    """Return the SHA-256 in hex that Content-Digest or Repr-Digest announces (RFC 9530), or None."""
    field = request.headers.get("Content-Digest") or request.headers.get("Repr-Digest")
    found = DIGEST.search(field) if field else None
    if found is None:
        return None
    try:
        digest = base64.b64decode(found[1], validate=True)
    except binascii.Error as error:
        raise _bad_digest() from error
    if len(digest) != 32:
        raise _bad_digest()
    return digest.hex()


def _bad_digest() -> Invalid:
    return Invalid(errors=[{"pointer": "/Content-Digest", "detail": "sha-256=:<base64 of 32 bytes>: is needed"}])
