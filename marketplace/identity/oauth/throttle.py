"""Wrong secrets are counted, so that nobody can keep guessing.

The counts lie in the database, since the server runs several processes and a limit that each process
counts for itself is no limit. They are kept per client id *and* network address: a stranger who knows
a client id must not be able to shut its owner out.
"""

from datetime import timedelta

from authlib.oauth2 import OAuth2Error
from sqlalchemy import case, delete, select
from sqlalchemy.dialects.postgresql import insert

from marketplace.identity.models import FailedAuthentication
from marketplace.kit import clock, jobs
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

FAILURES_MAX = 100
WINDOW = timedelta(minutes=10)

_counts = FailedAuthentication.__table__.c


class TooManyFailures(OAuth2Error):  # type: ignore[misc]  # Authlib carries no types
    """Too many wrong secrets within the window (RFC 6585 section 4)."""

    error = "temporarily_unavailable"
    description = "Too many failed authentications of this client; wait for the seconds in Retry-After."
    status_code = 429

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self._retry_after_seconds = retry_after_seconds

    def get_headers(self) -> list[tuple[str, str]]:
        """Return the usual headers and Retry-After."""
        return [*super().get_headers(), ("Retry-After", str(self._retry_after_seconds))]


def key_of(client_id: str, peer: str) -> str:
    """Return the name under which failures are counted: a hash, so that no address is kept in clear."""
    return sha256_hex(f"{client_id}\n{peer}".encode("utf-8", "surrogatepass"))


def refuse_exhausted(key: str) -> None:
    """Raise TooManyFailures if the window's failures are used up, whatever the secret at hand is."""
    statement = select(_counts.window_ends_at).where(
        _counts.key == key, _counts.failures >= FAILURES_MAX, _counts.window_ends_at > clock.now()
    )
    window_ends_at = db.session.scalar(statement)
    if window_ends_at is not None:
        raise TooManyFailures(int((window_ends_at - clock.now()).total_seconds()) + 1)


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
