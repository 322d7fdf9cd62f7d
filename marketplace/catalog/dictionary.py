"""The data dictionary of a dataset: what its columns are called, mean, hold and are measured in. Pure functions.

What the profiler found of a column stands beside what its provider says of it; the provider's word on the unit comes
before that of the header.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from marketplace.catalog.rules import COLUMN_NAME_LENGTH_MAX, text_fault
from marketplace.catalog.units import find_unit, unit_in
from marketplace.kit.errors import Invalid

Document = dict[str, Any]
NOTES_MAX = 500
LABEL_LENGTH_MAX = 200
DESCRIPTION_LENGTH_MAX = 2_000
UNIT_LENGTH_MAX = 40
NUMERIC = frozenset({"integer", "decimal"})
_FOUND = ("type", "format", "nulls", "null_share", "distinct_estimate", "min", "max", "examples", "distribution")


@dataclass(frozen=True, slots=True)
class ColumnNote:
    """What a provider says of a column. ``personal`` says whether its values are of persons; None says nothing."""

    name: str
    label_ja: str = ""
    label_en: str = ""
    description_ja: str = ""
    description_en: str = ""
    unit: str = ""
    personal: bool | None = None


def check_notes(notes: Sequence[ColumnNote]) -> None:
    """Raise Invalid that names every field at fault, or return."""
    faults = {} if len(notes) <= NOTES_MAX else {"": f"must be at most {NOTES_MAX} columns"}
    names: set[str] = set()
    for place, note in enumerate(notes):
        at = f"/{place}"
        if not note.name or note.name in names:
            faults[f"{at}/name"] = "must name a column, each once"
        names.add(note.name)
        faults |= {f"{at}/{field}": fault for field, fault in _note_faults(note).items() if fault}
    if faults:
        errors = [{"pointer": f"/columns{pointer}", "detail": detail} for pointer, detail in faults.items()]
        raise Invalid(errors=errors)


def _note_faults(note: ColumnNote) -> dict[str, str | None]:
    return {
        "name": text_fault(note.name, COLUMN_NAME_LENGTH_MAX),
        "label_ja": text_fault(note.label_ja, LABEL_LENGTH_MAX),
        "label_en": text_fault(note.label_en, LABEL_LENGTH_MAX),
        "description_ja": text_fault(note.description_ja, DESCRIPTION_LENGTH_MAX, lines=True),
        "description_en": text_fault(note.description_en, DESCRIPTION_LENGTH_MAX, lines=True),
        "unit": text_fault(note.unit, UNIT_LENGTH_MAX),
    }


def stored(notes: Iterable[ColumnNote]) -> list[Document]:
    """Return notes as they are kept."""
    return [asdict(note) for note in notes]


def personal_of(notes: Iterable[Document]) -> dict[str, bool]:
    """Return of which columns the provider says that they are, or are not, of persons."""
    return {note["name"]: note["personal"] for note in notes if note.get("personal") is not None}


def described(columns: Iterable[Document], notes: Iterable[Document]) -> list[Document]:
    """Return one entry for each column of a profile, with what its provider says of it."""
    said = {note["name"]: note for note in notes}
    return [_entry(column, said.get(str(column.get("name")), {})) for column in columns]


def _entry(column: Document, note: Mapping[str, Any]) -> Document:
    return {
        "name": column.get("name"),
        "label_ja": note.get("label_ja", ""),
        "label_en": note.get("label_en", ""),
        "description_ja": note.get("description_ja", ""),
        "description_en": note.get("description_en", ""),
        "unit": _unit(column, note),
        **{name: column.get(name) for name in _FOUND},
        "masked": column.get("masked", []),
    }


def _unit(column: Document, note: Mapping[str, Any]) -> Document | None:
    """Return a unit with its code in UCUM, where there is one, and whose word it is."""
    if note.get("unit"):
        known = find_unit(note["unit"])
        if known is None:
            return {"code": None, "ja": note["unit"], "en": note["unit"], "source": "declared"}
        return known._asdict() | {"source": "declared"}
    read = unit_in(str(column.get("name", "")))
    return read._asdict() | {"source": "header"} if read else None


def newest_columns(document: Document) -> list[Document]:
    """Return the columns of all profiled files of the newest release of a public document, each name once."""
    files = document["releases"][0]["files"] if document.get("releases") else []
    found: dict[str, Document] = {}
    for file in files:
        for column in (file.get("profile") or {}).get("columns") or ():
            found.setdefault(str(column.get("name")), column)
    return list(found.values())
