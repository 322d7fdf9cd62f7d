"""ID tokens of the other provider: believed only when every word of them is checked (OpenID Connect Core 3.1.3.7)."""

import json
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from marketplace.identity.login.errors import ProviderRefused
from marketplace.kit import clock

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""What a provider may sign with: neither ``none`` nor our shared secret (HS256)."""

LENGTH_MAX = 16_384
LEEWAY_SECONDS = 60
SUBJECT_LENGTH_MAX = 255
_REGISTRY = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token must be: by whom, for whom, and in answer to what."""

    issuer: str
    client_id: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is at the other provider, and how surely, in its own words."""

    issuer: str
    subject: str
    acr: str | None


def read(token: Any, jwks: Any, expected: Expected) -> Identity:
    """Return whom an ID token speaks of; raises ProviderRefused for one that fails a single check."""
    claims = _verified(token, jwks)
    _check_parties(claims, expected)
    _check_times(claims)
    subject, acr = claims.get("sub"), claims.get("acr")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LENGTH_MAX or "\0" in subject:
        raise ProviderRefused
    return Identity(expected.issuer, subject, acr if isinstance(acr, str) else None)


def _verified(token: Any, jwks: Any) -> dict[str, Any]:
    if not isinstance(token, str) or len(token) > LENGTH_MAX:
        raise ProviderRefused
    try:
        signed = jws.deserialize_compact(token, _keys(jwks), registry=_REGISTRY)
        if signed.headers().get("alg") not in ALGORITHMS or "crit" in signed.headers():
            raise ProviderRefused
        claims = json.loads(signed.payload)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ProviderRefused from error
    if not isinstance(claims, dict):
        raise ProviderRefused
    return claims


def _keys(jwks: Any) -> KeySet:
    """Return the provider's public keys; what is symmetric among them would let us be told anything."""
    entries = [key for key in jwks["keys"] if key.get("kty") in {"RSA", "EC", "OKP"} and key.get("use") != "enc"]
    return KeySet.import_key_set({"keys": entries})


def _check_parties(claims: dict[str, Any], expected: Expected) -> None:
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if claims.get("iss") != expected.issuer or claims.get("nonce") != expected.nonce:
        raise ProviderRefused
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise ProviderRefused
    # Made for others as well as for us: only good if it was made at our request.
    if (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != expected.client_id:
        raise ProviderRefused


def _check_times(claims: dict[str, Any]) -> None:
    now = clock.now().timestamp()
    expires_at, issued_at = _seconds(claims.get("exp")), _seconds(claims.get("iat"))
    if expires_at + LEEWAY_SECONDS <= now or issued_at - LEEWAY_SECONDS > now:
        raise ProviderRefused
    if "nbf" in claims and _seconds(claims["nbf"]) - LEEWAY_SECONDS > now:
        raise ProviderRefused


def _seconds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ProviderRefused
    return value
