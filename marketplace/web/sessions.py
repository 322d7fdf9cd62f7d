"""The browser's cookies, and who is signed in with it. The cookies hold nothing but random tokens (OWASP ASVS V3.3)."""

import secrets

from flask import Response, request

from marketplace.identity.login import sessions as login
from marketplace.identity.login.sessions import Session
from marketplace.kit import settings

SESSION, VISITOR, ATTEMPT = "musubi", "musubi-visitor", "musubi-attempt"
_FOUND, _COOKIES = "marketplace.session", "marketplace.cookies"
_TOKEN_LENGTH_MAX = 200


def current() -> Session | None:
    """Return the session of whoever is signed in with this browser, None for nobody."""
    # Kept with the request, not with the application's context, which tests share between requests.
    if _FOUND not in request.environ:
        token = _read(SESSION)
        request.environ[_FOUND] = login.find(token) if token else None
    found: Session | None = request.environ[_FOUND]
    return found


def person_id() -> str | None:
    """Return who this request was found to come from; nobody is looked up for it."""
    found: Session | None = request.environ.get(_FOUND)
    return found.person_id if found else None


def wear(token: str) -> None:
    """Give the browser the token of a session that was just opened, in place of all it had."""
    request.environ.pop(_FOUND, None)
    _set(SESSION, token)
    _set(ATTEMPT, "")


def undress() -> None:
    """Take the session's token from the browser."""
    request.environ[_FOUND] = None
    _set(SESSION, "")


def visitor() -> str:
    """Return a random name of this browser, for forms before anybody has signed in; made when first asked for."""
    kept = request.environ.get(_COOKIES, {}).get(VISITOR) or _read(VISITOR)
    if not kept:
        kept = secrets.token_urlsafe(32)
        _set(VISITOR, kept)
    return str(kept)


def keep_attempt(token: str) -> None:
    """Keep the token of a sign-in half done in the browser; empty to forget it."""
    _set(ATTEMPT, token)


def attempt() -> str:
    """Return the token of a sign-in half done, empty where there is none."""
    return _read(ATTEMPT)


def send(response: Response) -> Response:
    """Send the cookies that this request has set: no script reads them, no other site's forms bring them."""
    for name, value in request.environ.get(_COOKIES, {}).items():
        response.set_cookie(
            _name(name),
            value,
            max_age=None if value else 0,
            secure=_secure(),
            httponly=True,
            samesite="Lax",
            path="/",
        )
    return response


def _set(name: str, value: str) -> None:
    request.environ.setdefault(_COOKIES, {})[name] = value


def _read(name: str) -> str:
    value = request.cookies.get(_name(name), "")
    return value if value.isascii() and value.isprintable() and len(value) <= _TOKEN_LENGTH_MAX else ""


def _name(name: str) -> str:
    """Browsers take a ``__Host-`` cookie only over TLS, for this host alone; plain HTTP is for the loopback."""
    return f"__Host-{name}" if _secure() else name


def _secure() -> bool:
    return settings.current().base_url.startswith("https://")
