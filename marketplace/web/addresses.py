"""Addresses within the exchange: where somebody is sent next, never to another site."""

from urllib.parse import urlsplit

from flask import Response, current_app, make_response, redirect, request
from werkzeug.exceptions import BadRequest, HTTPException

from marketplace.web.language import link

LENGTH_MAX = 2000
AFTER_SIGN_IN = "/account"


class Elsewhere(HTTPException):
    """Go on at another address, whatever was asked for here."""

    code = 303

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    def get_response(self, *_args: object, **_kwargs: object) -> Response:
        """Return the redirect, kept out of caches."""
        return see(self.address)


def see(address: str) -> Response:
    """Send the browser on with a GET (303), so that no credential is sent twice; kept out of caches."""
    response = make_response(redirect(address, 303))
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def local_path(address: str) -> str:
    r"""Return an address that stays within the exchange. Raises BadRequest for any other.

    Browsers take ``//host``, ``/\host`` and the same with tabs or line ends in between for another site.
    """
    harmless = address.isascii() and all(" " < character not in '\\"<>' for character in address)
    if not harmless or not address.startswith("/") or address.startswith("//") or len(address) > LENGTH_MAX:
        raise BadRequest
    if urlsplit(address).netloc:
        raise BadRequest
    return address


def here() -> str:
    """Return the address of the page that is asked for, with its query."""
    query = request.query_string.decode("ascii", "replace")
    return f"{request.path}?{query}" if query else request.path


def sign_in_again() -> Elsewhere:
    """Return the way to the sign-in page and back here; what was posted is not kept."""
    return Elsewhere(sign_in(_page_of_this()))


def prove_again(**more: str) -> Elsewhere:
    """Return the way to the page that asks for a second factor and back here; what was posted is not kept."""
    return Elsewhere(step_up(_page_of_this(), **more))


def _page_of_this() -> str:
    if request.method in {"GET", "HEAD"}:
        return here()
    return request.path if _has_page(request.path) else AFTER_SIGN_IN


def _has_page(path: str) -> bool:
    return not path.startswith("/sign-") and current_app.url_map.bind("").test(path, "GET")


def sign_in(following: str, **more: str) -> str:
    """Return the address of the sign-in page, which leads on to another one of ours."""
    return link("/sign-in", [("next", following), *more.items()])


def step_up(following: str, **more: str) -> str:
    """Return the address of the page that asks for a second factor, and leads on to another one of ours."""
    return link("/sign-in/second-factor", [("next", following), *more.items()])
