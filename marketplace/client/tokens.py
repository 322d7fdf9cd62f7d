"""Access tokens: kept while they are good, renewed by one process at a time."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import requests

from marketplace.client import binding, keeping, metadata, proving
from marketplace.client.keeping import Login
from marketplace.client.metadata import Metadata
from marketplace.client.troubles import NotSignedIn, Trouble, login_over, refused
from marketplace.client.wire import Wire, json_of, not_an_exchange, whole
from marketplace.client.wording import say

MARGIN_SECONDS = 20
EXPIRES_SECONDS = 60
"""What is taken for the life of a token whose server does not say it."""


class Tokens:
    """The tokens of the login at one server; what other processes renew meanwhile is found in its file."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def current(self) -> str:
        """Return an access token that is good for some seconds; raises NotSignedIn."""
        login = keeping.get(self._wire.origin)
        binding.bind(self._wire, login.bound_key)
        return login.access_token if _is_good(login) else self.renewed(login.access_token)

    def renewed(self, stale: str) -> str:
        """Return another access token than this one, which the server takes no longer; raises NotSignedIn."""
        with keeping.locked(self._wire.origin):
            login = keeping.get(self._wire.origin)
            if login.access_token == stale or not _is_good(login):
                login = ask(self._wire, metadata.of(self._wire), login)
                keeping.save(login)
        return login.access_token


def ask(wire: Wire, server: Metadata, login: Login) -> Login:
    """Return a login with its next tokens; raises NotSignedIn where it is over.

    A program proves itself (RFC 6749 section 4.4), a person's consent is renewed (section 6). An answer that is lost
    may have spent the refresh token: it is sent again all the same, since nothing else is left.
    """
    form = {"grant_type": "client_credentials"}
    if not login.is_program:
        if login.refresh_token is None:
            raise login_over(wire.origin)
        form = {"grant_type": "refresh_token", "refresh_token": login.refresh_token}
    login, response = post(wire.send, wire, server, login, form)
    if response.status_code in {400, 401}:
        raise _ended(wire, login, error_of(response))
    return with_tokens(login, json_of(response))


class Send(Protocol):
    """A way to send a request: once, or until it is answered."""

    def __call__(self, method: str, path: str, fresh: Callable[[], dict[str, Any]]) -> requests.Response:
        """Send it."""
        ...


def post(
    send: Send, wire: Wire, server: Metadata, login: Login, form: dict[str, str]
) -> tuple[Login, requests.Response]:
    """Post a form to the token endpoint; a server that binds tokens to keys is given one, which the login keeps."""
    binding.bind(wire, login.bound_key)
    response = send("POST", server.token, lambda: proving.posted(login, form))
    if login.bound_key is None and error_of(response).get("error") == "invalid_dpop_proof":
        login = replace(login, bound_key=binding.fresh_key())
        binding.bind(wire, login.bound_key)
        response = send("POST", server.token, lambda: proving.posted(login, form))
    return login, response


def with_tokens(login: Login, answer: Any) -> Login:
    """Return a login with the tokens of an answer of the token endpoint (RFC 6749 section 5.1)."""
    if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
        raise not_an_exchange(login.origin)
    if str(answer.get("token_type", "")).lower() != ("dpop" if login.bound_key else "bearer"):
        raise not_an_exchange(login.origin)
    return replace(
        login,
        access_token=answer["access_token"],
        access_until=time.time() + whole(answer.get("expires_in"), EXPIRES_SECONDS),
        scope=str(answer.get("scope", login.scope)),
        refresh_token=answer.get("refresh_token", login.refresh_token),
    )


def end(wire: Wire, login: Login) -> None:
    """Tell the server that a login is over (RFC 7009): with its refresh token goes all that came of the consent."""
    binding.bind(wire, login.bound_key)
    token = login.refresh_token or login.access_token
    server = metadata.of(wire)
    response = wire.send("POST", server.revocation, lambda: proving.posted(login, {"token": token}))
    if response.status_code not in {200, 400, 401}:  # a token that is over already is over
        raise refused(response.status_code, error_of(response))


def error_of(response: Any) -> dict[str, Any]:
    """Return what an OAuth endpoint said of a refusal (RFC 6749 section 5.2)."""
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _is_good(login: Login) -> bool:
    return login.access_until - MARGIN_SECONDS > time.time()


def _ended(wire: Wire, login: Login, problem: dict[str, Any]) -> Trouble:
    if not login.is_program and problem.get("error") == "invalid_grant":
        return login_over(wire.origin)
    if problem.get("error") in {"invalid_client", "unauthorized_client"}:
        return NotSignedIn(
            say(f"{wire.origin} はこのクライアントを受け付けません。", f"{wire.origin} does not take this client."),
            say(
                "クライアントID と、秘密または鍵のファイルを確かめてください。",
                "Look at the client id and at the file of its secret or key.",
            ),
        )
    return refused(400, problem)
