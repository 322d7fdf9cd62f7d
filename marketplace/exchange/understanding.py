"""Understanding a dataset before it is bought: its columns, a sample, its coverage, its history, its quality."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from marketplace.catalog import coverage, describing, dictionary, listings, punctuality, quality, schema_changes
from marketplace.catalog import queries as catalog
from marketplace.catalog.dictionary import ColumnNote
from marketplace.catalog.models import Dataset, Release
from marketplace.catalog.quality_words import (
    ADVICE_CALLS,
    ADVICE_FIELDS,
    ADVICE_LABELS,
    ADVICE_SUGGESTED,
    PART_LABELS,
    SUGGESTED_AT,
    Advice,
    Part,
)
from marketplace.exchange import discovery, listing, showcase
from marketplace.identity.actors import Actor
from marketplace.kit import clock, jobs, settings
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction

Document = dict[str, Any]
POINTS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Past:
    """A release as the history of its dataset shows it; ``changes`` are those since the release before it."""

    release: Release
    due_at: datetime | None
    on_time: bool | None
    rows: int | None
    changes: schema_changes.Changes | None


class Compared(NamedTuple):
    """What changed between two releases."""

    before_id: str | None
    after_id: str | None
    changes: schema_changes.Changes


def declare_dictionary(actor: Actor, dataset_id: str, notes: Sequence[ColumnNote], expected_version: int) -> Dataset:
    """Say what the columns of a dataset mean, and list it anew: what was masked may be shown now, or the reverse."""
    listings.stand_in_line(catalog.get_own_dataset(actor, dataset_id).id)
    dataset = describing.declare_dictionary(actor, dataset_id, notes, expected_version)
    listing.refresh(dataset_id)
    return dataset


def read(reader: Actor | None, dataset_id: str) -> Document:
    """Return the document of a dataset that the reader sees, as the clock has it; raises NotFound."""
    return showcase.as_of_now(discovery.read_listing(reader, dataset_id).document)


def dictionary_of(document: Document) -> list[Document]:
    """Return the data dictionary of the newest release: what its columns mean, hold and are measured in."""
    return dictionary.described(dictionary.newest_columns(document), document.get("column_notes", ()))


def sample_of(document: Document, file_name: str | None = None, size: int | None = None) -> Document:
    """Return the first rows of a file of the newest release, by column name, masked where personal data was found.

    By default of its first file that has any; none where nothing was looked into. Raises NotFound for another name.
    """
    files = document["releases"][0]["files"] if document.get("releases") else []
    shown = [file for file in files if (file.get("profile") or {}).get("preview") is not None]
    chosen = next((file for file in shown if file_name in {None, file["name"]}), None)
    if chosen is None and file_name is not None:
        raise NotFound
    if chosen is None:
        return {"release_id": None, "file_name": None, "columns": [], "masked": {}, "rows": [], "rows_total": None}
    profile, most = chosen["profile"], settings.current().preview_rows_max
    rows = profile["preview"][: most if size is None else min(size, most)]
    return {
        "release_id": document["releases"][0]["id"],
        "file_name": chosen["name"],
        "columns": [column.get("name") for column in profile["columns"]],
        "masked": {column["name"]: column["masked"] for column in profile["columns"] if column.get("masked")},
        "rows": rows,
        "rows_total": profile.get("rows"),
    }


def covered(document: Document) -> Document:
    """Return the time and the part of the earth that the newest release speaks of, and what can be drawn of it."""
    points = coverage.points(document, POINTS_SHOWN) if document.get("bbox") else []
    return {
        "temporal": document.get("temporal"),
        "region": document["region"],
        "bbox": document.get("bbox"),
        "points": [[str(longitude), str(latitude)] for longitude, latitude in points],
        "grid": coverage.grid(document) if document.get("bbox") else None,
    }


def judged(document: Document) -> Document:
    """Return the quality of a public document as it was listed, with its words."""
    return spelled_out(document.get("quality") or quality.assess(document, (), clock.now()).document())


def judge(actor: Actor, dataset_id: str) -> Document:
    """Return how good a dataset of the caller's is now, listed or not; raises NotFound."""
    dataset = catalog.get_visible_dataset(actor, dataset_id)
    document = showcase.document(dataset)
    return spelled_out(document["quality"])


def spelled_out(found: Document) -> Document:
    """Return a quality with the names of its parts, and what would win the missing points, in both languages."""
    return {"score": found["score"], "parts": [_part(one) for one in found["parts"]]}


def history_of(document: Document) -> list[Past]:
    """Return the newest releases of a listed dataset: whether they came in time, and what changed in their columns."""
    shown = catalog.published_release_ids(document["id"])[: showcase.RELEASES_SHOWN + 1]
    releases = [catalog.get_release(release_id) for release_id in shown]
    turns = punctuality.turns(document["frequency"], [one.published_at for one in releases if one.published_at])
    columns = [catalog.column_types_in(release.id) for release in releases]
    rows = catalog.rows_in([release.id for release in releases])
    changes = [
        schema_changes.compare(before, after) if before and after else None for after, before in pairwise(columns)
    ]
    past = zip(releases, turns, [*changes, None][: len(releases)], strict=True)
    found = [Past(one, turn.due_at, turn.on_time, rows.get(one.id), changed) for one, turn, changed in past]
    return found[: showcase.RELEASES_SHOWN]


def compare(document: Document, before_id: str | None = None, after_id: str | None = None) -> Compared:
    """Return what changed in the columns between two releases of a listed dataset; by default between the last two.

    Before the first release there was nothing, and nothing changed. Raises NotFound.
    """
    shown = catalog.published_release_ids(document["id"])
    if not {before_id, after_id} <= {None, *shown}:
        raise NotFound
    after = after_id or next(iter(shown), None)
    before = before_id or (next(iter(shown[shown.index(after) + 1 :]), None) if after else None)
    if before is None or after is None:
        return Compared(before, after, schema_changes.Changes([], [], [], []))
    changes = schema_changes.compare(catalog.column_types_in(before), catalog.column_types_in(after))
    return Compared(before, after, changes)


@jobs.task("catalog.judged_anew", cron="37 4 * * *")
def judge_anew() -> None:
    """List anew what has become overdue since it was listed: its score fell, and nobody's deed would say so."""
    with transaction():
        waiting = listings.overdue_since_listed(clock.now())
    for dataset_id in waiting:
        with transaction():
            listings.stand_in_line(dataset_id)
            listing.refresh(dataset_id)


def _part(one: Document) -> Document:
    label = PART_LABELS[Part(one["part"])]
    improve = [_advice(Advice(code)) for code in one["improve"]]
    return one | {"label_ja": label.ja, "label_en": label.en, "improve": improve}


def _advice(advice: Advice) -> Document:
    """Return what is to be done in words, and by which call and page: of the page, where it may have a suggestion."""
    words = ADVICE_LABELS[advice]
    done_by = {"call": ADVICE_CALLS[advice], "fields": list(ADVICE_FIELDS.get(advice, ()))}
    page = SUGGESTED_AT if advice in ADVICE_SUGGESTED else None
    return {"code": advice.value, "ja": words.ja, "en": words.en, "page": page} | done_by
