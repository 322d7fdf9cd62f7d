"""Whether what the exchange stands on is in order."""

import os
from collections.abc import Collection
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from marketplace.kit import engine_facts as engine_facts_
from marketplace.kit import migrations, roles
from marketplace.kit.db import db
from marketplace.kit.engine_facts import EngineFacts
from marketplace.kit.roles import Roles

# What is raised when the database is away, too busy, or waited too long for a lock: worth another try.
LOST_DATABASE: tuple[type[Exception], ...] = (OperationalError, InterfaceError, PoolExhausted)


def trouble(store_dir: Path) -> str | None:
    """Return the first thing that stands in the way of trading, or None."""
    try:
        found = migrations.current(db.engine)
    except SQLAlchemyError:
        return "The database does not answer."
    if found != migrations.head():
        return _of_another_age(found)
    if not os.access(store_dir, os.W_OK):
        return "The store folder cannot be written."
    return None


def schema_trouble() -> str | None:
    """Return why this code cannot work on the schema, or None; raises LOST_DATABASE.

    A newer schema is let be: it was brought up beside servers of the code before, which go on until they end.
    """
    return _of_another_age(migrations.current(db.engine)) if migrations.is_behind(db.engine) else None


def engine_facts() -> EngineFacts | None:
    """Return what the database says of itself, None where it does not answer."""
    try:
        return engine_facts_.ask(db.engine)
    except SQLAlchemyError:
        return None


def revision() -> str:
    """Return the schema revision the database is at."""
    return migrations.current(db.engine) or "none"


def migrate_down(to_revision: str) -> None:
    """Take the schema down; data of the tables that go is lost. ValueError where there is no such revision."""
    try:
        migrations.downgrade(db.engine, to_revision)
    except CommandError as error:
        raise ValueError(f"there is no revision {to_revision} below this one ({error})") from error


def establish_roles(readable: Collection[str]) -> Roles:
    """Make the roles of this database, or give them their rights anew; RolesRefused where the login may not."""
    with db.engine.begin() as connection:
        return roles.establish(connection, readable)


def hang_up() -> None:
    """End the session and close the connections of this application."""
    db.session.remove()
    db.engine.dispose()


def _of_another_age(found: str | None) -> str:
    needed = migrations.head()
    return f"The schema is at {found or 'none'}, but this code needs {needed}: run `marketplace migrate`."
