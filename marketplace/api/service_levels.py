"""Service levels: what was measured of a dataset in a month."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import replay_mark
from marketplace.api.schemas import givingback as schemas
from marketplace.billing.service_levels import queries
from marketplace.billing.service_levels.service import MeasurementDraft
from marketplace.exchange import service_level
from marketplace.identity.permissions import Permission

blp = blueprint("service_levels", "/v1/service-levels", "Measured service levels (サービス水準).")


@blp.route("", methods=["POST"])
@guarded(Permission.SERVICE_LEVELS_MEASURE)
@blp.arguments(schemas.MeasurementDraft)
@blp.response(201, schemas.MeasurementView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def measure(draft: dict[str, Any]) -> Any:
    """State what was measured of a dataset in a month that is over; credits follow where an offer promised more."""
    caller = actor()

    def deed() -> dict[str, Any]:
        measured = service_level.measure(caller, MeasurementDraft(**draft))
        return {"dataset_id": measured.dataset_id, "month": measured.month}

    answer, replayed = once(draft, deed)
    return queries.find_measurement(**answer), 201, replay_mark(replayed)


@blp.route("")
@guarded(Permission.SERVICE_LEVELS_READ)
@blp.arguments(schemas.MeasurementQuery, location="query")
@blp.response(200, schemas.MeasurementPage)
def list_measurements(query: dict[str, Any]) -> Any:
    """List what was measured, newest first; of one dataset where it is named."""
    return queries.list_measurements(**query)
