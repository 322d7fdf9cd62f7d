"""Reading adopted records."""

from sqlalchemy import select

from marketplace.audit.adopted.models import AdoptedEntry, AdoptedNode, AdoptedRecord
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor


def list_records(cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[AdoptedRecord]:
    """List the records that were adopted, the last one first."""
    query = select(AdoptedRecord).order_by(AdoptedRecord.id.desc()).limit(size + 1)
    if key := decode_cursor(cursor, 1):
        query = query.where(AdoptedRecord.id < str(key[0]))
    return cut(db.session.scalars(query).all(), size, lambda record: [record.id])


def get_record(record_id: str) -> AdoptedRecord:
    """Return an adopted record; raises NotFound."""
    found = db.session.get(AdoptedRecord, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound
    return found


def get_record_of(sha256: str) -> AdoptedRecord:
    """Return the record that was adopted from an archive, which must be there."""
    return db.session.scalars(select(AdoptedRecord).where(AdoptedRecord.sha256 == sha256)).one()


def get_entry(record: AdoptedRecord, entry_id: str) -> AdoptedEntry:
    """Return the place of an entry of an adopted record; raises NotFound."""
    found = db.session.get(AdoptedEntry, (record.id, entry_id)) if is_id(entry_id) else None
    if found is None:
        raise NotFound
    return found


def nodes(record: AdoptedRecord, level: int, first: int, count: int) -> list[bytes]:
    """Return the hashes of complete subtrees that follow each other, of an eighth level."""
    query = select(AdoptedNode.hash).where(
        AdoptedNode.record_id == record.id,
        AdoptedNode.level == level,
        AdoptedNode.position >= first,
        AdoptedNode.position < first + count,
    )
    return list(db.session.scalars(query.order_by(AdoptedNode.position)))
