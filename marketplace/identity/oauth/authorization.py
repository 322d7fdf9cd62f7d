"""The answer of the authorization endpoint: a code, or why there is none, at the client's own address."""

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.identity.oauth import authorization_requests, codes
from marketplace.identity.oauth.authorization_requests import Kept, Refused, Unredirectable
from marketplace.identity.oauth.codes import Bound
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.oauth.refusals import AccessDenied
from marketplace.kit import settings


def approve(kept: Kept, consent: Consent) -> str:
    """Let the client have what a person allowed; returns where their browser goes next.

    What is given is what was kept of the request, whatever came back from the browser. Raises Unredirectable when
    the request was answered before, or is too old.
    """
    _close(kept)
    request = kept.request
    bound = Bound(kept.client.id, request.redirect_uri, request.code_challenge, request.dpop_jkt)
    code = codes.issue(bound, consent)
    audit.record(
        Actor(consent.organization_id, kept.client.id, consent.member_id),
        Verb.CONSENT_GIVEN,
        subject=kept.client.id,
        counterparty=kept.client.organization_id,
        facts={"scope": consent.scope, "grants": list(consent.grant_ids or ()), "acr": consent.acr},
    )
    return _address(request.redirect_uri, request.state, code=code)


def deny(kept: Kept, error: OAuth2Error | None = None) -> str:
    """Tell the client that it gets nothing; returns where the person's browser goes next. Raises Unredirectable."""
    _close(kept)
    return refuse(Refused(error or AccessDenied(), kept.request.redirect_uri, kept.request.state))


def refuse(refused: Refused) -> str:
    """Return the client's address with what was wrong with its request, and who says so (RFC 9207)."""
    return _address(refused.redirect_uri, refused.state, **dict(refused.error.get_body()))


def _close(kept: Kept) -> None:
    if not authorization_requests.answer(kept.id):
        raise Unredirectable("answered")


def _address(redirect_uri: str, state: str | None, **said: str) -> str:
    told = said | ({"state": state} if state is not None else {}) | {"iss": settings.current().base_url}
    return str(add_params_to_uri(redirect_uri, list(told.items())))
