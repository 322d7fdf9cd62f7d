"""What of an upstream may be offered, and what a request becomes there: pure functions."""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from marketplace.catalog.upstreams.errors import PathNotOffered
from marketplace.kit import outbound
from marketplace.kit.errors import Invalid
from marketplace.kit.outbound import OutboundRefused

URL_LENGTH_MAX = 4000
PATHS_MAX = 100
PARAMETERS_MAX = 100
HEADERS_MAX = 10
HEADER_LENGTH_MAX = 4000
OPENAPI_BYTES_MAX = 512 * 1024
REQUESTS_PER_MINUTE_MAX = 10_000

_WORD = r"(?!\.+(?:/|$))[A-Za-z0-9_.~-]+"
_TEMPLATE = re.compile(rf"(?:/(?:{_WORD}|\{{[A-Za-z0-9_]+\}}))*(?:/(?:{_WORD}|\{{[A-Za-z0-9_]+\}}|\*))")
_PARAMETER = re.compile(r"[A-Za-z0-9_.:$\[\]-]{1,100}", re.ASCII)
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}", re.ASCII)
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", re.ASCII)
# What frames the message, belongs to one connection (RFC 9110 section 7.6.1), or is ours to say.
_OURS = frozenset({
    "accept-encoding", "connection", "content-length", "content-type", "cookie", "expect", "host", "keep-alive",
    "proxy-authorization", "proxy-connection", "range", "te", "trailer", "transfer-encoding", "upgrade", "via",
})  # fmt: skip
# What some server takes for a separator, a parameter of the path, or another encoding within the encoding.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f/\\%;?#\ufffd]")


@dataclass(frozen=True, slots=True)
class UpstreamDraft:
    """What a provider offers of its interface; ``headers`` are those that go with each request, with their values."""

    base_url: str
    paths: Sequence[str]
    requests_per_minute: int
    parameters: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    openapi: Mapping[str, Any] | None = None


def check_draft(draft: UpstreamDraft) -> None:
    """Return for an upstream that may be asked; raises Invalid, with no value of a header in it."""
    if errors := [{"pointer": pointer, "detail": detail} for pointer, detail in _faults(draft)]:
        raise Invalid(errors=errors)


def written(openapi: Mapping[str, Any] | None) -> str | None:
    """Return a document as the text that is kept; its members stay in their order."""
    return None if openapi is None else json.dumps(openapi, separators=(",", ":"))


def _faults(draft: UpstreamDraft) -> Iterator[tuple[str, str]]:
    yield from _faults_of_base(draft.base_url)
    if not 1 <= draft.requests_per_minute <= REQUESTS_PER_MINUTE_MAX:
        yield "/requests_per_minute", f"must be 1 to {REQUESTS_PER_MINUTE_MAX:,}"
    if not 1 <= len(draft.paths) <= PATHS_MAX:
        yield "/paths", f"must be 1 to {PATHS_MAX}"
    if len(draft.parameters) > PARAMETERS_MAX:
        yield "/parameters", f"must be at most {PARAMETERS_MAX}"
    yield from _faults_of_words(draft)
    yield from _faults_of_headers(draft.headers)
    if len(written(draft.openapi) or "") > OPENAPI_BYTES_MAX:
        yield "/openapi", f"must have at most {OPENAPI_BYTES_MAX:,} bytes"


def _faults_of_base(base_url: str) -> Iterator[tuple[str, str]]:
    try:
        path = outbound.check(base_url).path.rstrip("/")
    except OutboundRefused as refused:
        yield "/base_url", str(refused)
    else:
        if "?" in base_url or (path and not _TEMPLATE.fullmatch(path)) or "*" in path or "{" in path:
            yield "/base_url", "must be a host and a plain path, without a query"


def _faults_of_words(draft: UpstreamDraft) -> Iterator[tuple[str, str]]:
    for at, path in enumerate(draft.paths):
        if len(path) > URL_LENGTH_MAX or not _TEMPLATE.fullmatch(path):
            yield f"/paths/{at}", "must be a path such as /stations/{id}, or /stations/* for all below it"
    for at, name in enumerate(draft.parameters):
        if not _PARAMETER.fullmatch(name) or name == "access_token":
            yield f"/parameters/{at}", "must be the name of a parameter, and not access_token"


def _faults_of_headers(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if len(headers) > HEADERS_MAX:
        yield "/headers", f"must be at most {HEADERS_MAX}"
    for at, (name, value) in enumerate(headers.items()):
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS:
            yield f"/headers/{at}/name", "must be the name of a header field that neither frames nor routes a message"
        if len(value) > HEADER_LENGTH_MAX or not _HEADER_VALUE.fullmatch(value):
            yield f"/headers/{at}/value", "must be one line of printable ASCII"


def address(
    base_url: str,
    paths: Sequence[str],
    parameters: Sequence[str],
    path: str,
    query: Sequence[tuple[str, str]],
) -> str:
    """Return where a request goes: a path that is offered, with parameters that are; raises PathNotOffered or Invalid.

    ``path`` is decoded once, and is encoded anew: what another decoding could turn into something else is refused.
    """
    segments = path.split("/")
    if not all(map(_is_plain, segments)) or not any(_fits(template, segments) for template in paths):
        raise PathNotOffered(paths=list(paths))
    strange = sorted({name for name, _value in query} - set(parameters))[:PARAMETERS_MAX]
    if strange:
        detail = f"is not offered; these are: {', '.join(parameters) or 'none'}"
        raise Invalid(errors=[{"pointer": f"/{_escaped(name)}", "detail": detail} for name in strange])
    there = "/".join(quote(segment, safe="") for segment in segments)
    url = f"{base_url.rstrip('/')}/{there}" + (f"?{urlencode(query)}" if query else "")
    if len(url) > URL_LENGTH_MAX:
        raise Invalid(f"The address at the provider may have at most {URL_LENGTH_MAX} characters.")
    return url


def host_of(base_url: str) -> str:
    """Return the host of an upstream: all of its address that others than its provider learn."""
    return str(urlsplit(base_url).hostname)


def _is_plain(segment: str) -> bool:
    # As it is, and as a server that folds compatible signs would read it: U+FF0E twice is two dots to some.
    forms = {segment, unicodedata.normalize("NFKC", segment)}
    return not any(_UNSAFE.search(form) or not form.strip(" .") for form in forms)


def _fits(template: str, segments: Sequence[str]) -> bool:
    parts = template[1:].split("/")
    if parts[-1] == "*":
        parts.pop()
        if len(segments) <= len(parts):
            return False
    elif len(segments) != len(parts):
        return False
    return all(part.startswith("{") or part == segment for part, segment in zip(parts, segments, strict=False))


def _escaped(name: str) -> str:
    return name[:100].replace("~", "~0").replace("/", "~1")
