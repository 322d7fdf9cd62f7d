"""Signing in and out: a password, then a code where somebody has a code generator."""

from flask import Response, request

from marketplace.identity.login import one_time_codes, passkeys, providers, signing_in
from marketplace.identity.login import sessions as login
from marketplace.identity.login.errors import AttemptOver, CodeRefused, SignInRefused
from marketplace.identity.login.signing_in import SecondFactorNeeded
from marketplace.identity.permissions import Permission
from marketplace.identity.states import Assurance
from marketplace.kit.errors import NotFound, Refusal
from marketplace.kit.transaction import transaction
from marketplace.web import forms, sessions
from marketplace.web.addresses import AFTER_SIGN_IN, see, sign_in
from marketplace.web.endpoint import blueprint, guarded, session
from marketplace.web.language import link, say
from marketplace.web.rendering import render_private

blp = blueprint("sign_in")
CODE = "/sign-in/code"
SECOND_FACTOR = "/sign-in/second-factor"


@blp.get("/sign-in")
@guarded(Permission.SIGN_IN_READ)
def show() -> Response:
    """Show the ways to sign in."""
    return _page(_following(request.args.get("next", "")), again=bool(request.args.get("again")))


@blp.post("/sign-in")
@guarded(Permission.SIGN_IN)
def with_password() -> Response:
    """Sign somebody in with a password, or go on to the second factor."""
    form = forms.read("email", "password", "next")
    following = _following(form["next"])
    try:
        outcome = signing_in.with_password(form["email"], form["password"], peer(), user_agent(), following)
    except SignInRefused as refusal:
        return _page(following, trouble=refusal, email=form["email"])
    if isinstance(outcome, SecondFactorNeeded):
        sessions.keep_attempt(outcome.attempt_token)
        return see(link(CODE))
    return arrive(outcome.session_token, outcome.next_path)


@blp.get("/sign-in/code")
@guarded(Permission.SIGN_IN_READ)
def ask_code() -> Response:
    """Ask for the second factor of a sign-in half done."""
    return _code_page(CODE) if sessions.attempt() else see(link("/sign-in"))


@blp.post("/sign-in/code")
@guarded(Permission.SIGN_IN)
def with_code() -> Response:
    """Finish a sign-in with a code of the generator, or a recovery code."""
    form = forms.read("code")
    try:
        outcome = signing_in.with_code(sessions.attempt(), form["code"])
    except CodeRefused as refusal:
        return _code_page(CODE, trouble=refusal)
    except AttemptOver:
        sessions.keep_attempt("")
        return see(link("/sign-in"))
    return arrive(outcome.session_token, outcome.next_path)


@blp.get("/sign-in/second-factor")
@guarded(Permission.ACCOUNT_READ)
def ask_again() -> Response:
    """Ask somebody who is signed in for their second factor, before a deed of weight."""
    following = _following(request.args.get("next", ""))
    level = request.args.get("level", "")
    who = session().person_id
    if level > Assurance.AAL2 or (level and not login.has_second_factor(who)):
        return _code_page(SECOND_FACTOR, can=False)
    if not one_time_codes.is_set(who):
        return see(sign_in(following, again="1"))
    return _code_page(SECOND_FACTOR, fields={"next": following})


@blp.post("/sign-in/second-factor")
@guarded(Permission.ACCOUNT_MANAGE)
def prove_again() -> Response:
    """Note that somebody who is signed in has proved their second factor."""
    form = forms.read("code", "next")
    following = _following(form["next"])
    try:
        token = signing_in.again_with_code(session(), form["code"])
    except CodeRefused as refusal:
        return _code_page(SECOND_FACTOR, fields={"next": following}, trouble=refusal)
    sessions.wear(token)
    return see(following)


@blp.post("/sign-out")
@guarded(Permission.SIGN_IN)
def leave() -> Response:
    """End the session on the server as well as in the browser."""
    end_present()
    sessions.undress()
    answer = see(link("/"))
    # Nothing of ours lies there but what a browser keeps against our wish; cookies of sister sites must stay.
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


def arrive(token: str, following: str) -> Response:
    """Give the browser its new session and send it on; another one that it had before is over."""
    arrived, present = login.find(token), sessions.current()
    # Linking an identity only renews the token of the session there is.
    if arrived is None or present is None or arrived.id != present.id:
        end_present()
    sessions.wear(token)
    return see(following)


def end_present() -> None:
    """End the session of this browser, if it has one."""
    present = sessions.current()
    if present is None:
        return
    try:
        with transaction():
            login.revoke(present.id, present.person_id)
    except NotFound:
        return  # ended by another request meanwhile


def peer() -> str:
    """Return the network address of the browser."""
    return request.remote_addr or ""


def user_agent() -> str:
    """Return how the browser names itself."""
    return request.headers.get("User-Agent", "")


def trouble_of(refusal: Refusal | None) -> str:
    """Return what was wrong and what to do, in the reader's language."""
    return say(f"{refusal.cause_ja}{refusal.cure_ja}", f"{refusal.cause} {refusal.cure}") if refusal else ""


def _following(given: str) -> str:
    return forms.next_path(given, AFTER_SIGN_IN)


def _page(following: str, *, again: bool = False, trouble: Refusal | None = None, email: str = "") -> Response:
    return render_private(
        "sign_in.html",
        status=trouble.status if trouble else 200,
        following=following,
        again=again,
        trouble=trouble_of(trouble),
        email=email,
        provider=providers.is_set(),
        passkeys_possible=passkeys.are_possible(),
    )


def _code_page(
    action: str, *, fields: dict[str, str] | None = None, trouble: Refusal | None = None, can: bool = True
) -> Response:
    return render_private(
        "code.html",
        status=trouble.status if trouble else 200,
        action=action,
        fields=fields or {},
        trouble=trouble_of(trouble),
        can=can,
    )
