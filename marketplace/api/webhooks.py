"""What payment gateways tell us: verified on the raw bytes, kept once, answered at once."""

from flask import Blueprint, Response, request

from marketplace.api.endpoint import guarded
from marketplace.api.problems import BadRequest
from marketplace.exchange import payment
from marketplace.identity.permissions import Permission
from marketplace.kit.errors import NotFound, TooLarge

blp = Blueprint("webhooks", __name__, url_prefix="/webhooks")
BODY_BYTES_MAX = 2**18


@blp.route("/stripe", methods=["POST"])
@guarded(Permission.GATEWAY_REPORT)
def receive_stripe() -> Response:
    """Keep a signed Stripe event; the signature is the sender's authorization."""
    if not payment.is_listening():
        raise NotFound
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise TooLarge(f"An event has at most {BODY_BYTES_MAX} bytes.")
    body = request.stream.read(BODY_BYTES_MAX + 1)
    if len(body) > BODY_BYTES_MAX:
        raise BadRequest
    payment.receive_event(body, request.headers.get("Stripe-Signature"))
    return Response(status=200)
