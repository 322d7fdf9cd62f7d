"""What is asked of the other provider over HTTP: where its endpoints are, its keys, and tokens for a code.

Its address is the operator's choice, so that it may lie in the city's own network: not ``kit.outbound``, which is for
addresses that strangers name.
"""

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from marketplace.identity.login.errors import ProviderRefused
from marketplace.kit import settings
from marketplace.kit.errors import Unavailable

TIMEOUT_SECONDS = 10
KEPT_SECONDS = 600
ANSWER_BYTES_MAX = 256 * 1024

_kept: dict[str, tuple[float, Any]] = {}


@dataclass(frozen=True, slots=True)
class Provider:
    """Where the other provider is asked for what (OpenID Connect Discovery section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    names_itself: bool


def provider() -> Provider:
    """Return the provider of the settings; raises ProviderRefused without one, Unavailable where it does not answer."""
    issuer = settings.current().oidc_issuer
    if issuer is None:
        raise ProviderRefused("This exchange knows no other provider.")
    found = _kept_or_fetched(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    # Discovery section 4.3: to the letter, so that no other issuer's endpoints are taken for this one's.
    if found.get("issuer") != issuer:
        raise Unavailable("The other provider names another issuer than the settings do.")
    return Provider(
        issuer=issuer,
        authorization_endpoint=_address(found, "authorization_endpoint"),
        token_endpoint=_address(found, "token_endpoint"),
        jwks_uri=_address(found, "jwks_uri"),
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
    )


def keys(known: Provider, *, anew: bool = False) -> Any:
    """Return the provider's JWK set, kept for ten minutes; ``anew`` asks for it though it is kept."""
    return _kept_or_fetched(known.jwks_uri, anew=anew)


def redeem(known: Provider, code: str, redirect_uri: str, verifier: str) -> Any:
    """Change a code for an ID token (RFC 6749 section 4.1.3, RFC 7636 section 4.5); raises ProviderRefused."""
    chosen = settings.current()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
    who = (quote(chosen.oidc_client_id or "", safe=""), quote(chosen.oidc_client_secret or "", safe=""))
    status, answer = _asked("POST", known.token_endpoint, data=form, auth=who)
    if status != 200:
        raise ProviderRefused
    return answer.get("id_token")


def forget() -> None:
    """Forget what is kept of the provider, for tests."""
    _kept.clear()


def _kept_or_fetched(url: str, *, anew: bool = False) -> Any:
    until, answer = _kept.get(url, (0.0, None))
    if anew or time.monotonic() >= until:
        status, answer = _asked("GET", url)
        if status != 200:
            raise Unavailable("The other provider does not answer as it should.")
        _kept[url] = (time.monotonic() + KEPT_SECONDS, answer)
    return answer


def _asked(method: str, url: str, **how: Any) -> tuple[int, dict[str, Any]]:
    try:
        with requests.request(
            method,
            url,
            headers={"Accept": "application/json"},
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
            **how,
        ) as response:
            answer = json.loads(_body(response))
    except (requests.RequestException, OSError, ValueError, RecursionError) as error:
        raise Unavailable("The other provider does not answer as it should.") from error
    if not isinstance(answer, dict):
        raise Unavailable("The other provider does not answer as it should.")
    return response.status_code, answer


def _body(response: requests.Response) -> bytes:
    body = bytearray()
    for piece in response.iter_content(16_384):
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise ValueError("too much of an answer")
    return bytes(body)


def _address(found: dict[str, Any], name: str) -> str:
    url = found.get(name)
    if not isinstance(url, str):
        raise Unavailable(f"The other provider names no {name}.")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in settings.LOOPBACK):
        raise Unavailable(f"The other provider names a {name} that is not https.")
    return url
