"""One actor of the demo: an OAuth client that speaks to the exchange over HTTP and nothing else."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import requests

TIMEOUT_SECONDS = 60


class DemoFailed(Exception):
    """A step that did not go as the exchange promises."""


class Refused(DemoFailed):
    """An answer of 400 or above; ``reason`` is what the exchange said, ``status`` its HTTP status."""

    def __init__(self, what: str, response: requests.Response) -> None:
        self.status, self.reason = response.status_code, _said(response)
        super().__init__(f"{what} -> {self.status}: {self.reason}")


@dataclass
class Party:
    """An organization's API client; asks for a fresh token when the one at hand runs out."""

    role: str
    base_url: str
    organization_id: str
    client_id: str
    client_secret: str
    http: requests.Session = field(default_factory=requests.Session)
    _token: str = ""
    _token_until: float = 0.0

    def credentials(self) -> dict[str, str]:
        """Return what another program needs to act as this party."""
        return {
            "organization_id": self.organization_id,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }

    def call(self, method: str, path: str, *, expect: int | None = None, **kwargs: Any) -> requests.Response:
        """Send one request with a bearer token; raises Refused on any answer of 400 or above."""
        headers = {"Authorization": f"Bearer {self.token()}", **kwargs.pop("headers", {})}
        response = self.http.request(method, self.base_url + path, headers=headers, timeout=TIMEOUT_SECONDS, **kwargs)
        if response.status_code != expect and response.status_code >= 400:
            raise Refused(f"{self.role}: {method} {path}", response)
        return response

    def get(self, path: str, **params: Any) -> Any:
        """Read a JSON document."""
        return self.call("GET", path, params=params).json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Do a deed, under a fresh Idempotency-Key, and return its JSON answer."""
        return self.call("POST", path, json=body or {}, headers={"Idempotency-Key": str(uuid.uuid4())}).json()

    def token(self) -> str:
        """Return an access token with at least half a minute left (RFC 6749 section 4.4)."""
        if time.monotonic() > self._token_until - 30:
            response = self.http.post(
                f"{self.base_url}/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=(self.client_id, self.client_secret),
                timeout=TIMEOUT_SECONDS,
            )
            if response.status_code != 200:
                raise Refused(f"{self.role}: no token", response)
            answer = response.json()
            self._token, self._token_until = answer["access_token"], time.monotonic() + answer["expires_in"]
        return self._token


def wait_for(what: str, ready: Any, timeout_seconds: float = 120) -> Any:
    """Ask again until ``ready()`` answers with something; raises DemoFailed when it never does."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if answer := ready():
            return answer
        time.sleep(0.1)
    raise DemoFailed(f"waited in vain for {what}")


def _said(response: requests.Response) -> str:
    """Return the sentences of a problem document (RFC 9457), or the beginning of whatever came instead."""
    try:
        problem = response.json()
    except ValueError:
        return response.text[:500]
    sentence = str(problem.get("detail") or problem.get("error_description") or problem.get("title") or "")
    faults = [error for error in problem.get("errors", []) if str(error.get("detail")) not in sentence]
    told = [sentence, *(f"{error.get('pointer', '')}: {error.get('detail')}" for error in faults)]
    return " ".join(filter(None, told)) or response.text[:500]
