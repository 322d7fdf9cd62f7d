"""Another OpenID provider: on the way to it, and back from it."""

from flask import Response, request

from marketplace.identity.login import providers
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction
from marketplace.web import forms, language, sessions
from marketplace.web.addresses import AFTER_SIGN_IN, see
from marketplace.web.endpoint import blueprint, guarded, session
from marketplace.web.language import link
from marketplace.web.rendering import render_private
from marketplace.web.sign_in import arrive, user_agent

blp = blueprint("providers")


@blp.post("/sign-in/provider")
@guarded(Permission.SIGN_IN)
def leave() -> Response:
    """Send somebody to the provider, to sign in or to accept an invitation."""
    form = forms.read("next", "invitation")
    following = forms.next_path(form["next"], AFTER_SIGN_IN)
    invitation = form["invitation"] or None
    return _on_the_way(*providers.begin(following, invitation_token=invitation, locale=language.chosen()))


@blp.get("/sign-in/provider/callback")
@guarded(Permission.SIGN_IN_READ)
def come_back() -> Response:
    """Take the provider's answer, for the browser that was sent there alone."""
    present = sessions.current()
    outcome = providers.finish(sessions.attempt(), request.args, user_agent(), present)
    return arrive(outcome.session_token, outcome.next_path)


@blp.post("/account/provider")
@guarded(Permission.ACCOUNT_MANAGE)
def link_identity() -> Response:
    """Send somebody who is signed in to the provider, to link who they are there."""
    forms.read()
    return _on_the_way(*providers.begin(AFTER_SIGN_IN, session=session(), locale=language.chosen()))


@blp.post("/account/provider/unlink")
@guarded(Permission.ACCOUNT_MANAGE)
def unlink_identity() -> Response:
    """Forget who somebody is at the provider."""
    form = forms.read("issuer")
    with transaction():
        providers.unlink(session(), form["issuer"])
    return see(link(AFTER_SIGN_IN))


def _on_the_way(address: str, token: str) -> Response:
    """Show a page that goes on by itself: browsers let a form lead to no other site, a page may."""
    sessions.keep_attempt(token)
    response = render_private("provider.html", address=address)
    response.headers["Refresh"] = f"0; url={address}"
    return response
