"""The database handle and the base of all tables."""

from datetime import UTC, datetime
from typing import Any, cast

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import CursorResult, DateTime, Executable, MetaData, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, registry

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: only aware values go in, only UTC comes out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Refuse a naive datetime."""
        if value is not None and value.tzinfo is None:
            raise ValueError("naive datetime: use marketplace.kit.clock")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the instant in UTC whatever the session's time zone."""
        return value.astimezone(UTC) if value is not None else None


class Model(DeclarativeBase):
    """Base of all tables: text ids, aware instants, JSONB documents."""

    registry = registry(
        metadata=MetaData(naming_convention=NAMING),
        type_annotation_map={str: Text, datetime: UtcDateTime, dict[str, Any]: JSONB, list[str]: JSONB},
    )


db = SQLAlchemy(model_class=Model)


def changed_rows(statement: Executable) -> int:
    """Send an UPDATE or DELETE and return how many rows it changed; objects that the session has read follow.

    By this a service learns whether somebody else was quicker: what must still hold stands in the statement.
    """
    return cast("CursorResult[Any]", db.session.execute(statement)).rowcount
