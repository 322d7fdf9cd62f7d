"""Passkeys: the two pages that run a script, since a browser asks an authenticator for nobody else."""

from flask import Response, request

from marketplace.identity.login import passkeys
from marketplace.identity.login.errors import AttemptOver, PasskeyRefused
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction
from marketplace.web import forms, sessions
from marketplace.web.addresses import AFTER_SIGN_IN, see
from marketplace.web.endpoint import blueprint, guarded, session
from marketplace.web.language import link
from marketplace.web.rendering import render_private
from marketplace.web.sign_in import arrive, trouble_of, user_agent

blp = blueprint("passkeys")
SCRIPT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


@blp.get("/sign-in/passkey")
@guarded(Permission.SIGN_IN_READ)
def ask() -> Response:
    """Have the browser ask its authenticators for a passkey of this exchange."""
    return _ask(forms.next_path(request.args.get("next", ""), AFTER_SIGN_IN))


@blp.post("/sign-in/passkey")
@guarded(Permission.SIGN_IN)
def enter() -> Response:
    """Sign somebody in by what their authenticator answered."""
    form = forms.read("credential", "next")
    following = forms.next_path(form["next"], AFTER_SIGN_IN)
    try:
        outcome = passkeys.sign_in(sessions.attempt(), form["credential"], user_agent())
    except (PasskeyRefused, AttemptOver) as refusal:
        return _ask(following, refusal)
    return arrive(outcome.session_token, outcome.next_path)


@blp.get("/account/passkeys/new")
@guarded(Permission.ACCOUNT_READ)
def ask_new() -> Response:
    """Have the browser make a passkey for this exchange."""
    return _ask_new()


@blp.post("/account/passkeys/new")
@guarded(Permission.ACCOUNT_MANAGE)
def add() -> Response:
    """Keep the passkey that an authenticator made."""
    form = forms.read("credential", "name")
    try:
        passkeys.add(session(), sessions.attempt(), form["credential"], form["name"])
    except (PasskeyRefused, AttemptOver) as refusal:
        return _ask_new(refusal)
    sessions.keep_attempt("")
    return see(link(AFTER_SIGN_IN))


@blp.post("/account/passkeys/remove")
@guarded(Permission.ACCOUNT_MANAGE)
def remove() -> Response:
    """Forget a passkey."""
    form = forms.read("passkey_id")
    with transaction():
        passkeys.remove(session(), form["passkey_id"])
    return see(link(AFTER_SIGN_IN))


def _ask(following: str, refusal: PasskeyRefused | AttemptOver | None = None) -> Response:
    with transaction():
        options, token = passkeys.begin(following)
    return _page("get", options, token, action="/sign-in/passkey", fields={"next": following}, refusal=refusal)


def _ask_new(refusal: PasskeyRefused | AttemptOver | None = None) -> Response:
    with transaction():
        options, token = passkeys.begin_adding(session())
    return _page("create", options, token, action="/account/passkeys/new", fields={}, refusal=refusal)


def _page(
    deed: str,
    options: str,
    token: str,
    *,
    action: str,
    fields: dict[str, str],
    refusal: PasskeyRefused | AttemptOver | None,
) -> Response:
    sessions.keep_attempt(token)
    response = render_private(
        "passkey.html",
        status=refusal.status if refusal else 200,
        deed=deed,
        options=options,
        action=action,
        fields=fields,
        trouble=trouble_of(refusal),
    )
    response.headers["Content-Security-Policy"] = SCRIPT_POLICY
    return response
