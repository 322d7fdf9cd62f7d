"""The device page (RFC 8628 section 3.3): a person types the code of a program that has no browser."""

from dataclasses import dataclass

from flask import Response, request

from marketplace.exchange import consenting
from marketplace.exchange.consenting import Question
from marketplace.identity.login.errors import TooManySignIns
from marketplace.identity.oauth import clients, devices, throttle
from marketplace.identity.oauth.throttle import TooManyFailures
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction
from marketplace.web import consent, forms
from marketplace.web.endpoint import blueprint, guarded, session
from marketplace.web.language import say
from marketplace.web.rendering import render_private

blp = blueprint("device")
CODE_SHOWN_MAX = 40


@dataclass(frozen=True, slots=True)
class Waiting:
    """A program that waits for the code which a person typed, and what it asks for."""

    id: str
    asked: Question


@blp.get("/device")
@guarded(Permission.CONSENT_READ)
def show() -> Response:
    """Ask for the code; one that came with the address is only filled in, since it may be somebody else's."""
    return _form(user_code=request.args.get("user_code", "")[:CODE_SHOWN_MAX])


@blp.post("/device")
@guarded(Permission.CONSENT_GIVE)
def look() -> Response:
    """Say what the program of a code asks for."""
    form = forms.read("user_code")
    waiting = _find(form["user_code"])
    if waiting is None:
        return _unknown(form["user_code"])
    return consent.page(waiting.asked, "/device/answer", user_code=form["user_code"])


@blp.post("/device/answer")
@guarded(Permission.CONSENT_GIVE)
def answer() -> Response:
    """Let the program have what it asks for, or not."""
    form = forms.read("user_code", "decision", "member_id")
    allowed = consent.may_allow(form["decision"])
    waiting = _find(form["user_code"])
    if waiting is None:
        return _unknown(form["user_code"])
    given = consent.given(waiting.asked, form["member_id"]) if allowed else None
    with transaction():
        decided = devices.approve(waiting.id, given) if given else devices.deny(waiting.id)
    return _form(done=form["decision"]) if decided else _unknown(form["user_code"])


def _find(user_code: str) -> Waiting | None:
    """Return the program that waits for a code; who guesses too often is made to wait. Raises TooManySignIns."""
    key = throttle.key_of("device", request.remote_addr or "")
    with transaction():
        try:
            throttle.refuse_exhausted(key)
        except TooManyFailures as error:
            raise TooManySignIns(retry_after_seconds=int(dict(error.get_headers())["Retry-After"])) from error
        row = devices.find_waiting(user_code)
        client = clients.find(row.client_id) if row is not None else None
        if row is None or client is None:
            throttle.count_failure(key)
            return None
        grant_ids = tuple(row.grant_ids) if row.grant_ids is not None else None
        return Waiting(row.id, consenting.question(session().person_id, client, row.scope, grant_ids))


def _unknown(user_code: str) -> Response:
    trouble = say(
        "このコードを待つ端末はありません。表示されたコードを確かめてください。",
        "No device waits for this code. Look at the code again.",
    )
    return _form(status=404, user_code=user_code[:CODE_SHOWN_MAX], trouble=trouble)


def _form(*, status: int = 200, user_code: str = "", trouble: str = "", done: str = "") -> Response:
    return render_private("device.html", status=status, user_code=user_code, trouble=trouble, done=done)
