"""What helps to judge a dataset before it is bought: its dictionary, a sample, coverage, history and quality."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, expected_version, guarded, version_tag, visitor
from marketplace.api.openapi import IF_MATCH
from marketplace.api.schemas import understanding as schemas
from marketplace.catalog import queries
from marketplace.catalog.dictionary import ColumnNote
from marketplace.exchange import understanding
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("understanding", "/v1", "What helps to judge a dataset before it is bought.")


@blp.route("/catalog/<dataset_id>/dictionary")
@guarded(Permission.CATALOG_READ)
@blp.response(200, schemas.DictionaryView)
def read_dictionary(dataset_id: str) -> Any:
    """Read the columns of the newest release: meaning, type, unit, examples, share of nulls, distribution."""
    return {"dataset_id": dataset_id, "columns": understanding.dictionary_of(understanding.read(visitor(), dataset_id))}


@blp.route("/catalog/<dataset_id>/sample")
@guarded(Permission.CATALOG_READ)
@blp.arguments(schemas.SampleQuery, location="query")
@blp.response(200, schemas.SampleView)
def read_sample(query: dict[str, Any], dataset_id: str) -> Any:
    """Read the first rows of a file of the newest release; columns in which personal data was found are masked."""
    return understanding.sample_of(understanding.read(visitor(), dataset_id), query.get("file_name"), query.get("rows"))


@blp.route("/catalog/<dataset_id>/coverage")
@guarded(Permission.CATALOG_READ)
@blp.response(200, schemas.CoverageView)
def read_coverage(dataset_id: str) -> Any:
    """Read which time and which part of the earth the newest release speaks of, as its own columns say."""
    return understanding.covered(understanding.read(visitor(), dataset_id))


@blp.route("/catalog/<dataset_id>/quality")
@guarded(Permission.CATALOG_READ)
@blp.response(200, schemas.QualityView)
def read_quality(dataset_id: str) -> Any:
    """Read how well a dataset is described and kept up, in points of a hundred, and what would win the others."""
    return understanding.judged(understanding.read(visitor(), dataset_id))


@blp.route("/catalog/<dataset_id>/history")
@guarded(Permission.CATALOG_READ)
@blp.response(200, schemas.HistoryView)
def read_history(dataset_id: str) -> Any:
    """Read the newest releases: whether each came when it was promised, and what changed in its columns."""
    past = understanding.history_of(understanding.read(visitor(), dataset_id))
    judged = [one.on_time for one in past if one.on_time is not None]
    return {
        "items": [_past(one) for one in past],
        "on_time": sum(judged),
        "promised": len(judged),
    }


@blp.route("/catalog/<dataset_id>/changes")
@guarded(Permission.CATALOG_READ)
@blp.arguments(schemas.ChangesQuery, location="query")
@blp.response(200, schemas.ComparedView)
def read_changes(query: dict[str, Any], dataset_id: str) -> Any:
    """Read what changed in the columns from one release to another; by default between the last two."""
    found = understanding.compare(understanding.read(visitor(), dataset_id), query.get("before"), query.get("after"))
    return {"before": found.before_id, "after": found.after_id, "changes": found.changes.document()}


@blp.route("/datasets/<dataset_id>/dictionary")
@guarded(Permission.DATASETS_READ)
@blp.response(200, schemas.NotesView)
def read_notes(dataset_id: str) -> Any:
    """Read what was said of the columns of a dataset. Its version is in ETag."""
    return _notes(queries.get_visible_dataset(actor(), dataset_id))


@blp.route("/datasets/<dataset_id>/dictionary", methods=["PUT"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.NotesDraft)
@blp.response(200, schemas.NotesView)
@blp.doc(parameters=[IF_MATCH])
def declare(draft: dict[str, Any], dataset_id: str) -> Any:
    """Say anew what all columns mean, if the dataset still is at the version in If-Match.

    `personal: false` says that the values of a column are not of persons, such as the telephone numbers of schools: it
    is shown then although a detector fired. My Numbers and card numbers are never shown.
    """
    notes = [ColumnNote(**note) for note in draft["columns"]]
    with transaction():
        return _notes(understanding.declare_dictionary(actor(), dataset_id, notes, expected_version()))


@blp.route("/datasets/<dataset_id>/quality")
@guarded(Permission.DATASETS_READ)
@blp.response(200, schemas.QualityView)
def read_own_quality(dataset_id: str) -> Any:
    """Read the points of a dataset of one's own as it is now, before publication as well."""
    return understanding.judge(actor(), dataset_id)


def _notes(dataset: Any) -> Any:
    shown = {"dataset_id": dataset.id, "version": dataset.version, "columns": dataset.dictionary}
    return shown, 200, {"ETag": version_tag(dataset.version)}


def _past(one: understanding.Past) -> dict[str, Any]:
    return {
        "release_id": one.release.id,
        "label": one.release.label,
        "notes": one.release.notes,
        "published_at": one.release.published_at,
        "due_at": one.due_at,
        "on_time": one.on_time,
        "rows": one.rows,
        "changes": one.changes.document() if one.changes else None,
    }
