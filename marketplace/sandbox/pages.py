"""The hosted payment page: amount, what for, pay, decline; plain HTML in Japanese and English."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template

from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.sandbox import checkout
from marketplace.sandbox.checkout import Outcome
from marketplace.sandbox.config import SandboxConfig
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.wire import WireError

PLACEHOLDER = "{CHECKOUT_SESSION_ID}"


def add_routes(blueprint: Blueprint, config: SandboxConfig) -> None:
    """Give the blueprint its pages under /pay."""

    def show_page(session_id: str) -> Response:
        with transaction():
            row = checkout.current(session_id, Recorder(config, clock.now()), clock.now())
        return _page(row, HTTPStatus.OK)

    def pay(session_id: str) -> Response:
        with transaction():
            now = clock.now()
            outcome, row = checkout.pay(session_id, config.fee_basis_points, Recorder(config, now), now)
        if outcome is Outcome.PAID:
            return _to_success(row)
        return _page(row, HTTPStatus.CONFLICT)

    def decline(session_id: str) -> Response:
        with transaction():
            now = clock.now()
            outcome, row = checkout.decline(session_id, Recorder(config, now), now)
        if outcome is Outcome.DECLINED:
            return _page(row, HTTPStatus.PAYMENT_REQUIRED, declined=True)
        return _page(row, HTTPStatus.CONFLICT)

    blueprint.add_url_rule("/pay/<session_id>", view_func=_or_missing(show_page), methods=["GET"])
    blueprint.add_url_rule("/pay/<session_id>/pay", view_func=_or_missing(pay), methods=["POST"])
    blueprint.add_url_rule("/pay/<session_id>/decline", view_func=_or_missing(decline), methods=["POST"])


def _or_missing(view: Callable[[str], Response]) -> Callable[[str], Response]:
    @wraps(view)
    def guarded(session_id: str) -> Response:
        try:
            if "\0" in session_id:
                return _page(None, HTTPStatus.NOT_FOUND)
            return view(session_id)
        except WireError as refusal:
            return _page(None, HTTPStatus(refusal.status))

    return guarded


def _to_success(row: SandboxObject) -> Response:
    address = row.document["success_url"].replace(PLACEHOLDER, row.id)
    response = make_response(redirect(address, HTTPStatus.SEE_OTHER))
    return _guarded(response)


def _page(row: SandboxObject | None, status: HTTPStatus, *, declined: bool = False) -> Response:
    session = row.document if row else None
    details = row.details if row else None
    body = render_template("sandbox/pay.html", session=session, details=details, declined=declined)
    targets = [_origin(session["success_url"])] if session else []
    return _guarded(make_response(body, status), targets)


def _guarded(response: Response, targets: list[str] | None = None) -> Response:
    # Browsers hold form-action against the redirect after a form too, so the shop's origin is in it.
    form_action = " ".join(["'self'", *(targets or [])])
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _origin(url: str) -> str:
    # Only characters of a host name are accepted when a session is created (reader.url).
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
