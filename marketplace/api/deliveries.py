"""Deliveries, their receipts, and the keys that verify those."""

from typing import Any

from flask import Response, jsonify

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import deliveries as schemas
from marketplace.exchange import correcting, origins, overriding
from marketplace.identity.overrides.states import OverrideDeed
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction
from marketplace.metering import queries, receipts
from marketplace.metering.corrections import Correction

blp = blueprint("deliveries", "/v1", "What was sent and what arrived of it, with signed receipts (受領証).")
JOSE, JWK_SET = "application/jose", "application/jwk-set+json"
PUBLIC_SECONDS = 300


@blp.route("/deliveries")
@guarded(Permission.USAGE_READ)
@blp.arguments(schemas.DeliveryQuery, location="query")
@blp.response(200, schemas.DeliveryPage)
def list_deliveries(query: dict[str, Any]) -> Any:
    """List the deliveries one is a party to, newest first; overseers see all."""
    return queries.list_deliveries(actor(), **query)


@blp.route("/deliveries/<delivery_id>")
@guarded(Permission.USAGE_READ)
@blp.response(200, schemas.DeliveryView)
def read(delivery_id: str) -> Any:
    """Read a delivery and how it ended."""
    return queries.get_delivery(actor(), delivery_id)


@blp.route("/deliveries/<delivery_id>/report", methods=["POST"])
@guarded(Permission.DELIVERIES_REPORT)
@blp.arguments(schemas.ReportDraft)
@blp.response(200, schemas.ReportView)
def report(draft: dict[str, Any], delivery_id: str) -> Any:
    """Report what your own server sent of a delivery that was left to it; the first report ends and charges it.

    Charged is never more than was held, and less than all where `complete` is false.
    """
    with transaction():
        return origins.take_report(actor(), delivery_id, **draft)


@blp.route("/deliveries/<delivery_id>/corrections")
@guarded(Permission.USAGE_READ)
@blp.response(200, schemas.UsageCorrectionView(many=True))
def list_corrections(delivery_id: str) -> Any:
    """List what was added to the usage of a delivery and taken off it, oldest first."""
    return queries.list_corrections(actor(), delivery_id)


@blp.route("/deliveries/<delivery_id>/corrections", methods=["POST"])
@guarded(Permission.USAGE_CORRECT)
@blp.arguments(schemas.UsageCorrectionDraft)
@blp.response(200, schemas.UsageCorrectionView)
def correct(draft: dict[str, Any], delivery_id: str) -> Any:
    """Correct the usage of a delivery beside what was counted: its provider takes off, the operator adds as well.

    Quota and budgets follow at once, the bill with the next settlement: in the month of the delivery, as an adjustment
    where that was billed. The same again under its `reference` changes nothing.
    """
    overriding.refuse_alone(actor(), OverrideDeed.CORRECTION, delivery_id)
    with transaction():
        return correcting.correct(actor(), delivery_id, Correction(**draft))


@blp.route("/deliveries/<delivery_id>/receipt")
@guarded(Permission.USAGE_READ)
@blp.doc(responses={"200": {"description": "A compact JWS (RFC 7515, ES256)", "content": {JOSE: {}}}})
def read_receipt(delivery_id: str) -> Response:
    """Fetch the signed receipt of a delivery that has ended; it is the same bytes for everybody and for good."""
    with transaction():
        receipt = receipts.get_receipt(actor(), delivery_id)
        answer = Response(f"{receipt.jws}\n", mimetype=JOSE)
    answer.headers["Content-Disposition"] = f'attachment; filename="{delivery_id}.receipt"'
    return answer


@blp.route("/receipt-keys")
@guarded(Permission.SYSTEM_READ)
@blp.doc(responses={"200": {"description": "A JWK set (RFC 7517)", "content": {JWK_SET: {}}}})
def read_keys() -> Response:
    """Read every key that receipts were ever signed with, retired ones too; none of them verifies tokens by that."""
    answer = jsonify(receipts.key_set())
    answer.mimetype = JWK_SET
    answer.cache_control.public = True
    answer.cache_control.max_age = PUBLIC_SECONDS
    return answer
