"""The authorization endpoint (RFC 6749 section 3.1): where a program sends the browser of its user."""

from urllib.parse import parse_qsl

from flask import Response, request

from marketplace.identity.oauth import authorization, authorization_requests
from marketplace.identity.oauth.authorization_requests import Kept, Refused, Unredirectable
from marketplace.identity.oauth.refusals import ConsentRequired, LoginRequired
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction
from marketplace.web import sessions
from marketplace.web.addresses import see
from marketplace.web.endpoint import blueprint, guarded
from marketplace.web.language import link
from marketplace.web.rendering import render_private

blp = blueprint("authorize")
PARAMETERS_MAX = 50


@blp.get("/oauth/authorize")
@guarded(Permission.CONSENT_ASK)
def ask() -> Response:
    """Keep what a program asks for and show it to its user, or tell the program why not.

    Until the address to go back to is known to be the program's own, what is wrong is told to the user alone.
    """
    nobody = sessions.current() is None
    try:
        with transaction():
            kept = authorization_requests.receive(_parameters())
            following = _told_without_a_page(kept, nobody=nobody) or link(f"/consent/{kept.id}")
    except Unredirectable as fault:
        return unanswerable(fault)
    except Refused as refused:
        return see(authorization.refuse(refused))
    return see(following)


def unanswerable(fault: Unredirectable) -> Response:
    """Return the page for a request whose program cannot be told that it is no good."""
    return render_private("unanswerable.html", status=400, fault=str(fault))


def _parameters() -> list[tuple[str, str]]:
    """Return the parameters as they came, repeated ones too. Raises Unredirectable for what is no form."""
    query = request.query_string.decode("ascii", "replace")
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=PARAMETERS_MAX, errors="strict")
    except ValueError as error:
        raise Unredirectable("malformed") from error


def _told_without_a_page(kept: Kept, *, nobody: bool) -> str | None:
    """Return the program's address where it wants no page shown: consents are not remembered, so it gets none."""
    if "none" not in (kept.request.prompt or "").split():
        return None
    return authorization.deny(kept, LoginRequired() if nobody else ConsentRequired())
