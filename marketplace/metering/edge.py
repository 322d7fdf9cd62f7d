"""Deliveries that others carry out: what a log or a report says of one is kept once, and charged at most once."""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Row, text

from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.metering import service
from marketplace.metering.states import DeliveryState, Meter

_ENTRUST = text("UPDATE delivery SET meter = :meter WHERE id = :id AND state = 'open'")
_LOCK = text("""
SELECT * FROM delivery
 WHERE id = :delivery_id AND meter = :meter
   AND sha256 = coalesce(:sha256, sha256) AND provider_organization_id = coalesce(:provider, provider_organization_id)
   FOR UPDATE
""")
_KEEP = text("""
INSERT INTO edge_request (request_id, delivery_id, status, bytes_sent, occurred_at, noted_at, report_sha256)
VALUES (:request_id, :delivery_id, :status, :bytes_sent, :occurred_at, :now, :report_sha256)
ON CONFLICT (request_id) DO NOTHING RETURNING request_id
""")
# A report has no instant of its own: what it says is in its hash.
_SAME = text("""
SELECT delivery_id = :delivery_id AND status = :status AND bytes_sent = :bytes_sent
   AND report_sha256 IS NOT DISTINCT FROM :report_sha256
   AND (report_sha256 IS NOT NULL OR occurred_at = :occurred_at)
  FROM edge_request WHERE request_id = :request_id
""")
SENT, BROKEN_OFF = 200, 206


class Request(NamedTuple):
    """One request that the log tells of, by the id that the log gave it."""

    request_id: str
    delivery_id: str
    sha256: str
    status: int
    bytes_sent: int
    occurred_at: datetime


class Report(NamedTuple):
    """What a provider says that its server sent of a delivery, by an id of the provider's."""

    report_id: str
    delivery_id: str
    provider_organization_id: str
    bytes_sent: int
    complete: bool
    report_sha256: str


class Noted(StrEnum):
    """What became of a request in the log, or of a report."""

    NEW = "new"
    KNOWN = "known"  # the same was taken before
    CONTRADICTED = "contradicted"  # another with its id was taken before, and stands
    FOREIGN = "foreign"  # no delivery of ours was left to a log or a report under that id, content and provider
    LATE = "late"  # its delivery had ended; it is kept and not charged


def entrust(delivery_id: str, meter: Meter = Meter.EDGE_LOG) -> None:
    """Leave the counting of a delivery that has just been opened to whoever carries it out."""
    db.session.connection().execute(_ENTRUST, {"id": delivery_id, "meter": meter.value})


def note(request: Request) -> Noted:
    """Keep what the log tells of one request, and end its delivery where nothing more can come.

    The log does not say which bytes they were: they count as the first of the delivery's range, and of several requests
    the longest counts alone, which is never more than arrived. What is not complete waits for the sweep.
    """
    noted, delivery = _take(request._asdict() | {"meter": Meter.EDGE_LOG.value})
    if noted is Noted.NEW and delivery is not None:
        service.heartbeat({delivery.id: request.bytes_sent})
        if request.bytes_sent >= delivery.length:
            service.close_delivery(delivery.id, delivery.length, delivery.length, DeliveryState.COMPLETE)
    return noted


def settle(report: Report) -> Noted:
    """Keep what a provider reports, and end its delivery with it: the first report counts, whatever others say.

    Counted are the first bytes of the delivery's range, no more than it holds, and where the report itself says that
    not all was sent, at least one less.
    """
    status = SENT if report.complete else BROKEN_OFF
    facts = {"request_id": f"{report.delivery_id} {report.report_id}", "status": status}
    said = {"bytes_sent": report.bytes_sent, "occurred_at": clock.now(), "report_sha256": report.report_sha256}
    about = {"delivery_id": report.delivery_id, "provider": report.provider_organization_id}
    noted, delivery = _take(facts | said | about | {"meter": Meter.ORIGIN.value})
    if noted is Noted.NEW and delivery is not None:
        sent = min(report.bytes_sent, delivery.length if report.complete else delivery.length - 1)
        service.close_delivery(delivery.id, sent, sent, DeliveryState.COMPLETE)
    return noted


def _take(facts: dict[str, Any]) -> tuple[Noted, Row[Any] | None]:
    """Keep what is told of a delivery, and return what that is to it, with the delivery as it is, locked."""
    facts = {"sha256": None, "provider": None, "report_sha256": None, "now": clock.now()} | facts
    connection = db.session.connection()
    delivery = connection.execute(_LOCK, facts).one_or_none()
    if delivery is None:
        return Noted.FOREIGN, None
    if connection.execute(_KEEP, facts).one_or_none() is None:
        is_same = connection.execute(_SAME, facts).scalar_one()
        return (Noted.KNOWN if is_same else Noted.CONTRADICTED), delivery
    return (Noted.NEW if delivery.state == DeliveryState.OPEN else Noted.LATE), delivery
