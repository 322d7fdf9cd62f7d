"""The canonical form of an entry. Pure."""

from collections.abc import Mapping
from typing import Any

from marketplace.kit import clock
from marketplace.kit.canonical import canonical_json

FIELDS = (
    "id", "occurred_at", "organization_id", "client_id", "member_id", "verb", "subject",
    "counterparty_id", "dataset_id", "amount_minor", "facts",
)  # fmt: skip
VERSION = 1


def canonical_entry(columns: Mapping[str, Any]) -> str:
    """Return the RFC 8785 text that the leaf commits to; absent fields are left out."""
    document = {name: columns[name] for name in FIELDS if columns[name] is not None}
    document["occurred_at"] = clock.text(columns["occurred_at"])
    return canonical_json({"v": VERSION, **document}).decode()
