"""Moving the schema up and down its numbered versions."""

from collections.abc import Callable, Collection
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from marketplace.kit import roles

_PACKAGE = Path(__file__).resolve().parents[1]
# Installed from a wheel, the versions lie inside the package; in a checkout, beside it.
HOME = next(home for home in (_PACKAGE / "_migrations", _PACKAGE.parent / "migrations") if home.is_dir())
_LOCK = 0x6D696772  # "migr"


def upgrade(engine: Engine, revision: str = "head", readable: Collection[str] = ()) -> None:
    """Bring the schema up; a second process that tries at the same time waits and finds it done.

    Where the database's roles are in use, they get their rights anew: whoever audits reads ``readable``.
    """
    renew = partial(roles.renew, readable=readable)
    _run(engine, lambda config: command.upgrade(config, revision), then=renew)


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Take the schema down to ``revision``; data of dropped tables is lost."""
    _run(engine, lambda config: command.downgrade(config, revision))


def current(engine: Engine) -> str | None:
    """Return the revision the database is at."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_behind(engine: Engine) -> bool:
    """Whether the schema is missing or older than this code; one that newer code brought up is not."""
    found = current(engine)
    return found is None or (found != head() and found in _known())


@lru_cache(maxsize=1)
def head() -> str | None:
    """Return the newest revision that this code knows; read once, since every question of readiness asks for it."""
    return ScriptDirectory(str(HOME)).get_current_head()


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in ScriptDirectory(str(HOME)).walk_revisions())


def _run(engine: Engine, deed: Any, then: Callable[[Connection], None] | None = None) -> None:
    with engine.begin() as connection:
        # However long the other process migrates, this one waits; a table that is in use is not waited for so long.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        config = Config()
        config.set_main_option("script_location", str(HOME))
        config.attributes["connection"] = connection
        deed(config)
        if then:
            then(connection)
