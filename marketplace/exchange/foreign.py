"""What is shown of a dataset that was taken over: whence it comes, where its files lie, what was found on it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from marketplace.catalog.ckan import contents_of
from marketplace.catalog.cleaning.formats import format_of
from marketplace.catalog.cleaning.mending import Rule
from marketplace.catalog.harvesting import queries as harvests
from marketplace.catalog.links import queries as links
from marketplace.catalog.models import Dataset
from marketplace.catalog.repairs import queries as repairs
from marketplace.catalog.repairs.models import DatasetRepair
from marketplace.catalog.repairs.states import RULE_LABELS
from marketplace.catalog.rules import url_fault
from marketplace.kit import clock

LINKS_SHOWN = 100
_TOLD = (Rule.LICENCE_CONFLICT, Rule.DEAD_LINKS, Rule.OVERDUE, Rule.DUPLICATE)


class Shown(NamedTuple):
    """The parts of a public document that tell of its origin, and the formats of the files that its record names."""

    parts: dict[str, Any]
    formats: set[str]


def shown(dataset: Dataset) -> Shown:
    """Return what is shown of a dataset's origin and of what was found on it; a few things, and bounded."""
    flags = [_flag(one) for one in repairs.flags_of(dataset.id) if one.rule in _TOLD]
    if dataset.source is None:
        return Shown({"flags": flags, "links": [], "links_total": 0, "origin": None}, set())
    dead = set(links.dead_of([dataset.id]).get(dataset.id, ()))
    return _shown(dataset, flags, harvests.origins_of([dataset.id]).get(dataset.id), dead)


def shown_of(datasets: Sequence[Dataset]) -> dict[str, Shown]:
    """Return the same for datasets whose links nobody has asked for yet, in few questions."""
    ids = [dataset.id for dataset in datasets]
    origins, flags = harvests.origins_of(ids), repairs.flags_of_all(ids)
    told = {one: [_flag(flag) for flag in found if flag.rule in _TOLD] for one, found in flags.items()}
    return {one.id: _shown(one, told.get(one.id, []), origins.get(one.id), set()) for one in datasets}


def _shown(
    dataset: Dataset, flags: list[dict[str, Any]], origin: tuple[str, datetime | None] | None, dead: set[str]
) -> Shown:
    files: list[dict[str, Any]] = [
        {"name": name, "format": format_of(stated, address), "url": address, "dead": address in dead}
        for name, stated, address in contents_of(dataset.source or {}).files
    ]
    found = [one for one in files if one["url"] and not url_fault(one["url"])]
    told = {"flags": flags, "links": found[:LINKS_SHOWN], "links_total": len(found)}
    return Shown(told | {"origin": _origin(*origin) if origin else None}, {one["format"] for one in files} - {""})


def _origin(address: str, vanished_at: datetime | None) -> dict[str, Any]:
    return {
        "url": address if address.startswith("https://") else None,
        "vanished_at": clock.text(vanished_at) if vanished_at else None,
    }


def _flag(found: DatasetRepair) -> dict[str, Any]:
    label = RULE_LABELS[Rule(found.rule)]
    words = {"label_ja": label.ja, "label_en": label.en}
    return {"rule": found.rule, **words, "before": found.before, "after": found.after}
