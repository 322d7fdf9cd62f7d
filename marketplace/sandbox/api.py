"""The API under /v1, as stripe-python sends to it."""

import hmac
import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request

from marketplace.kit import clock
from marketplace.kit.canonical import digest_of
from marketplace.kit.transaction import transaction
from marketplace.sandbox import endpoints, idempotency, transport, wire
from marketplace.sandbox.call import Call
from marketplace.sandbox.config import SandboxConfig
from marketplace.sandbox.endpoints import Deed
from marketplace.sandbox.idempotency import Answer
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.trouble import Trouble, refuse_at_the_door, server_error
from marketplace.sandbox.wire import WireError

_TEST_KEY = re.compile(r"(sk|rk)_test_[A-Za-z0-9_]{1,250}")


def add_routes(blueprint: Blueprint, config: SandboxConfig) -> None:
    """Give the blueprint its routes under /v1."""
    for method, path, deed in endpoints.ROUTES:
        view = _view(config, deed, keyed=method == "POST")
        name = re.sub(r"[/<>]+", "_", f"{method.lower()}_{path}").strip("_")
        blueprint.add_url_rule(f"/v1/{path}", name, view, methods=[method])
    everything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    unknown = _view(config, _unknown_address, keyed=False)
    blueprint.add_url_rule("/v1/<path:path>", "unknown_address", unknown, methods=everything)


def _view(config: SandboxConfig, deed: Deed, *, keyed: bool) -> Callable[..., Response]:
    def view(**address: str) -> Response:
        request_id = wire.new_id("req_", 14)
        trouble = None
        try:
            authenticate(config)
            trouble = config.storm.next()
            refuse_at_the_door(trouble)
            answer = _answer(_read_call(config, request_id), deed, address, trouble, keyed=keyed)
        except WireError as refusal:
            answer = _refusal(refusal)
        response = _respond(request_id, answer)
        return transport.lose(response, request.environ) if trouble is Trouble.LOST_ANSWER else response

    return view


def _answer(call: Call, deed: Deed, address: dict[str, str], trouble: Trouble | None, *, keyed: bool) -> Answer:
    if any("\0" in part for part in address.values()):
        raise wire.missing("object", "")
    key = call.idempotency_key if keyed else None
    with transaction():
        return idempotency.once(
            key, call.fingerprint, call.request_id, call.now, lambda: _do(deed, call, address, trouble)
        )


def _do(deed: Deed, call: Call, address: dict[str, str], trouble: Trouble | None) -> Answer:
    if trouble is Trouble.SERVER_ERROR:
        return _refusal(server_error())
    done = deed(call, **address)
    if trouble is Trouble.SERVER_ERROR_AFTER:
        return _refusal(server_error())
    return Answer(HTTPStatus.OK, json.dumps(done))


def _refusal(refusal: WireError) -> Answer:
    return Answer(refusal.status, json.dumps({"error": refusal.error}))


def _respond(request_id: str, answer: Answer) -> Response:
    response = Response(answer.body, answer.status, mimetype="application/json")
    response.headers["Request-Id"] = request_id
    response.headers["Stripe-Version"] = wire.API_VERSION
    response.headers["Cache-Control"] = "no-cache, no-store"
    key = request.headers.get("Idempotency-Key")
    if key and request.method == "POST" and key.isprintable():
        response.headers["Idempotency-Key"] = key
    if answer.original_request_id:
        response.headers["Idempotent-Replayed"] = "true"
        response.headers["Original-Request"] = answer.original_request_id
    return response


def authenticate(config: SandboxConfig) -> None:
    """Refuse a request without the sandbox's key; raises WireError."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise _unauthorized("You did not provide an API key: send 'Authorization: Bearer sk_test_...'.")
    if key.startswith(("sk_live_", "rk_live_")):
        raise _unauthorized("This is a sandbox: a live key must never be sent here. Roll that key now.")
    expected = config.api_key or key
    if not _TEST_KEY.fullmatch(key) or not hmac.compare_digest(key.encode(), expected.encode()):
        raise _unauthorized(f"Invalid API Key provided: {key[:8]}{'*' * 8}")
    version = request.headers.get("Stripe-Version", wire.API_VERSION)
    if version != wire.API_VERSION:
        raise WireError(f"Invalid Stripe API version: {version[:50]}; the sandbox speaks {wire.API_VERSION}")
    if "Stripe-Account" in request.headers:
        message = "The sandbox plays no connected accounts."
        raise WireError(message, status=HTTPStatus.FORBIDDEN, code="account_invalid")


def _unauthorized(message: str) -> WireError:
    return WireError(message, status=HTTPStatus.UNAUTHORIZED)


def _read_call(config: SandboxConfig, request_id: str) -> Call:
    if request.content_length and request.mimetype != "application/x-www-form-urlencoded":
        raise WireError("Invalid request: the content type must be application/x-www-form-urlencoded.")
    values = wire.decode([*request.form.items(multi=True), *request.args.items(multi=True)])
    asked = {"method": request.method, "path": request.path, "params": values}
    return Call(
        config=config,
        now=clock.now(),
        request_id=request_id,
        idempotency_key=request.headers.get("Idempotency-Key"),
        params=Reader(values),
        fingerprint=digest_of(asked),
    )


def _unknown_address(call: Call, path: str) -> dict[str, Any]:
    del call
    message = f"Unrecognized request URL ({request.method}: /v1/{path[:200]})."
    raise WireError(message, status=HTTPStatus.NOT_FOUND)
