"""Sources of releases: what a provider publishes elsewhere, fetched by the clock."""

from typing import Any
from urllib.parse import urlsplit

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import sources as schemas
from marketplace.catalog.sources import queries, service
from marketplace.catalog.sources.rules import SourceDraft
from marketplace.catalog.sources.states import PROBLEM_LABELS, PullProblem, Schedule
from marketplace.exchange import pulling
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("sources", "/v1/datasets", "Where the next releases of a dataset are fetched, and how often.")
PLAIN = (
    "dataset_id", "schedule", "file_name", "media_type", "publish", "last_result", "problem", "detail", "failures",
    "asked_at", "next_at", "release_id",
)  # fmt: skip


@blp.route("/<dataset_id>/source", methods=["PUT"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.SourceDraft)
@blp.response(200, schemas.SourceView)
def put(draft: dict[str, Any], dataset_id: str) -> Any:
    """Have the next releases of a dataset fetched from an address, for the first time at once."""
    with transaction():
        given = SourceDraft(**draft | {"schedule": Schedule(draft["schedule"])})
        return _shown(service.set_source(actor(), dataset_id, given))


@blp.route("/<dataset_id>/source")
@guarded(Permission.DATASETS_READ)
@blp.response(200, schemas.SourceView)
def read(dataset_id: str) -> Any:
    """Read where the releases of a dataset are fetched, and what became of the last time."""
    return _shown(queries.get_visible_source(actor(), dataset_id))


@blp.route("/<dataset_id>/source", methods=["DELETE"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(204)
def remove(dataset_id: str) -> Any:
    """Fetch nothing more; the releases that were made stay."""
    with transaction():
        service.remove_source(actor(), dataset_id)
    return "", 204


@blp.route("/<dataset_id>/source/pull", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(202, schemas.SourceView)
def pull(dataset_id: str) -> Any:
    """Have the source asked now, in the background; its time by the schedule follows from this."""
    with transaction():
        return _shown(pulling.ask_now(actor(), dataset_id))


def _shown(source: Any) -> dict[str, Any]:
    label = PROBLEM_LABELS[PullProblem(source.problem)] if source.problem else None
    # An address may hold what only its owner should know.
    own = source.organization_id == actor().organization_id
    url = source.url if own else f"https://{urlsplit(source.url).hostname}/"
    told = {"url": url, "problem_ja": label.ja if label else None, "problem_en": label.en if label else None}
    return {name: getattr(source, name) for name in PLAIN} | told
