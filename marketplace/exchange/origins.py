"""Origins: files that stay with their provider, fetched there under a permit of ours, counted by its reports."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from marketplace.access.rules import Entitlement
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import rules
from marketplace.catalog import service as catalog
from marketplace.catalog.models import File
from marketplace.exchange import gate, spending
from marketplace.exchange.errors import ReportContradicted
from marketplace.identity.actors import Actor
from marketplace.identity.oauth import statements
from marketplace.kit import clock, outbound, settings
from marketplace.kit.canonical import digest_of
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.outbound import OutboundRefused
from marketplace.kit.transaction import transaction
from marketplace.metering import edge, queries
from marketplace.metering.edge import Noted, Report
from marketplace.metering.models import Delivery
from marketplace.privacy import service as privacy

MEDIA_TYPE = "musubi-permit+jwt"
PERMIT = "permit"
BEGIN_WITHIN = timedelta(seconds=60)
"""So long a permit opens its bytes; what has begun by then runs to its end."""


@dataclass(frozen=True, slots=True)
class OriginDraft:
    """What a provider says of a file that stays with it: where it lies, and what it holds."""

    url: str
    sha256: str
    size_bytes: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Reported:
    """A delivery after a report, and what became of that."""

    delivery: Delivery
    report_id: str
    noted: Noted


def declare(actor: Actor, release_id: str, name: str, draft: OriginDraft) -> File:
    """Enter a file of a draft release that its provider will send itself; nothing is fetched from there, ever.

    Opens its own transactions, since the name of the origin is asked between them. Raises what
    ``catalog.expect_file`` and ``declare_file`` raise, MyNumberFound, and Invalid for an address that no buyer should
    be sent to.
    """
    with transaction():
        catalog.expect_file(actor, release_id, name, draft.media_type)
        privacy.refuse_blocked(draft.sha256)
    _check(draft.url)
    with transaction():
        file = catalog.declare_file(
            actor, release_id, name, draft.media_type, draft.sha256, draft.size_bytes, draft.url
        )
        gate.keep_unseen(file.id)
        return file


def _check(url: str) -> None:
    try:
        parts = outbound.require_public(url)
    except OutboundRefused as refused:
        raise _refused(str(refused)) from refused
    if len(url) > rules.URL_LENGTH_MAX:
        raise _refused(f"must have at most {rules.URL_LENGTH_MAX:,} characters")
    # A permit names the path, so that must say all. Browsers resolve dots, and would ask for another one.
    if parts.query or "?" in url or not parts.path.strip("/"):
        raise _refused("it must name the file by its path, without a query")
    if {".", ".."} & set(unquote(parts.path).split("/")) or parts.path != quote(parts.path, safe="/%:@!$&'()*+,;=-._~"):
        raise _refused("its path must be percent-encoded, without dots for folders")


def _refused(why: str) -> Invalid:
    return Invalid(errors=[{"pointer": "/url", "detail": why}])


def address(entitled: Entitlement, delivery_id: str, start: int | None, length: int) -> str:
    """Return where a buyer fetches a delivery's bytes, with the permit (RFC 7519 claims); ``start`` None for all.

    It opens these bytes of this path at this origin, to whoever has it. The audience keeps one origin from using it
    at another, the type from being taken for a token (RFC 8725 sections 3.9 and 3.11).
    """
    url, now = str(entitled.origin_url), clock.now()
    parts = urlsplit(url)
    claims: dict[str, Any] = {
        "iss": settings.current().base_url,
        "aud": f"https://{parts.netloc.lower().removesuffix(':443')}",
        "jti": delivery_id,
        "iat": int(now.timestamp()),
        "exp": int((now + BEGIN_WITHIN).timestamp()),
        "grant_id": entitled.grant_id,
        "sha256": entitled.sha256,
        "size_bytes": entitled.size_bytes,
        "path": parts.path,
        "range": None if start is None else {"start_byte": start, "length": length},
    }
    return f"{url}?{PERMIT}={statements.sign(MEDIA_TYPE, claims).text}"


def take_report(actor: Actor, delivery_id: str, report_id: str, bytes_sent: int, *, complete: bool) -> Reported:
    """Take what a provider's server sent of a delivery of its own, and end that with the first report of it.

    To be called in a transaction. Raises NotFound to all but its provider and for what was not left to it, and
    ReportContradicted.
    """
    queries.get_delivery(actor, delivery_id)
    said = {"delivery_id": delivery_id, "report_id": report_id, "bytes_sent": str(bytes_sent), "complete": complete}
    sha256 = digest_of(said)
    noted = edge.settle(Report(report_id, delivery_id, actor.organization_id, bytes_sent, complete, sha256))
    if noted is Noted.FOREIGN:
        raise NotFound
    if noted is Noted.CONTRADICTED:
        raise ReportContradicted
    if noted is Noted.NEW:
        spending.count_ended(*queries.holder_of(delivery_id))
    delivery = queries.get_delivery(actor, delivery_id)
    if noted is not Noted.KNOWN:
        facts = said | {"report_sha256": sha256, "noted": noted.value}
        del facts["delivery_id"]
        audit.record(
            actor,
            Verb.DELIVERY_REPORTED,
            subject=delivery_id,
            counterparty=delivery.organization_id,
            dataset=delivery.dataset_id,
            facts=facts,
        )
    return Reported(delivery, report_id, noted)
