"""Audiences: to whom a dataset is listed."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import groups as schemas
from marketplace.catalog import queries
from marketplace.exchange import listing
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("audiences", "/v1/datasets", "To whom a dataset is listed.")


@blp.route("/<dataset_id>/audience")
@guarded(Permission.DATASETS_READ)
@blp.response(200, schemas.AudienceView)
def read(dataset_id: str) -> Any:
    """Read to whom one's own dataset is listed; overseers read it of all."""
    return _shown(queries.get_visible_dataset(actor(), dataset_id))


@blp.route("/<dataset_id>/audience", methods=["PUT"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.AudienceDraft)
@blp.response(200, schemas.AudienceView)
def set_audience(draft: dict[str, Any], dataset_id: str) -> Any:
    """List one's own dataset to one of one's groups alone, or to everybody again.

    From the answer on nobody else finds it, anywhere; what was bought stays.
    """
    with transaction():
        return _shown(listing.set_audience(actor(), dataset_id, draft["group_id"]))


def _shown(dataset: Any) -> dict[str, Any]:
    return {"dataset_id": dataset.id, "group_id": dataset.audience}
