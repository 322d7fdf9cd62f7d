"""What the database says of itself: version, durability, rights, room, clock, and what its job queue holds."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, text

from marketplace.kit import clock, migrations

_FACTS = text(
    "SELECT current_setting('server_version_num')::int AS version, current_setting('fsync') = 'on' AS fsync,"
    " current_setting('full_page_writes') = 'on' AS full_pages,"
    " current_setting('synchronous_commit') <> 'off' AS waits_for_disk,"
    " current_setting('default_transaction_isolation') AS isolation,"
    " current_setting('server_encoding') AS encoding,"
    " current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS connections,"
    " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,"
    " (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('alembic_version')) AS owner"
)
_WORK = text(
    "SELECT (SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed') AS failed,"
    " (SELECT coalesce(extract(epoch FROM max(now() - coalesce(scheduled_at, e.at))), 0)::int FROM procrastinate_jobs j"
    " LEFT JOIN LATERAL (SELECT min(at) AS at FROM procrastinate_events WHERE job_id = j.id) e ON true"
    " WHERE status = 'todo') AS overdue_seconds"
)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """Facts of one moment; ``ahead_seconds`` is by how much the database's clock is ahead of ours."""

    version: int
    fsync: bool
    full_pages: bool
    waits_for_disk: bool
    isolation: str
    encoding: str
    connections: int
    superuser: bool
    owner: bool | None
    ahead_seconds: float
    revision: str | None
    head: str | None
    jobs_failed: int = 0
    jobs_overdue_seconds: int = 0


def ask(engine: Engine) -> EngineFacts:
    """Ask the database; raises sqlalchemy's errors where it does not answer."""
    with engine.connect() as connection:
        said = connection.execute(_FACTS).one()._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
        before = clock.now()
        theirs = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        ours = before + (clock.now() - before) / 2
        has_queue = connection.execute(text("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")).scalar_one()
        work: Any = connection.execute(_WORK).one() if has_queue else None
    return EngineFacts(
        **said,
        ahead_seconds=(theirs - ours).total_seconds(),
        revision=migrations.current(engine),
        head=migrations.head(),
        jobs_failed=work.failed if work else 0,
        jobs_overdue_seconds=work.overdue_seconds if work else 0,
    )
