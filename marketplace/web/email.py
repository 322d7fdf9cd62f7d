"""Another e-mail address for one's own account."""

from flask import Response

from marketplace.identity.login import email_change, people
from marketplace.identity.login.errors import LinkOver, SignInRefused
from marketplace.identity.permissions import Permission
from marketplace.kit.errors import Invalid
from marketplace.kit.transaction import transaction
from marketplace.web import forms
from marketplace.web.addresses import see
from marketplace.web.endpoint import blueprint, guarded, session
from marketplace.web.language import link
from marketplace.web.rendering import render_private
from marketplace.web.sign_in import peer, trouble_of

blp = blueprint("email")


@blp.get("/account/email")
@guarded(Permission.ACCOUNT_READ)
def show() -> Response:
    """Ask for the new address, and for the password where there is one."""
    return _page()


@blp.post("/account/email")
@guarded(Permission.ACCOUNT_MANAGE)
def ask() -> Response:
    """Have a link sent to the new address; the answer is the same for every address."""
    form = forms.read("email", "password")
    try:
        email_change.ask(session(), form["email"], form["password"], peer())
    except (SignInRefused, Invalid) as refusal:
        return _page(refusal, email=form["email"])
    return _page(sent=True)


@blp.get("/email/<token>")
@guarded(Permission.SIGN_IN_READ)
def show_link(token: str) -> Response:
    """Ask whoever opened a link whether the address is to be theirs."""
    if not email_change.is_open(token):
        raise LinkOver
    return render_private("email_link.html", action=f"/email/{token}")


@blp.post("/email/<token>")
@guarded(Permission.SIGN_IN)
def confirm(token: str) -> Response:
    """Set the new address; its person then signs in with it."""
    forms.read()
    with transaction():
        email_change.confirm(token)
    return see(link("/sign-in"))


def _page(refusal: SignInRefused | Invalid | None = None, *, email: str = "", sent: bool = False) -> Response:
    who = session()
    return render_private(
        "email.html",
        status=refusal.status if refusal else 200,
        present=who.email,
        email=email,
        sent=sent,
        ask_password=people.has_password(who.person_id),
        trouble=trouble_of(refusal),
    )
