"""Datasets of a provider, before and after publication."""

from collections.abc import Sequence
from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, expected_version, guarded, version_tag
from marketplace.api.openapi import IF_MATCH
from marketplace.api.schemas import catalog as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.catalog import punctuality, queries, service
from marketplace.catalog.rules import DatasetDraft
from marketplace.catalog.states import Frequency, HighValue, Licence, Theme
from marketplace.exchange import listing
from marketplace.identity.permissions import Permission
from marketplace.identity.states import Assurance, Trust
from marketplace.kit import clock
from marketplace.kit.pages import Page
from marketplace.kit.transaction import transaction

blp = blueprint("datasets", "/v1/datasets", "Datasets of a provider.")


@blp.route("", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.DatasetDraft)
@blp.response(201, schemas.DatasetView)
def register(draft: dict[str, Any]) -> Any:
    """Register a dataset; nobody else sees it until a release is published."""
    with transaction():
        dataset = service.register_dataset(actor(), DatasetDraft(**_typed(draft)))
        return _created(dataset)


@blp.route("")
@guarded(Permission.DATASETS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.DatasetPage)
def list_datasets(query: dict[str, Any]) -> Any:
    """List one's own datasets, newest first; overseers see all."""
    caller = actor()
    page = queries.list_datasets(organization_id=None if caller.oversees else caller.organization_id, **query)
    return Page(_dated(page.items), page.next_cursor)


@blp.route("/import", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.CkanImport)
@blp.response(201, schemas.DatasetView)
def import_ckan(body: dict[str, Any]) -> Any:
    """Take over a CKAN package; the same package again renews the same dataset."""
    with transaction():
        return _created(listing.import_ckan(actor(), body["package"]))


@blp.route("/<dataset_id>")
@guarded(Permission.DATASETS_READ)
@blp.response(200, schemas.DatasetView)
def read(dataset_id: str) -> Any:
    """Read a dataset. Its version is in ETag, to be sent back in If-Match with a change."""
    dataset = queries.get_visible_dataset(actor(), dataset_id)
    return _dated([dataset])[0], 200, {"ETag": version_tag(dataset.version)}


@blp.route("/<dataset_id>", methods=["PATCH"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.DatasetChanges)
@blp.response(200, schemas.DatasetView)
@blp.doc(parameters=[IF_MATCH])
def revise(changes: dict[str, Any], dataset_id: str) -> Any:
    """Change what is said of a dataset, if it is still at the version in If-Match."""
    with transaction():
        dataset = listing.revise(actor(), dataset_id, _typed(changes), expected_version())
        return _dated([dataset])[0], 200, {"ETag": version_tag(dataset.version)}


@blp.route("/<dataset_id>/withdraw", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(200, schemas.DatasetView)
def withdraw(dataset_id: str) -> Any:
    """Take a dataset out of the catalogue for good; grants already sold are untouched."""
    with transaction():
        return _dated([listing.withdraw_dataset(actor(), dataset_id)])[0]


@blp.route("/<dataset_id>/releases", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.ReleaseDraft)
@blp.response(201, schemas.ReleaseView)
def open_release(draft: dict[str, Any], dataset_id: str) -> Any:
    """Open a draft release, to put files into."""
    with transaction():
        release = service.open_release(actor(), dataset_id, draft["label"], draft["notes"])
        return created(release, f"/v1/releases/{release.id}")


@blp.route("/<dataset_id>/releases")
@guarded(Permission.DATASETS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.ReleasePage)
def list_releases(query: dict[str, Any], dataset_id: str) -> Any:
    """List the releases of a dataset, newest first."""
    dataset = queries.get_visible_dataset(actor(), dataset_id)
    return queries.list_releases(dataset.id, **query)


def _dated(datasets: Sequence[Any]) -> list[dict[str, Any]]:
    """Return datasets as they are read, with when the next release of each is due and whether it is late."""
    published, now = queries.last_published([dataset.id for dataset in datasets]), clock.now()
    names = [name for name in schemas.DatasetView().fields if name not in {"next_release_due_at", "overdue"}]
    dated = []
    for dataset in datasets:
        due = punctuality.next_due(dataset.update_frequency, published.get(dataset.id))
        overdue = due is not None and due < now
        shown = {name: getattr(dataset, name) for name in names}
        dated.append(shown | {"next_release_due_at": due, "overdue": overdue})
    return dated


def _created(dataset: Any) -> Any:
    return created(_dated([dataset])[0], f"/v1/datasets/{dataset.id}", ETag=version_tag(dataset.version))


def _typed(fields: dict[str, Any]) -> dict[str, Any]:
    kinds: dict[str, Any] = {
        "themes": lambda words: tuple(map(Theme, words)),
        "update_frequency": Frequency,
        "licence_hint": lambda word: None if word is None else Licence(word),
        "keywords": tuple,
        "key_columns": tuple,
        "high_value_categories": lambda words: tuple(map(HighValue, words)),
        "trust_required": lambda word: None if word is None else Trust(word),
        "assurance_required": lambda word: None if word is None else Assurance(word),
    }
    return {name: kinds.get(name, lambda value: value)(value) for name, value in fields.items()}
