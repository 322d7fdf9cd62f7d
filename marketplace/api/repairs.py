"""What a machine has found to make better in a description, for its provider to decide."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import harvests as schemas
from marketplace.catalog.cleaning.mending import Rule
from marketplace.catalog.links import queries as links
from marketplace.catalog.repairs import queries
from marketplace.catalog.repairs.states import RULE_LABELS
from marketplace.exchange import repairing
from marketplace.identity.permissions import Permission
from marketplace.kit.pages import Page
from marketplace.kit.transaction import transaction

blp = blueprint("repairs", "/v1/datasets", "What a machine has found to make better in a description.")
PLAIN = ("id", "dataset_id", "rule", "field", "before", "after", "confidence", "state", "found_at", "decided_at")


@blp.route("/<dataset_id>/repairs")
@guarded(Permission.DATASETS_READ)
@blp.arguments(schemas.RepairQuery, location="query")
@blp.response(200, schemas.RepairPage)
def list_repairs(query: dict[str, Any], dataset_id: str) -> Any:
    """List what was found on a dataset: what was before, what is or would be after, and how sure that is."""
    page = queries.list_repairs(actor(), dataset_id, **query)
    return Page([_shown(one) for one in page.items], page.next_cursor)


@blp.route("/<dataset_id>/repairs/<repair_id>/accept", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(200, schemas.RepairView)
def accept(dataset_id: str, repair_id: str) -> Any:
    """Accept a finding: what it changes is changed at once. One that only tells is acknowledged."""
    with transaction():
        return _shown(repairing.decide(actor(), dataset_id, repair_id, accept=True))


@blp.route("/<dataset_id>/repairs/<repair_id>/refuse", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(200, schemas.RepairView)
def refuse(dataset_id: str, repair_id: str) -> Any:
    """Refuse a finding: what it has changed goes back, for good. One that only tells is a false alarm."""
    with transaction():
        return _shown(repairing.decide(actor(), dataset_id, repair_id, accept=False))


@blp.route("/<dataset_id>/links")
@guarded(Permission.DATASETS_READ)
@blp.arguments(schemas.LinkQuery, location="query")
@blp.response(200, schemas.LinkPage)
def list_links(query: dict[str, Any], dataset_id: str) -> Any:
    """List where the files of a foreign record lie, and whether they still lead somewhere."""
    return links.list_links(actor(), dataset_id, **query)


def _shown(repair: Any) -> dict[str, Any]:
    label = RULE_LABELS[Rule(repair.rule)]
    return {name: getattr(repair, name) for name in PLAIN} | {"label_ja": label.ja, "label_en": label.en}
