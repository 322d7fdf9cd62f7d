"""The hosted payment page: what for, how much, every way to pay and what may go wrong; plain HTML in two languages."""

from collections.abc import Callable
from functools import partial, wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, url_for

from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.sandbox import cash, checkout, delayed, disputes, store
from marketplace.sandbox.checkout import Outcome, Result
from marketplace.sandbox.config import SandboxConfig
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.wire import WireError

PLACEHOLDER = "{CHECKOUT_SESSION_ID}"
OVER_YEN = 1_000
Deed = Callable[[str, Recorder], Result]


def add_routes(blueprint: Blueprint, config: SandboxConfig) -> None:
    """Give the blueprint its pages under /pay."""

    def show_page(session_id: str) -> Response:
        with transaction():
            row = checkout.current(session_id, Recorder(config, clock.now()), clock.now())
        return _page(row, HTTPStatus.OK)

    def press(session_id: str, deed: str) -> Response:
        if deed not in DEEDS:
            return _page(None, HTTPStatus.NOT_FOUND)
        try:
            with transaction():
                outcome, row = DEEDS[deed](session_id, Recorder(config, clock.now()))
        except WireError as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                raise
            return _page(store.get(checkout.KIND, session_id), HTTPStatus.CONFLICT)
        return _after(outcome, row)

    blueprint.add_url_rule("/pay/<session_id>", view_func=_or_missing(show_page), methods=["GET"])
    blueprint.add_url_rule("/pay/<session_id>/challenge", "challenged", _or_missing(show_page), methods=["GET"])
    blueprint.add_url_rule("/pay/<session_id>/<deed>", view_func=_or_missing(press), methods=["POST"])


def _till(session_id: str, story: Recorder) -> Result:
    delayed.pay_voucher(session_id, "familymart", story)
    return Outcome.WAITING, checkout.locked(session_id)


def _let_expire(session_id: str, story: Recorder) -> Result:
    delayed.expire_voucher(session_id, story)
    return Outcome.WAITING, checkout.locked(session_id)


def _transfer(amount_of: Callable[[int], int], session_id: str, story: Recorder) -> Result:
    intent = _intent(store.get(checkout.KIND, session_id))
    action = (intent or {}).get("next_action") or {}
    if intent is None or cash.INSTRUCTED not in action:
        raise WireError("No bank transfer is awaited.")
    cash.fund(intent["customer"], amount_of(action[cash.INSTRUCTED]["amount_remaining"]), story)
    return Outcome.WAITING, checkout.locked(session_id)


def _dispute(session_id: str, story: Recorder) -> Result:
    row = store.get(checkout.KIND, session_id)
    charge = (_intent(row) or {}).get("latest_charge")
    if charge is None:
        raise WireError("Nothing is paid that could be disputed.")
    disputes.begin(charge, None, "fraudulent", story, inquiry=False)
    return Outcome.WAITING, row


DEEDS: dict[str, Deed] = {
    "pay": checkout.pay,
    "decline": checkout.decline,
    "challenge": checkout.challenge,
    "pass": partial(checkout.answer_challenge, passed=True),
    "fail": partial(checkout.answer_challenge, passed=False),
    "konbini": delayed.print_voucher,
    "till": _till,
    "let-expire": _let_expire,
    "bank": delayed.instruct,
    "transfer-full": partial(_transfer, lambda awaited: awaited),
    "transfer-short": partial(_transfer, lambda awaited: max(1, awaited // 2)),
    "transfer-over": partial(_transfer, lambda awaited: awaited + OVER_YEN),
    "dispute": _dispute,
}


def _after(outcome: Outcome, row: SandboxObject) -> Response:
    if outcome is Outcome.PAID:
        address = row.document["success_url"].replace(PLACEHOLDER, row.id)
        return _guarded(make_response(redirect(address, HTTPStatus.SEE_OTHER)))
    if outcome in {Outcome.WAITING, Outcome.CHALLENGED}:
        address = url_for("sandbox.show_page", session_id=row.id)
        return _guarded(make_response(redirect(address, HTTPStatus.SEE_OTHER)))
    if outcome is Outcome.DECLINED:
        return _page(row, HTTPStatus.PAYMENT_REQUIRED, declined=True)
    return _page(row, HTTPStatus.CONFLICT)


def _or_missing(view: Callable[..., Response]) -> Callable[..., Response]:
    @wraps(view)
    def guarded(**address: str) -> Response:
        try:
            if any("\0" in part for part in address.values()):
                return _page(None, HTTPStatus.NOT_FOUND)
            return view(**address)
        except WireError as refusal:
            return _page(None, HTTPStatus(refusal.status))

    return guarded


def _page(row: SandboxObject | None, status: HTTPStatus, *, declined: bool = False) -> Response:
    session = row.document if row else None
    body = render_template(
        "sandbox/pay.html",
        session=session,
        details=row.details if row else None,
        intent=_intent(row) if row else None,
        charge=_charge(row) if row else None,
        declined=declined,
        over=OVER_YEN,
    )
    targets = [_origin(session["success_url"])] if session else []
    return _guarded(make_response(body, status), targets)


def _intent(row: SandboxObject) -> dict[str, Any] | None:
    known = row.document["payment_intent"]
    return store.get("payment_intent", known).document if known else None


def _charge(row: SandboxObject) -> dict[str, Any] | None:
    known = (_intent(row) or {}).get("latest_charge")
    return store.get("charge", known).document if known else None


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
