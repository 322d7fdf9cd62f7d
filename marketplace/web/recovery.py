"""Forgotten passwords, and invitations: what links in letters lead to."""

from flask import Response

from marketplace.identity.login import invitations, providers, recovery
from marketplace.identity.login import sessions as login
from marketplace.identity.login.errors import LinkOver, PasswordRefused, SignInFirst
from marketplace.identity.permissions import Permission
from marketplace.identity.states import Assurance
from marketplace.kit.transaction import transaction
from marketplace.web import forms, language, roles, sessions
from marketplace.web.addresses import AFTER_SIGN_IN, see, sign_in
from marketplace.web.endpoint import blueprint, guarded
from marketplace.web.language import link
from marketplace.web.rendering import render_private
from marketplace.web.sign_in import arrive, peer, trouble_of, user_agent

blp = blueprint("recovery")


@blp.get("/forgotten")
@guarded(Permission.SIGN_IN_READ)
def show_forgotten() -> Response:
    """Ask for the address of whoever has forgotten their password."""
    return render_private("forgotten.html", sent=False)


@blp.post("/forgotten")
@guarded(Permission.SIGN_IN)
def ask_for_link() -> Response:
    """Have a link sent if the address is somebody's; the answer is the same for every address."""
    form = forms.read("email")
    with transaction():
        recovery.ask(form["email"], peer())
    return render_private("forgotten.html", sent=True)


@blp.get("/recovery/<token>")
@guarded(Permission.SIGN_IN_READ)
def show_recovery(token: str) -> Response:
    """Ask for a new password."""
    if not recovery.is_open(token):
        raise LinkOver
    return _password_page(token)


@blp.post("/recovery/<token>")
@guarded(Permission.SIGN_IN)
def set_anew(token: str) -> Response:
    """Set the new password; its person then signs in with it, second factor included."""
    form = forms.read("password")
    try:
        recovery.reset(token, form["password"])
    except PasswordRefused as refusal:
        return _password_page(token, refusal)
    return see(link("/sign-in"))


@blp.get("/invitation/<token>")
@guarded(Permission.SIGN_IN_READ)
def show_invitation(token: str) -> Response:
    """Say who invites to what."""
    return _invitation_page(token)


@blp.post("/invitation/<token>")
@guarded(Permission.SIGN_IN)
def accept(token: str) -> Response:
    """Join as who is signed in, or as a new person with a password."""
    form = forms.read("password")
    present = sessions.current()
    if present is not None:
        with transaction():
            member_id = invitations.accept_as(token, present.person_id)
            login.wear(present.id, member_id)
        return see(link(AFTER_SIGN_IN))
    try:
        person_id = invitations.accept_with_password(token, form["password"], language.chosen())
    except (PasswordRefused, SignInFirst) as refusal:
        return _invitation_page(token, refusal)
    with transaction():
        opened = login.open_session(person_id, Assurance.AAL1, user_agent())
    return arrive(opened, link(AFTER_SIGN_IN))


def _password_page(token: str, refusal: PasswordRefused | None = None) -> Response:
    return render_private(
        "password.html",
        status=refusal.status if refusal else 200,
        action=f"/recovery/{token}",
        ask_old=False,
        trouble=trouble_of(refusal),
    )


def _invitation_page(token: str, refusal: PasswordRefused | SignInFirst | None = None) -> Response:
    invited = invitations.find(token)
    if invited is None:
        raise LinkOver
    return render_private(
        "invitation.html",
        status=refusal.status if refusal else 200,
        invited=invited,
        role=roles.words(invited.role),
        action=f"/invitation/{token}",
        token=token,
        signed_in=sessions.current() is not None,
        sign_in=sign_in(f"/invitation/{token}"),
        provider=providers.is_set(),
        trouble=trouble_of(refusal),
    )
