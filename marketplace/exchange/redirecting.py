"""Redirecting: buyers fetch for seconds from where a file lies, and the bucket's log or its provider tells how much."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import NamedTuple

from marketplace.access.rules import Entitlement
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.delivery import access_log
from marketplace.delivery.conditional import Decision
from marketplace.exchange import facilities, origins, spending
from marketplace.exchange.errors import RedirectNeeded
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.metering import edge
from marketplace.metering import queries as usage
from marketplace.metering.edge import Noted, Request
from marketplace.metering.states import Meter

REDIRECT = "musubi-redirect"
"""The header field by which a client that follows no redirects says so: ``no``."""
_RANGE = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})", re.ASCII)
# The bucket's own entity tags and dates are others than ours: such requests are answered by us.
_CONDITIONS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"})


class Sent(NamedTuple):
    """A delivery that is held, and the header fields that send the buyer to where it is carried out."""

    delivery_id: str
    headers: dict[str, str]


def elsewhere(actor: Actor, entitled: Entitlement, headers: Mapping[str, str], decision: Decision) -> Sent | None:
    """Send the buyer to the bucket or to the provider, with the delivery held; None where we send the bytes.

    Of what we hold we send them ourselves unless the settings say otherwise, for requests that the bucket would not
    answer as we do, and under grants that limit how many streams run at once, since nobody tells us when one of the
    bucket's ends. The range asked for is signed, so that the address opens no other bytes. To be called in the
    transaction of the grant check. Raises QuotaExhausted, BudgetExhausted
    and RedirectNeeded.
    """
    if entitled.origin_url is not None:
        return _to_origin(actor, entitled, {name.lower(): value for name, value in headers.items()}, decision)
    links, asked = facilities.current().links, {name.lower(): value for name, value in headers.items()}
    if links is None or is_sent_by_us(entitled, headers):
        return None
    opened = spending.open_delivery(entitled, decision.start, decision.length, actor.client_id)
    edge.entrust(opened.id)
    told = {
        "response-content-type": decision.headers["Content-Type"],
        "response-content-disposition": decision.headers["Content-Disposition"],
        "response-cache-control": decision.headers["Cache-Control"],
        access_log.DELIVERY: opened.id,
    }
    signed = {"Range": asked["range"]} if "range" in asked else {}
    return _sent(opened.id, links.to(entitled.sha256, told, signed, clock.now()), decision)


def is_sent_by_us(entitled: Entitlement, headers: Mapping[str, str]) -> bool:
    """Whether the bytes that a request asks for pass the exchange, wherever they lie."""
    if entitled.origin_url is not None:
        return False
    asked = {name.lower(): value for name, value in headers.items()}
    if facilities.current().links is None or not _is_plain(asked):
        return True
    return usage.get_quota(entitled.grant_id).limit_streams is not None


def _to_origin(actor: Actor, entitled: Entitlement, asked: Mapping[str, str], decision: Decision) -> Sent:
    """Send the buyer to the provider; conditions were judged here, and the origin judges none of them again.

    Of several ranges at once it would send other bytes than we: it is to send all, which RFC 9110 section 14.2 allows.
    """
    if asked.get(REDIRECT) == "no":
        raise RedirectNeeded
    is_part = decision.status == HTTPStatus.PARTIAL_CONTENT and bool(_RANGE.fullmatch(asked["range"]))
    start, length = (decision.start, decision.length) if is_part else (0, entitled.size_bytes)
    opened = spending.open_delivery(entitled, start, length, actor.client_id)
    edge.entrust(opened.id, Meter.ORIGIN)
    return _sent(opened.id, origins.address(entitled, opened.id, start if is_part else None, length), decision)


def _sent(delivery_id: str, location: str, decision: Decision) -> Sent:
    kept = {name: decision.headers[name] for name in ("Cache-Control", "Vary")}
    return Sent(delivery_id, {"Location": location} | kept)


def _is_plain(asked: Mapping[str, str]) -> bool:
    if asked.get(REDIRECT) == "no" or asked.keys() & _CONDITIONS:
        return False
    return "range" not in asked or bool(_RANGE.fullmatch(asked["range"]))


def import_log(lines: Iterable[bytes]) -> Counter[Noted]:
    """Take the lines of a bucket's access log, each in a transaction of its own; return what became of them.

    The order of lines and files does not matter, and a file may be taken twice. Each line stands by itself: whoever
    breaks off goes on by beginning again.
    """
    counts: Counter[Noted] = Counter()
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line)
        fetch = access_log.read(line.decode(errors="replace").rstrip("\r\n"))
        if fetch is not None:
            counts[_note(fetch)] += 1
    with transaction():
        figures = {noted.value: counts[noted] for noted in Noted}
        audit.record(SYSTEM, Verb.EDGE_LOG_IMPORTED, subject=digest.hexdigest(), facts=figures)
    return counts


def _note(fetch: access_log.Fetch) -> Noted:
    with transaction():
        noted = edge.note(
            Request(fetch.request_id, fetch.delivery_id, fetch.sha256, fetch.status, fetch.bytes_sent, fetch.at)
        )
        if noted is Noted.NEW:
            spending.count_ended(*usage.holder_of(fetch.delivery_id))
        return noted
