"""What an adopted record says of itself, and whether the former log has signed it. Pure."""

from typing import Any

from marketplace.audit.adopted.models import AdoptedRecord
from marketplace.kit import notes
from marketplace.kit.notes import Checkpoint


def facts_of(record: AdoptedRecord) -> dict[str, Any]:
    """Return what binds an adopted record to ours: what was signed, under which keys, and the archive."""
    return {
        "origin": record.origin,
        "size": record.size,
        "root": record.root.hex(),
        "keys": record.keys,
        "sha256": record.sha256,
    }


def is_signed(record: AdoptedRecord) -> bool:
    """Whether one of its keys has signed its checkpoint, and the checkpoint says its origin, size and root."""
    try:
        told = notes.opened(record.note, [notes.read_key(key) for key in record.keys])
    except (ValueError, TypeError, AttributeError):  # whoever changes a row may put anything in the place of keys
        return False
    return told == Checkpoint(record.origin, record.size, record.root)
