"""The controls over HTTP: ``POST /control/{name}`` with the API key, arguments as form fields."""

import inspect
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request

from marketplace.kit import clock
from marketplace.sandbox import api, controls, wire
from marketplace.sandbox.config import SandboxConfig
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.wire import WireError

Control = Callable[..., Any]
OFFERED: dict[str, Control] = {
    control.__name__: control
    for control in (
        controls.pay,
        controls.decline,
        controls.challenge,
        controls.answer_challenge,
        controls.pay_at_till,
        controls.let_expire,
        controls.virtual_account,
        controls.fund,
        controls.open_dispute,
        controls.submit_evidence,
        controls.close_dispute,
        controls.settle_refund,
        controls.fail_refund,
        controls.hold_refunds,
        controls.pay_out,
        controls.settle_payout,
        controls.fail_payout,
        controls.pass_time,
        controls.webhooks,
        controls.trouble,
        controls.reset,
    )
}
_NUMBER_MAX = 10**12


def add_routes(blueprint: Blueprint, config: SandboxConfig) -> None:
    """Give the blueprint its routes under /control."""

    def control(name: str) -> Response:
        try:
            api.authenticate(config)
            return _answer(200, _act(name))
        except WireError as refusal:
            return _answer(refusal.status, {"error": refusal.error})

    blueprint.add_url_rule("/control/<name>", view_func=control, methods=["POST"])


def _act(name: str) -> Any:
    if name not in OFFERED:
        raise wire.missing("control", name[:100], "name")
    form = Reader(wire.decode(request.form.items(multi=True)))
    try:
        return OFFERED[name](**_read(OFFERED[name], form))
    except ValueError as error:
        raise WireError(str(error)) from error


def _read(control: Control, form: Reader) -> dict[str, Any]:
    arguments = {}
    for name, parameter in inspect.signature(control).parameters.items():
        value = _value(form, name, parameter.annotation)
        if value is None and parameter.default is parameter.empty:
            raise form.absent(name)
        if value is not None:
            arguments[name] = value
    form.finish()
    return arguments


def _value(form: Reader, name: str, kind: Any) -> Any:
    if kind is bool:
        return form.boolean(name)
    if kind in (int, int | None):
        return form.integer(name, 0, _NUMBER_MAX)
    if kind == datetime | None:
        text = form.text(name)
        return None if text is None else clock.parse(text)
    return form.text(name) if kind is str else (form.texts(name) or None)


def _answer(status: int, document: Any) -> Response:
    return Response(json.dumps(document), status, mimetype="application/json")
