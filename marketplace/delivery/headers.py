"""The header fields of a delivered file: whole, in part, unchanged or refused. Pure."""

import base64
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from marketplace.delivery import http_dates
from marketplace.delivery.ranges import Span

OPAQUE = "application/octet-stream"
NAME_BYTES_MAX = 200
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - RFC 9110's word for a word
_MEDIA_TYPE = re.compile(rf'{_TOKEN}/{_TOKEN}(?:[ \t]*;[ \t]*{_TOKEN}=(?:{_TOKEN}|"[\x20\x21\x23-\x5b\x5d-\x7e]*"))*')
_DEVICES = re.compile(r"(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)")
_UNSAFE = frozenset('/\\:*?"<>|')


@dataclass(frozen=True, slots=True)
class Representation:
    """One file as the wire sees it; its strong entity tag is its SHA-256."""

    sha256: str
    size_bytes: int
    last_modified: datetime
    media_type: str
    file_name: str

    @property
    def modified_at(self) -> datetime:
        """When it was last modified, to the second: all that a header field can say."""
        return self.last_modified.astimezone(UTC).replace(microsecond=0)


def whole(file: Representation) -> dict[str, str]:
    """Return the fields of a 200."""
    return {**_described(file), "Content-Length": str(file.size_bytes)}


def partial(file: Representation, span: Span) -> dict[str, str]:
    """Return the fields of a 206 (RFC 9110 section 15.3.7)."""
    return {
        **_described(file),
        "Content-Range": f"bytes {span.start}-{span.end - 1}/{file.size_bytes}",
        "Content-Length": str(span.length),
    }


def unchanged(file: Representation) -> dict[str, str]:
    """Return the fields of a 304: those a cache updates, no more (section 15.4.5)."""
    return {**_guarded(), "ETag": f'"{file.sha256}"', "Last-Modified": http_dates.write(file.last_modified)}


def without_body(file: Representation) -> dict[str, str]:
    """Return the fields of a 412."""
    return {**unchanged(file), "Content-Length": "0"}


def beyond(file: Representation) -> dict[str, str]:
    """Return the fields of a 416, which tell the size there is (section 15.5.17)."""
    return {**without_body(file), "Content-Range": f"bytes */{file.size_bytes}", "Accept-Ranges": "bytes"}


def _guarded() -> dict[str, str]:
    # Paid bytes: no cache may keep them, no browser may run them.
    return {
        "Cache-Control": "private, no-store",
        "Vary": "Authorization",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }


def _described(file: Representation) -> dict[str, str]:
    return {
        **unchanged(file),
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode()}:",
        "Accept-Ranges": "bytes",
        "Content-Type": file.media_type if _MEDIA_TYPE.fullmatch(file.media_type) else OPAQUE,
        "Content-Disposition": disposition(file.file_name),
    }


def disposition(name: str) -> str:
    """Return ``attachment`` with the name in both forms (RFC 6266 section 4.3, RFC 8187)."""
    safe = safe_name(name)
    plain = "".join(sign if sign.isascii() and sign != "%" else "_" for sign in safe)
    extended = quote(safe, safe="!#$&+-.^_`|~")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{extended}"


def safe_name(name: str) -> str:
    """Return a name that is harmless on every file system, with its ending kept where it is short."""
    tidy = "".join("_" if _is_unsafe(sign) else sign for sign in unicodedata.normalize("NFC", name))
    tidy = tidy.lstrip(". ").rstrip(". ")
    if _DEVICES.match(tidy):
        tidy = f"_{tidy}"
    return _shorten(tidy) or "download"


def _is_unsafe(sign: str) -> bool:
    # Control, format (bidirectional overrides among them), surrogate, and line or paragraph separators.
    return sign in _UNSAFE or unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _shorten(name: str) -> str:
    if len(name.encode()) <= NAME_BYTES_MAX:
        return name
    stem, dot, ending = name.rpartition(".")
    tail = (dot + ending) if stem and len(ending.encode()) <= 16 else ""
    return name.encode()[: NAME_BYTES_MAX - len(tail.encode())].decode(errors="ignore") + tail


def rate_limit(limit: int, left: int, seconds: int, window_seconds: int) -> dict[str, str]:
    """Return the fields that tell of a grant's window (draft-ietf-httpapi-ratelimit-headers-10 sections 3 and 4)."""
    return {
        "RateLimit-Policy": f'"grant";q={limit};w={window_seconds}',
        "RateLimit": f'"grant";r={left};t={seconds}',
    }
