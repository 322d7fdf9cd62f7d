"""The API under /v1, as stripe-python sends to it."""

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request, url_for

from marketplace.kit import clock
from marketplace.kit.canonical import digest_of
from marketplace.kit.transaction import transaction
from marketplace.sandbox import checkout, idempotency, listing, sessions, store, wire
from marketplace.sandbox.config import SandboxConfig
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.idempotency import Answer
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.wire import WireError

_TEST_KEY = re.compile(r"(sk|rk)_test_[A-Za-z0-9_]{1,250}")


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request."""

    config: SandboxConfig
    now: datetime
    request_id: str
    idempotency_key: str | None
    params: Reader
    fingerprint: str

    @property
    def recorder(self) -> Recorder:
        """Return a recorder whose events name this request."""
        cause = {"id": self.request_id, "idempotency_key": self.idempotency_key}
        return Recorder(self.config, self.now, cause)


Deed = Callable[..., dict[str, Any]]


def add_routes(blueprint: Blueprint, config: SandboxConfig) -> None:
    """Give the blueprint its routes under /v1."""
    for method, path, deed in _ROUTES:
        view = _view(config, deed, keyed=method == "POST")
        endpoint = deed.__name__.lstrip("_")
        blueprint.add_url_rule(f"/v1/{path}", endpoint, view, methods=[method])
    everything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    unknown = _view(config, _unknown_address, keyed=False)
    blueprint.add_url_rule("/v1/<path:path>", "unknown_address", unknown, methods=everything)


def _view(config: SandboxConfig, deed: Deed, *, keyed: bool) -> Callable[..., Response]:
    def view(**address: str) -> Response:
        request_id = wire.new_id("req_", 14)
        try:
            return _respond(request_id, _answer(config, request_id, deed, address, keyed=keyed))
        except WireError as refusal:
            return _respond(request_id, Answer(refusal.status, json.dumps({"error": refusal.error})))

    return view


def _answer(config: SandboxConfig, request_id: str, deed: Deed, address: dict[str, str], *, keyed: bool) -> Answer:
    _authenticate(config)
    if any("\0" in part for part in address.values()):
        raise wire.missing("object", "")
    call = _read_call(config, request_id)
    key = call.idempotency_key if keyed else None
    with transaction():
        return idempotency.once(key, call.fingerprint, request_id, call.now, lambda: deed(call, **address))


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


def _authenticate(config: SandboxConfig) -> None:
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


def _create_session(call: Call) -> dict[str, Any]:
    paths = call.params.texts("expand")
    draft = sessions.read_draft(call.params, call.now)
    return store.expanded(checkout.create(draft, _pay_url(call.config), call.now), paths)


def _pay_url(config: SandboxConfig) -> str:
    if config.public_url:
        return f"{config.public_url}/pay"
    return url_for("sandbox.show_page", session_id="-", _external=True).removesuffix("/-")


def _list_sessions(call: Call) -> dict[str, Any]:
    return listing.list_sessions(call.params)


def _get_session(call: Call, identifier: str) -> dict[str, Any]:
    paths = _only_expand(call)
    return store.expanded(checkout.current(identifier, call.recorder, call.now).document, paths)


def _expire_session(call: Call, identifier: str) -> dict[str, Any]:
    paths = _only_expand(call)
    return store.expanded(checkout.expire(identifier, call.recorder, call.now), paths)


def _get_payment_intent(call: Call, identifier: str) -> dict[str, Any]:
    return _get(call, "payment_intent", identifier)


def _get_charge(call: Call, identifier: str) -> dict[str, Any]:
    return _get(call, "charge", identifier)


def _get_balance_transaction(call: Call, identifier: str) -> dict[str, Any]:
    return _get(call, "balance_transaction", identifier)


def _get(call: Call, kind: str, identifier: str) -> dict[str, Any]:
    paths = _only_expand(call)
    return store.expanded(store.get(kind, identifier).document, paths)


def _only_expand(call: Call) -> list[str]:
    paths = call.params.texts("expand")
    call.params.finish()
    return paths


def _list_events(call: Call) -> dict[str, Any]:
    return listing.list_events(call.params, call.now)


def _get_event(call: Call, identifier: str) -> dict[str, Any]:
    call.params.finish()
    return listing.get_event(identifier)


def _unknown_address(call: Call, path: str) -> dict[str, Any]:
    del call
    message = f"Unrecognized request URL ({request.method}: /v1/{path[:200]})."
    raise WireError(message, status=HTTPStatus.NOT_FOUND)


_ROUTES: tuple[tuple[str, str, Deed], ...] = (
    ("POST", "checkout/sessions", _create_session),
    ("GET", "checkout/sessions", _list_sessions),
    ("GET", "checkout/sessions/<identifier>", _get_session),
    ("POST", "checkout/sessions/<identifier>/expire", _expire_session),
    ("GET", "payment_intents/<identifier>", _get_payment_intent),
    ("GET", "charges/<identifier>", _get_charge),
    ("GET", "balance_transactions/<identifier>", _get_balance_transaction),
    ("GET", "events", _list_events),
    ("GET", "events/<identifier>", _get_event),
)
