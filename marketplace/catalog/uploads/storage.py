"""How much room a provider takes, decided by the database: each deed is one conditional statement on one row."""

from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.catalog.uploads.errors import ProviderQuotaExhausted, UploadsOpenTooMany
from marketplace.catalog.uploads.models import ProviderStorage
from marketplace.kit import settings
from marketplace.kit.db import db


def occupy(organization_id: str, size_bytes: int) -> None:
    """Count the bytes of a new file; raises ProviderQuotaExhausted."""
    if not _grown(organization_id, _fits(size_bytes), size_bytes, stored_bytes=size_bytes):
        raise _exhausted(organization_id)


def vacate(organization_id: str, size_bytes: int) -> None:
    """Count the bytes of a file no more, once for each file."""
    row = ProviderStorage.organization_id == organization_id
    less = func.greatest(ProviderStorage.stored_bytes - size_bytes, 0)  # files of before the count began
    db.session.execute(update(ProviderStorage).where(row).values(stored_bytes=less))


def reserve(organization_id: str, size_bytes: int) -> None:
    """Promise room to an upload that begins; raises ProviderQuotaExhausted or UploadsOpenTooMany."""
    most = settings.current().provider_uploads_open_max
    condition = _fits(size_bytes) & (ProviderStorage.uploads_open < most)
    if _grown(organization_id, condition, size_bytes, reserved_bytes=size_bytes, uploads_open=1):
        return
    held = _held(organization_id)
    if held is not None and held.uploads_open >= most:
        raise UploadsOpenTooMany(uploads_open=held.uploads_open, uploads_open_max=most)
    raise _exhausted(organization_id)


def give_back(organization_id: str, size_bytes: int) -> None:
    """Take back what was promised to an upload that has ended, however it did."""
    row = ProviderStorage.organization_id == organization_id
    less = {
        "reserved_bytes": ProviderStorage.reserved_bytes - size_bytes,
        "uploads_open": ProviderStorage.uploads_open - 1,
    }
    db.session.execute(update(ProviderStorage).where(row).values(less))


def expect(organization_id: str, size_bytes: int) -> None:
    """Refuse before the bytes are sent what has no room at this moment; raises ProviderQuotaExhausted."""
    if size_bytes > _left(_held(organization_id)):
        raise _exhausted(organization_id)


def _grown(organization_id: str, condition: ColumnElement[bool], size_bytes: int, **more: int) -> bool:
    if size_bytes > settings.current().provider_stored_bytes_max:
        return False  # the condition below is asked only where there is a row already
    zero = {"stored_bytes": 0, "reserved_bytes": 0, "uploads_open": 0}
    added = {name: getattr(ProviderStorage, name) + amount for name, amount in more.items()}
    statement = insert(ProviderStorage).values({"organization_id": organization_id} | zero | more)
    kept: Any = statement.on_conflict_do_update(index_elements=["organization_id"], set_=added, where=condition)
    return db.session.scalar(kept.returning(ProviderStorage.organization_id)) is not None


def _fits(size_bytes: int) -> ColumnElement[bool]:
    taken = ProviderStorage.stored_bytes + ProviderStorage.reserved_bytes
    return taken + size_bytes <= settings.current().provider_stored_bytes_max


def _held(organization_id: str) -> ProviderStorage | None:
    statement = select(ProviderStorage).where(ProviderStorage.organization_id == organization_id)
    return db.session.scalar(statement.execution_options(populate_existing=True))


def _left(held: ProviderStorage | None) -> int:
    taken = held.stored_bytes + held.reserved_bytes if held is not None else 0
    return max(settings.current().provider_stored_bytes_max - taken, 0)


def _exhausted(organization_id: str) -> ProviderQuotaExhausted:
    held = _held(organization_id)
    return ProviderQuotaExhausted(
        limit_bytes=settings.current().provider_stored_bytes_max,
        stored_bytes=held.stored_bytes if held else 0,
        reserved_bytes=held.reserved_bytes if held else 0,
        left_bytes=_left(held),
    )
