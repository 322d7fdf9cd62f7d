"""Deliveries that others carry out, counted by their log: what it says is kept once, and charged at most once."""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import text

from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.metering import service
from marketplace.metering.states import DeliveryState, Meter

_ENTRUST = text("UPDATE delivery SET meter = :meter WHERE id = :id AND state = 'open'")
_LOCK = text("SELECT * FROM delivery WHERE id = :delivery_id AND sha256 = :sha256 AND meter = :meter FOR UPDATE")
_KEEP = text("""
INSERT INTO edge_request (request_id, delivery_id, status, bytes_sent, occurred_at, noted_at)
VALUES (:request_id, :delivery_id, :status, :bytes_sent, :occurred_at, :now)
ON CONFLICT (request_id) DO NOTHING RETURNING request_id
""")
_SAME = text("""
SELECT delivery_id = :delivery_id AND status = :status AND bytes_sent = :bytes_sent AND occurred_at = :occurred_at
  FROM edge_request WHERE request_id = :request_id
""")


class Request(NamedTuple):
    """One request that the log tells of, by the id that the log gave it."""

    request_id: str
    delivery_id: str
    sha256: str
    status: int
    bytes_sent: int
    occurred_at: datetime


class Noted(StrEnum):
    """What became of a request in the log."""

    NEW = "new"
    KNOWN = "known"  # the same line was taken before
    CONTRADICTED = "contradicted"  # another line with its id was taken before, and stands
    FOREIGN = "foreign"  # no delivery of ours was left to a log under that id and content
    LATE = "late"  # its delivery had ended; it is kept and not charged


def entrust(delivery_id: str) -> None:
    """Leave the counting of a delivery that has just been opened to the log of whoever carries it out."""
    db.session.connection().execute(_ENTRUST, {"id": delivery_id, "meter": Meter.EDGE_LOG.value})


def note(request: Request) -> Noted:
    """Keep what the log tells of one request, and end its delivery where nothing more can come.

    The log does not say which bytes they were: they count as the first of the delivery's range, and of several requests
    the longest counts alone, which is never more than arrived. What is not complete waits for the sweep.
    """
    facts: dict[str, Any] = request._asdict() | {"meter": Meter.EDGE_LOG.value, "now": clock.now()}
    connection = db.session.connection()
    delivery = connection.execute(_LOCK, facts).one_or_none()
    if delivery is None:
        return Noted.FOREIGN
    if connection.execute(_KEEP, facts).one_or_none() is None:
        return Noted.KNOWN if connection.execute(_SAME, facts).scalar_one() else Noted.CONTRADICTED
    if delivery.state != DeliveryState.OPEN:
        return Noted.LATE
    service.heartbeat({delivery.id: request.bytes_sent})
    if request.bytes_sent >= delivery.length:
        service.close_delivery(delivery.id, delivery.length, delivery.length, DeliveryState.COMPLETE)
    return Noted.NEW
