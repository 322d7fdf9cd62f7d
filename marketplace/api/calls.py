"""Calls of a provider's API through the exchange, by those whose grant opens it."""

from flask import Response, current_app, request

from marketplace.api import streams
from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.exchange import pacing, proxying
from marketplace.exchange.proxying import Call
from marketplace.identity.permissions import Permission

blp = blueprint("calls", "/v1/grants", "The provider's own API, asked through the exchange.")
_RATE = {
    "RateLimit-Policy": {"description": "requests a minute", "schema": {"type": "string"}},
    "RateLimit": {"description": "requests left, and seconds until the next minute", "schema": {"type": "string"}},
}


@blp.route("/<grant_id>/api/<path:path>")
@guarded(Permission.FILES_FETCH)
@blp.doc(
    responses={"200": {"description": "The provider's answer", "headers": _RATE, "content": {"*/*": {}}}},
)
def ask(grant_id: str, path: str) -> Response:
    """Ask the API of the dataset that the grant opens. Charged is each answer that arrives, as a request and by bytes.

    HEAD asks nobody and is free: it says whether GET would be let in.
    """
    asked = Call(grant_id, request.method, path, list(request.args.items(multi=True)), dict(request.headers.items()))
    proxied = proxying.call(actor(), asked)
    response = streams.respond(current_app, proxied.answer)
    response.headers.update(pacing.fields_of(proxied.rate))
    if proxied.rate is None:
        # What GET would answer is not known, its length least of all (RFC 9110 section 9.3.2).
        response.automatically_set_content_length = False
    return response
