"""Consent: what a program may do for one's organization, in words, and the answer to it."""

import re
from urllib.parse import urlsplit

from flask import Response, request
from werkzeug.exceptions import BadRequest

from marketplace.exchange import consenting
from marketplace.exchange.consenting import Question
from marketplace.identity.login.sessions import Session
from marketplace.identity.oauth import authorization, authorization_requests
from marketplace.identity.oauth.authorization_requests import Kept, Unredirectable
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.oauth.families import LIFETIME
from marketplace.identity.permissions import Permission
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.web import forms, scopes
from marketplace.web.addresses import Elsewhere, here, see, sign_in, step_up
from marketplace.web.authorize import unanswerable
from marketplace.web.endpoint import blueprint, guarded, session
from marketplace.web.rendering import render_private

blp = blueprint("consent")
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' {}; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_SOURCE = re.compile(r"(https?://[a-z0-9.-]+(:[0-9]{1,5})?|[a-z][a-z0-9+.-]*:)", re.ASCII)


@blp.get("/consent/<request_id>")
@guarded(Permission.CONSENT_READ)
def show(request_id: str) -> Response:
    """Say which program wants to do what, for whom, with which data and until when."""
    kept = authorization_requests.find(request_id)
    if kept is None:
        return unanswerable(Unredirectable("answered"))
    _require_sure(kept)
    response = page(_question(kept), f"/consent/{kept.id}")
    # Browsers hold the redirect that follows a form to this as well: it leads back to the program.
    response.headers["Content-Security-Policy"] = PAGE_POLICY.format(_source_of(kept.request.redirect_uri))
    return response


@blp.post("/consent/<request_id>")
@guarded(Permission.CONSENT_GIVE)
def answer(request_id: str) -> Response:
    """Tell the program yes or no; what was kept of its request counts, whatever came back from the browser."""
    form = forms.read("decision", "member_id")
    kept = authorization_requests.find(request_id)
    if kept is None:
        return unanswerable(Unredirectable("answered"))
    _require_sure(kept)
    asked = _question(kept)
    try:
        with transaction():
            following = _following(kept, asked, form)
    except Unredirectable as fault:
        return unanswerable(fault)
    return see(following)


def page(asked: Question, action: str, **fields: str) -> Response:
    """Return the page that puts a program's question; ``fields`` come back with the answer."""
    return render_private(
        "consent.html",
        question=asked,
        action=action,
        fields=fields,
        scope_words=scopes.words,
        lasting_until=clock.text(clock.now() + LIFETIME),
        as_text=clock.text,
    )


def may_allow(decision: str) -> bool:
    """Return whether an answer is yes. Raises BadRequest where it is neither yes nor no."""
    if decision not in {"allow", "deny"}:
        raise BadRequest
    return decision == "allow"


def given(asked: Question, member_id: str) -> Consent:
    """Return what whoever is signed in allows as one of their memberships. Raises BadRequest for another's."""
    found = consenting.consent(session(), asked, member_id)
    if found is None:
        raise BadRequest
    return found


def _following(kept: Kept, asked: Question, form: dict[str, str]) -> str:
    if not may_allow(form["decision"]):
        return authorization.deny(kept)
    return authorization.approve(kept, given(asked, form["member_id"]))


def _question(kept: Kept) -> Question:
    return consenting.question(session().person_id, kept.client, kept.request.scope, kept.request.grant_ids)


def _require_sure(kept: Kept) -> None:
    """Send somebody to prove again, or better, who they are, where the program asks for that."""
    back = here() if request.method == "GET" else f"/consent/{kept.id}"
    if not _is_fresh(kept, session()):
        raise Elsewhere(sign_in(back, again="1"))
    if kept.request.acr and session().acr < kept.request.acr:
        raise Elsewhere(step_up(back, level=kept.request.acr))


def _is_fresh(kept: Kept, by: Session) -> bool:
    """Tell whether somebody signed in as lately as max_age and prompt=login ask (OpenID Connect Core 3.1.2.1)."""
    if by.authenticated_at >= kept.asked_at:
        return True
    max_age = kept.request.max_age_seconds
    if max_age is not None and (clock.now() - by.authenticated_at).total_seconds() > max_age:
        return False
    return "login" not in (kept.request.prompt or "").split()


def _source_of(redirect_uri: str) -> str:
    """Return where the program's address lies, as a source of a Content Security Policy."""
    parts = urlsplit(redirect_uri)
    source = f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"
    # An address without a name, such as [::1], cannot be written there.
    return source if _SOURCE.fullmatch(source) else f"{parts.scheme}:"
