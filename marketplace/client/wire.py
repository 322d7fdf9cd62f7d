"""HTTP with one server: timeouts, patience where the server asks for it, and refusals as troubles."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import requests
from requests.auth import AuthBase

from marketplace import __version__
from marketplace.client import pauses
from marketplace.client.troubles import Trouble, Unreachable, refused
from marketplace.client.wording import language, plain, say

TIMEOUTS = (10, 60)
"""Seconds until a connection stands, and between two of its bytes."""

TRIES = 4
PATIENCE_SECONDS = 120
"""A server that asks for a longer pause than this ends the command."""

PAUSE_SECONDS = 2
BUSY = {429, 503}
PASSING = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
"""Troubles of a connection that may be over with the next one."""


class Unproven(AuthBase):
    """Keeps requests from looking for passwords in ~/.netrc, which would take the place of the token."""

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """Send the request as it is."""
        return prepared


class Proving(Protocol):
    """What makes a proof for each request, and hears each answer."""

    def proof(self, method: str, address: str, token: str | None) -> str:
        """Return the proof for a request that carries this token."""
        ...

    def asks_again(self, response: requests.Response) -> bool:
        """Tell whether the server asks for another proof."""
        ...


class Wire:
    """A connection to one server; ``proving`` is set where its tokens are bound to a key."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.proving: Proving | None = None
        self._http = requests.Session()
        self._http.auth = Unproven()
        self._http.headers.update(
            {
                "User-Agent": f"musubi-cli/{__version__}",
                "Accept-Language": language(),
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # bytes are counted and compared as they come
            }
        )

    def send(
        self, method: str, path: str, fresh: Callable[[], dict[str, Any]] = dict, **kwargs: Any
    ) -> requests.Response:
        """Send a request that may be repeated, and return the answer whatever it is; raises Unreachable.

        Repeated where the connection fails or the server asks for a pause (RFC 9110 section 10.2.3). ``fresh``
        is asked each time for what is good for one request alone, such as a signature.
        """
        for attempt in range(TRIES - 1):
            try:
                response = self.once(method, path, fresh, **kwargs)
            except requests.exceptions.SSLError:
                break  # no matter of trying again
            except PASSING:
                pauses.pause(2**attempt)
                continue
            if response.status_code not in BUSY:
                return response
            response.close()
            pauses.pause(self._asked_pause(response))
        with reaching(self.origin):
            return self.once(method, path, fresh, **kwargs)

    def once(
        self, method: str, path: str, fresh: Callable[[], dict[str, Any]] = dict, *, led: bool = False, **kwargs: Any
    ) -> requests.Response:
        """Send a request once; redirects are not followed, since they would carry the token elsewhere.

        Whoever may be ``led`` gets to see them.
        """
        if not path.startswith("/"):
            raise not_an_exchange(path)  # appended to an origin, it could name another host
        response = self._sent(method, path, kwargs | fresh())
        if self.proving is not None and self.proving.asks_again(response):
            response.close()
            response = self._sent(method, path, kwargs | fresh())
        if response.is_redirect and not led:
            raise Trouble(
                say(
                    f"{self.origin} は別のアドレス（{plain(response.headers['Location'])}）を示しました。",
                    f"{self.origin} points to another address: {plain(response.headers['Location'])}",
                ),
                say("取引所そのもののアドレスを使ってください。", "Use the exchange's own address."),
            )
        return response

    def _sent(self, method: str, path: str, said: dict[str, Any]) -> requests.Response:
        address, headers = self.origin + path, dict(said.pop("headers", {}))
        if self.proving is not None:
            token = headers.get("Authorization", "").partition(" ")[2]
            headers["DPoP"] = self.proving.proof(method, address, token or None)
        return self._http.request(method, address, headers=headers, timeout=TIMEOUTS, allow_redirects=False, **said)

    def _asked_pause(self, response: requests.Response) -> int:
        seconds = whole(response.headers.get("Retry-After"), PAUSE_SECONDS)
        if seconds > PATIENCE_SECONDS:
            raise Unreachable(
                say(
                    f"サーバーは {seconds} 秒待つよう求めています。", f"The server asks to wait for {seconds} seconds."
                ),
                say("その後に同じコマンドを実行してください。", "Run the same command again then."),
            )
        return max(seconds, 1)


def json_of(response: requests.Response) -> Any:
    """Return what an answer says; raises the trouble that an answer of 400 or above is."""
    try:
        document = response.json()
    except ValueError as error:
        if response.status_code >= 400:
            raise refused(response.status_code, {}) from error
        raise not_an_exchange(response.url) from error
    if response.status_code >= 400:
        raise refused(response.status_code, document if isinstance(document, dict) else {})
    return document


@contextmanager
def reaching(origin: str) -> Iterator[None]:
    """Turn what goes wrong with a connection into Unreachable."""
    try:
        yield
    except requests.RequestException as error:
        raise unreachable(origin, error) from error


def unreachable(origin: str, error: Exception) -> Unreachable:
    """Return a failed connection as trouble; certificates are no matter of trying again."""
    kind = say("証明書を確認できません", "its certificate cannot be verified")
    reason = kind if isinstance(error, requests.exceptions.SSLError) else type(error).__name__
    return Unreachable(
        say(f"{origin} に接続できません（{reason}）。", f"{origin} cannot be reached ({reason})."),
        say(
            "接続とアドレスを確かめて、同じコマンドをもう一度実行してください。",
            "Look at the connection and the address, and run the same command again.",
        ),
    )


def not_an_exchange(address: str) -> Trouble:
    """Return the trouble of a server that speaks another language."""
    return Trouble(
        say(
            f"{plain(address)} は結びの取引所の応答ではありません。",
            f"{plain(address)} is not answered by an exchange.",
        ),
        say("アドレスを確かめてください。", "Look at the address."),
    )


def whole(said: Any, otherwise: int) -> int:
    """Return a number of seconds that a server names, something else where it names none."""
    text = str(said)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else otherwise


def new_key() -> str:
    """Return a fresh Idempotency-Key."""
    return str(uuid.uuid4())
