"""Trials: what buyers may try of a dataset once, and trying it."""

from typing import Any

from marketplace.access import trials
from marketplace.access.trials import TrialDraft
from marketplace.api.endpoint import actor, blueprint, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import replay_mark, shown
from marketplace.api.schemas import trade
from marketplace.api.schemas import trials as schemas
from marketplace.catalog import queries as catalog
from marketplace.exchange import purchase, trying
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("trials", "/v1", "Trials (試用): a provider lets each buyer try a dataset once.")


@blp.route("/datasets/<dataset_id>/trial", methods=["PUT"])
@guarded(Permission.LICENSING_WRITE)
@blp.arguments(schemas.TrialDraft)
@blp.response(200, schemas.TrialView)
def offer(draft: dict[str, Any], dataset_id: str) -> Any:
    """Let each buyer try a dataset once, for so many days and bytes of its newest release, under free terms."""
    with transaction():
        return trying.offer(actor(), dataset_id, TrialDraft(**draft))


@blp.route("/datasets/<dataset_id>/trial")
@guarded(Permission.LICENSING_READ)
@blp.response(200, schemas.TrialView)
def read(dataset_id: str) -> Any:
    """Read what buyers may try of a dataset of one's own; all is null where they may try nothing."""
    dataset = catalog.get_visible_dataset(actor(), dataset_id)
    return trials.find_policy(dataset.id) or {"dataset_id": dataset.id} | dict.fromkeys(schemas.OF_A_TRIAL)


@blp.route("/datasets/<dataset_id>/trial", methods=["DELETE"])
@guarded(Permission.LICENSING_WRITE)
@blp.response(204)
def end(dataset_id: str) -> None:
    """Let nobody try a dataset any more; trials that began go on."""
    with transaction():
        trying.end(actor(), dataset_id)


@blp.route("/catalog/<dataset_id>/trial", methods=["POST"])
@guarded(Permission.ORDERS_PLACE)
@blp.arguments(schemas.TrialWish)
@blp.response(201, trade.OrderView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def take(wish: dict[str, Any], dataset_id: str) -> Any:
    """Try a dataset: accept the terms of its trial by their hash, and get a grant at once. Each organization once."""
    caller = actor()
    answer, replayed = once(wish, lambda: {"order_id": trying.take(caller, dataset_id, wish["accept_terms_sha256"])})
    placed = purchase.read(caller, answer["order_id"])
    return shown(caller, placed), 201, {"Location": f"/v1/orders/{answer['order_id']}"} | replay_mark(replayed)
