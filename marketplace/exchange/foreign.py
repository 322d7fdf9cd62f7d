"""What is shown of a dataset that was taken over: whence it comes, where its files lie, what was found on it."""

from typing import Any

from marketplace.catalog.ckan import contents_of
from marketplace.catalog.cleaning.formats import format_of
from marketplace.catalog.cleaning.mending import Rule
from marketplace.catalog.harvesting import queries as harvests
from marketplace.catalog.links import queries as links
from marketplace.catalog.models import Dataset
from marketplace.catalog.repairs import queries as repairs
from marketplace.catalog.repairs.states import RULE_LABELS
from marketplace.catalog.rules import url_fault
from marketplace.kit import clock

LINKS_SHOWN = 100
_TOLD = (Rule.LICENCE_CONFLICT, Rule.DEAD_LINKS, Rule.OVERDUE, Rule.DUPLICATE)


def shown(dataset: Dataset) -> dict[str, Any]:
    """Return the parts of a public document that tell of its origin and of what was found; a few, and bounded."""
    told = {"flags": _flags(dataset.id), "links": [], "links_total": 0, "origin": None}
    if dataset.source is None:
        return told
    found = _links(dataset)
    return told | {"origin": _origin(dataset.id), "links": found[:LINKS_SHOWN], "links_total": len(found)}


def formats(dataset: Dataset) -> set[str]:
    """Return the formats of the files that a foreign record names, each by its one name."""
    if dataset.source is None:
        return set()
    return {format_of(stated, address) for _, stated, address in contents_of(dataset.source).files} - {""}


def _links(dataset: Dataset) -> list[dict[str, Any]]:
    dead = set(links.dead_of([dataset.id]).get(dataset.id, ()))
    return [
        {"name": name, "format": format_of(stated, address), "url": address, "dead": address in dead}
        for name, stated, address in contents_of(dataset.source or {}).files
        if address and not url_fault(address)
    ]


def _origin(dataset_id: str) -> dict[str, Any] | None:
    found = harvests.origins_of([dataset_id]).get(dataset_id)
    if found is None:
        return None
    address, vanished_at = found
    return {
        "url": address if address.startswith("https://") else None,
        "vanished_at": clock.text(vanished_at) if vanished_at else None,
    }


def _flags(dataset_id: str) -> list[dict[str, Any]]:
    return [
        {"rule": one.rule, "label_ja": label.ja, "label_en": label.en, "before": one.before, "after": one.after}
        for one in repairs.flags_of(dataset_id)
        if one.rule in _TOLD
        for label in [RULE_LABELS[Rule(one.rule)]]
    ]
