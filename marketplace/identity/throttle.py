"""Failures are counted, so that nobody can keep guessing: secrets of clients, passwords and codes of people.

The counts lie in the database, since the server runs several processes and a limit that each process
counts for itself is no limit. Their keys hold a network address wherever a stranger could otherwise shut
somebody else out.
"""

import ipaddress
from datetime import timedelta

from sqlalchemy import case, delete, select
from sqlalchemy.dialects.postgresql import insert

from marketplace.identity.models import FailedAuthentication
from marketplace.kit import clock, jobs
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

WINDOW = timedelta(minutes=10)

_counts = FailedAuthentication.__table__.c


def key_of(*parts: str) -> str:
    """Return the name under which failures are counted: a hash, so that no address is kept in clear."""
    return sha256_hex("\n".join(parts).encode("utf-8", "surrogatepass"))


def network_of(peer: str) -> str:
    """Return what failures from an address are counted for: of IPv6 the first 64 bits, which one household has."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv4Address):
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))


def seconds_left(key: str, failures_max: int) -> int | None:
    """Return for how long nothing more is tried since the window's failures are used up, None while they are not."""
    statement = select(_counts.window_ends_at).where(
        _counts.key == key, _counts.failures >= failures_max, _counts.window_ends_at > clock.now()
    )
    window_ends_at = db.session.scalar(statement)
    return None if window_ends_at is None else int((window_ends_at - clock.now()).total_seconds()) + 1


def count_failure(key: str) -> None:
    """Count one failure; the first after a window has ended opens a new one."""
    now = clock.now()
    ended = _counts.window_ends_at <= now
    statement = insert(FailedAuthentication).values(key=key, failures=1, window_ends_at=now + WINDOW)
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "failures": case((ended, 1), else_=_counts.failures + 1),
                "window_ends_at": case((ended, now + WINDOW), else_=_counts.window_ends_at),
            },
        )
    )


@jobs.task("identity.forget_failures", cron="*/10 * * * *")
def forget_ended() -> None:
    """Delete the counts of windows that have ended."""
    with transaction():
        db.session.execute(delete(FailedAuthentication).where(_counts.window_ends_at <= clock.now()))
