"""The Parquet of tabular contents: asked for once, made once, found by the hash of what it was made of."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.catalog.models import Conversion, File
from marketplace.catalog.states import ConversionState, ProfileState
from marketplace.catalog.tabular import TABULAR
from marketplace.kit import clock
from marketplace.kit.db import db


def find_conversion(source_sha256: str) -> Conversion | None:
    """Return the conversion of a content as committed last, if anybody has asked for it."""
    query = select(Conversion).where(Conversion.source_sha256 == source_sha256)
    return db.session.scalar(query, execution_options={"populate_existing": True})


def begin(source_sha256: str, given_up_before: datetime) -> bool:
    """Note that a content is to be converted; True if nobody is about it.

    Whoever asked for it before that instant, and has nothing yet, is taken to have given up.
    """
    row = {"source_sha256": source_sha256, "state": ConversionState.PENDING.value, "asked_at": clock.now()}
    given_up = and_(Conversion.state == ConversionState.PENDING, Conversion.asked_at < given_up_before)
    statement = insert(Conversion).values(row)
    statement = statement.on_conflict_do_update(
        index_elements=["source_sha256"], set_={"asked_at": statement.excluded.asked_at}, where=given_up
    )
    return db.session.scalar(statement.returning(Conversion.source_sha256)) is not None


def finish(source_sha256: str, sha256: str, size_bytes: int, rows: int, columns: list[dict[str, str]]) -> None:
    """Keep what was made of a content; the first that was made stays."""
    made = {"sha256": sha256, "size_bytes": size_bytes, "rows": rows, "columns": columns}
    _end(source_sha256, ConversionState.DONE, made)


def fail(source_sha256: str, problem: dict[str, Any]) -> None:
    """Keep why nothing can be made of a content."""
    _end(source_sha256, ConversionState.FAILED, {"problem": problem})


def _end(source_sha256: str, state: ConversionState, values: dict[str, Any]) -> None:
    waiting = (Conversion.source_sha256 == source_sha256, Conversion.state == ConversionState.PENDING)
    ended = {"state": state.value, "finished_at": clock.now()} | values
    db.session.execute(update(Conversion).where(*waiting).values(ended))


def tabular_files(release_id: str) -> Sequence[File]:
    """Return the files of a release of which a table can be made, by name."""
    tabular = (File.profile_state == ProfileState.PROFILED, File.profile["format"].as_string().in_(TABULAR))
    return db.session.scalars(select(File).where(File.release_id == release_id, *tabular).order_by(File.name)).all()
