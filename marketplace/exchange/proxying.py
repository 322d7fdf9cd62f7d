"""Proxying: from a grant and a path to the answer of the provider's own API, metered like every download.

The answer is a content of its own, named by the SHA-256 of its bytes. The provider is asked between two transactions,
and each checks the grant: what was revoked or used up meanwhile gives nothing.
"""

import hashlib
import logging
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from marketplace.access import queries as access
from marketplace.access.rules import Entitlement
from marketplace.catalog.upstreams import queries as upstreams
from marketplace.catalog.upstreams import rules, service
from marketplace.catalog.upstreams.errors import (
    UpstreamBusy,
    UpstreamFailed,
    UpstreamFoundNothing,
    UpstreamInputRefused,
    UpstreamTimeout,
)
from marketplace.delivery import headers as fields
from marketplace.delivery import http_dates
from marketplace.exchange import download, pacing, spending
from marketplace.identity.actors import Actor
from marketplace.kit import clock, outbound
from marketplace.kit.errors import NotFound
from marketplace.kit.installation_key import Unsealable
from marketplace.kit.outbound import OutboundRefused, OutboundTooLarge, OutboundTooSlow, Streamed
from marketplace.kit.transaction import transaction
from marketplace.metering.windows import Rate

log = logging.getLogger(__name__)
SECONDS_MAX = 20
BYTES_MAX = 32 * 2**20
AT_ONCE_MAX = 6
AT_ONCE_EACH_MAX = 2
"""Requests under way in one server process, in all and for one dataset: a slow provider must not take all places."""

_under_way: Counter[str] = Counter()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Call:
    """What a buyer asks of an upstream; of ``headers`` a declared purpose counts."""

    grant_id: str
    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Proxied:
    """The answer to a call, and what is left of its minute; no rate where nobody was asked."""

    answer: download.Answer
    rate: Rate | None


@dataclass(frozen=True, slots=True)
class _Admitted:
    dataset_id: str
    url: str
    headers: Mapping[str, str]
    rate: Rate | None


@dataclass(frozen=True, slots=True)
class _Taken:
    """What an upstream answered with, in a file without a name: it is gone with the last who reads it."""

    file: BinaryIO
    sha256: str
    size_bytes: int
    media_type: str
    last_modified: datetime | None


def call(actor: Actor, asked: Call) -> Proxied:
    """Check the grant, ask the upstream, and open the metered delivery of its answer.

    HEAD says whether GET would be let in, asks nobody and costs nothing: hash and length of an answer could give a
    short one away. Conditions and ranges are not read for the same reason. Raises what a download raises, RateLimited,
    and ``catalog.upstreams.errors``; nothing is charged or held then.
    """
    with transaction():
        admitted = _admitted(actor, asked)
    if admitted.rate is None:
        return Proxied(download.Answer(200, {"Cache-Control": "private, no-store"}, 0, 0, None, None), None)
    with _place(admitted.dataset_id):
        taken = _taken(admitted)
    try:
        with transaction():
            answer = _answered(actor, asked, taken)
    except BaseException:
        taken.file.close()
        raise
    if answer.file is None:
        taken.file.close()
    return Proxied(answer, admitted.rate)


def _admitted(actor: Actor, asked: Call) -> _Admitted:
    entitled = access.authorize_upstream(actor, asked.grant_id)
    upstream = upstreams.find_upstream(entitled.dataset_id)
    if upstream is None:
        raise NotFound("The dataset of this grant has no API.")
    url = rules.address(upstream.base_url, upstream.paths, upstream.parameters, asked.path, asked.query)
    download.for_purpose(entitled, asked.headers)
    spending.require_left(entitled.organization_id, entitled.grant_id)
    if asked.method == "HEAD":
        return _Admitted(entitled.dataset_id, url, {}, None)
    try:
        headers = {"User-Agent": "musubi", "Accept": "*/*"} | service.opened_headers(upstream)
    except Unsealable as error:
        log.exception("the headers of %s were sealed with another installation key", entitled.dataset_id)
        raise UpstreamFailed("The provider must set up its API anew.") from error
    return _Admitted(entitled.dataset_id, url, headers, pacing.take(entitled.grant_id, upstream.requests_per_minute))


def _answered(actor: Actor, asked: Call, taken: _Taken) -> download.Answer:
    now = access.authorize_upstream(actor, asked.grant_id)
    purpose = {name: value for name, value in asked.headers.items() if name.lower() == download.PURPOSE}
    answer = download.answer(actor, _content(now, asked.path, taken), "GET", purpose, lambda: taken.file, is_rated=True)
    return replace(answer, headers=dict(answer.headers) | {"Accept-Ranges": "none"})


def _content(entitled: Entitlement, path: str, taken: _Taken) -> Entitlement:
    return replace(
        entitled,
        sha256=taken.sha256,
        size_bytes=taken.size_bytes,
        rows=0,
        origin_url=None,
        media_type=taken.media_type,
        file_name=path.rpartition("/")[2],
        published_at=taken.last_modified or clock.now(),
    )


def _taken(admitted: _Admitted) -> _Taken:
    try:
        with outbound.stream(admitted.url, admitted.headers, BYTES_MAX, SECONDS_MAX) as answer:
            _judge(answer.status)
            return _spooled(answer)
    except OutboundTooSlow as slow:
        raise UpstreamTimeout(f"It may take {SECONDS_MAX} seconds.") from slow
    except OutboundTooLarge as large:
        raise UpstreamFailed(f"It answers with more than {BYTES_MAX:,} bytes.") from large
    except OutboundRefused as refused:
        raise UpstreamFailed from refused


def _judge(status: int) -> None:
    """Return for an answer that is passed on; of any other the status alone is told, since the body may say too much.

    A redirect is an answer like any other that is not passed on: it would lead where nobody has looked.
    """
    if status == 200:
        return
    if status in {404, 410}:
        raise UpstreamFoundNothing(upstream_status=status)
    if status in {400, 422}:
        raise UpstreamInputRefused(upstream_status=status)
    raise UpstreamFailed(f"It answers with the status {status}.", upstream_status=status)


def _spooled(answer: Streamed) -> _Taken:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it when the body has gone out
    try:
        digest, size_bytes = hashlib.sha256(), 0
        for piece in answer.chunks:
            digest.update(piece)
            size_bytes += file.write(piece)
        file.flush()
    except BaseException:
        file.close()
        raise
    media_type = answer.headers.get("Content-Type", fields.OPAQUE)
    last_modified = http_dates.parse(answer.headers.get("Last-Modified"))
    return _Taken(file, digest.hexdigest(), size_bytes, media_type, last_modified)


@contextmanager
def _place(dataset_id: str) -> Iterator[None]:
    """Take a place for a request; raises UpstreamBusy at once where none is free, for waiting holds a thread."""
    with _lock:
        if _under_way.total() >= AT_ONCE_MAX or _under_way[dataset_id] >= AT_ONCE_EACH_MAX:
            raise UpstreamBusy
        _under_way[dataset_id] += 1
    try:
        yield
    finally:
        with _lock:
            _under_way[dataset_id] -= 1
            if not _under_way[dataset_id]:
                del _under_way[dataset_id]
