"""One's own account: for whom one acts, who acts for one, where one is signed in, and what one signs in with."""

from urllib.parse import parse_qs, urlsplit

from flask import Response

from marketplace.identity import queries as identity
from marketplace.identity.login import account, one_time_codes, passkeys, providers, recovery_codes
from marketplace.identity.login import sessions as login
from marketplace.identity.login.errors import CodeRefused, PasswordRefused, SignInRefused
from marketplace.identity.oauth import given_consents
from marketplace.identity.permissions import Permission
from marketplace.identity.states import OrganizationState
from marketplace.kit import clock
from marketplace.kit.errors import Refusal
from marketplace.kit.transaction import transaction
from marketplace.web import forms, roles, scopes, sessions
from marketplace.web.addresses import AFTER_SIGN_IN, see
from marketplace.web.endpoint import blueprint, guarded, session
from marketplace.web.language import link
from marketplace.web.rendering import render_private
from marketplace.web.sign_in import peer, trouble_of

blp = blueprint("account")


@blp.get("/account")
@guarded(Permission.ACCOUNT_READ)
def show() -> Response:
    """Show everything about one's own account."""
    who = session()
    memberships = identity.list_memberships(who.person_id)
    return render_private(
        "account.html",
        who=who,
        memberships=[one for one in memberships if one[1].state != OrganizationState.SUSPENDED.value],
        role_words=roles.words,
        sessions=login.list_of(who.person_id),
        consents=given_consents.list_of(who.person_id),
        scope_words=scopes.words,
        generator=one_time_codes.is_set(who.person_id),
        codes_left=recovery_codes.count_left(who.person_id),
        passkeys=passkeys.list_of(who.person_id),
        passkeys_possible=passkeys.are_possible(),
        provider=providers.is_set(),
        issuers=providers.list_of(who.person_id),
        as_text=clock.text,
    )


@blp.post("/account/organization")
@guarded(Permission.ACCOUNT_MANAGE)
def choose() -> Response:
    """Act for another of one's organizations."""
    form = forms.read("member_id")
    with transaction():
        login.wear(session().id, form["member_id"])
    return _back()


@blp.post("/account/sessions/end")
@guarded(Permission.ACCOUNT_MANAGE)
def end_session() -> Response:
    """Sign out one browser, wherever it is."""
    form = forms.read("session_id")
    with transaction():
        login.revoke(form["session_id"], session().person_id)
    return _back()


@blp.post("/account/sessions/end-others")
@guarded(Permission.ACCOUNT_MANAGE)
def end_others() -> Response:
    """Sign out everywhere else, and take from all programs what one has allowed them."""
    forms.read()
    with transaction():
        login.revoke_all(session().person_id, session().id)
    return _back()


@blp.post("/account/consents/end")
@guarded(Permission.ACCOUNT_MANAGE)
def end_consent() -> Response:
    """Take from one program what one has allowed it for one organization."""
    form = forms.read("client_id", "member_id")
    with transaction():
        given_consents.end(session().person_id, form["client_id"], form["member_id"])
    return _back()


@blp.get("/account/password")
@guarded(Permission.ACCOUNT_READ)
def show_password() -> Response:
    """Ask for the present password and a new one."""
    return _password_page()


@blp.post("/account/password")
@guarded(Permission.ACCOUNT_MANAGE)
def change_password() -> Response:
    """Set another password; all other sessions end."""
    form = forms.read("old", "password")
    try:
        token = account.change_password(session(), form["old"], form["password"], peer())
    except (SignInRefused, PasswordRefused) as refusal:
        return _password_page(refusal)
    sessions.wear(token)
    return _back()


@blp.post("/account/generator")
@guarded(Permission.ACCOUNT_MANAGE)
def begin_generator() -> Response:
    """Show a new secret for a code generator; it counts once a code of it was typed."""
    forms.read()
    try:
        with transaction():
            address = one_time_codes.begin(session())
    except CodeRefused:
        return _back()  # one is set already
    return _generator_page(address)


@blp.post("/account/generator/confirm")
@guarded(Permission.ACCOUNT_MANAGE)
def confirm_generator() -> Response:
    """Set the generator that made this code, and show the recovery codes, once."""
    form = forms.read("code")
    try:
        with transaction():
            codes = one_time_codes.confirm(session(), form["code"])
    except CodeRefused as refusal:
        return _generator_page("", refusal)
    return render_private("codes.html", codes=codes)


@blp.post("/account/generator/remove")
@guarded(Permission.ACCOUNT_MANAGE)
def remove_generator() -> Response:
    """Take the code generator away, with its recovery codes."""
    forms.read()
    with transaction():
        one_time_codes.remove(session())
    return _back()


def _back() -> Response:
    return see(link(AFTER_SIGN_IN))


def _password_page(refusal: SignInRefused | PasswordRefused | None = None) -> Response:
    return render_private(
        "password.html",
        status=refusal.status if refusal else 200,
        action="/account/password",
        ask_old=True,
        trouble=trouble_of(refusal),
    )


def _generator_page(address: str, refusal: Refusal | None = None) -> Response:
    """Show a new secret as an address and as text; empty where it was shown before."""
    secret = parse_qs(urlsplit(address).query).get("secret", [""])[0]
    return render_private(
        "generator.html",
        status=refusal.status if refusal else 200,
        address=address,
        secret=" ".join(secret[place : place + 4] for place in range(0, len(secret), 4)),
        trouble=trouble_of(refusal),
    )
