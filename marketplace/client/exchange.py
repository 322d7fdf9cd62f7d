"""An exchange as one signed in there sees it: what the commands ask of its API."""

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import requests

from marketplace.client import keeping
from marketplace.client.tokens import Tokens
from marketplace.client.troubles import NotSignedIn
from marketplace.client.wire import Wire, json_of

PAGE_SIZE = 100


class Exchange:
    """One server, with the login that is kept for it, or as anybody where there is none."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.wire = Wire(origin)
        self._tokens = Tokens(self.wire)

    def ask(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """Send a request as who one is, with another token where this one is taken no longer; raises NotSignedIn."""
        headers = kwargs.pop("headers", {})
        token = self._tokens.current()
        response = self.wire.send(method, path, headers=headers | self._bearing(token), **kwargs)
        if response.status_code == 401:
            response.close()
            token = self._tokens.renewed(token)
            response = self.wire.send(method, path, headers=headers | self._bearing(token), **kwargs)
        return response

    def read(self, path: str, **params: Any) -> Any:
        """Return a document; raises the trouble that a refusal is."""
        return json_of(self.ask("GET", path, params=_given(params)))

    def read_public(self, path: str, **params: Any) -> Any:
        """Return a public document; whoever is signed in sees what is theirs alone as well."""
        with contextlib.suppress(NotSignedIn):
            return self.read(path, **params)
        return json_of(self.wire.send("GET", path, params=_given(params)))

    def walk(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Go through all items of a list, page by page."""
        cursor = None
        while True:
            page = self.read(path, size=PAGE_SIZE, cursor=cursor, **params)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _bearing(self, token: str) -> dict[str, str]:
        scheme = "Bearer" if self.wire.proving is None else "DPoP"
        return {"Authorization": f"{scheme} {token}"}

    def grants(self, **wanted: str) -> Iterator[dict[str, Any]]:
        """Go through what one's organization has bought, newest first; ``wanted`` names members and their values."""
        login = keeping.get(self.origin)
        own = {"organization_id": login.organization_id} if login.organization_id else {}
        for grant in self.walk("/v1/grants"):
            if all(grant.get(name) == value for name, value in (own | wanted).items()):
                yield grant


def part(text: str) -> str:
    """Return a text as one step of a path."""
    return quote(text, safe="")


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
