"""Clients that prove themselves by a signature: ``private_key_jwt`` (RFC 7523 section 3, FAPI 2.0 section 5.3.2)."""

import functools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from marketplace.identity.oauth import client_keys, jwts, spent
from marketplace.identity.oauth.clients import KnownClient
from marketplace.identity.oauth.jwts import Malformed
from marketplace.kit import clock, settings

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_SECONDS_MAX = 300
LEEWAY_SECONDS = 10
JTI_LENGTH_MAX = 256


@dataclass(frozen=True, slots=True)
class Assertion:
    """A signed statement of who one is; ``client_id`` is what it says, not yet what it proves."""

    client_id: str
    token: str = field(repr=False)
    key_id: str | None = None


def read(token: str) -> Assertion | None:
    """Return what an assertion says of its sender, None for what is none."""
    try:
        key_id = jwts.header_of(token).get("kid")
        subject = jwts.claims_of(token).get("sub")
    except Malformed:
        return None
    if not isinstance(subject, str) or not (key_id is None or isinstance(key_id, str)):
        return None
    return Assertion(subject, token, key_id)


def proves(assertion: Assertion, client: KnownClient | None) -> bool:
    """Tell whether an assertion is its client's, made for this exchange, in time, and brought for the first time."""
    keys = client_keys.of(client) if client is not None else None
    try:
        claims = _verified(assertion.token, keys)
    except Malformed:
        return False
    if client is None or not _is_sound(claims, client.id):
        return False
    expires_at = datetime.fromtimestamp(claims["exp"] + LEEWAY_SECONDS, UTC)
    return spent.spend("assertion", client.id, claims["jti"], expires_at)


def _verified(token: str, keys: KeySet | None) -> dict[str, Any]:
    """Return the claims that one of the keys signed; raises Malformed.

    Who is no client, and who names a key that the client has not, costs as much to refuse as a wrong signature.
    """
    header = jwts.header_of(token)
    if header.get("alg") not in jwts.ALGORITHMS:
        raise Malformed
    key = jwts.named_key(header, keys) if keys is not None else None
    return jwts.verified(token, key if key is not None else _key_of_nobody(header["alg"]))


@functools.cache
def _key_of_nobody(algorithm: str) -> ECKey | OKPKey | RSAKey:
    if algorithm == "ES256":
        return ECKey.generate_key("P-256")
    return RSAKey.generate_key(2048) if algorithm == "PS256" else OKPKey.generate_key("Ed25519")


def _is_sound(claims: dict[str, Any], client_id: str) -> bool:
    # The audience is the issuer, as one text: a list could name another server that would take it as well.
    named = (claims.get("iss"), claims.get("sub"), claims.get("aud"))
    jti = claims.get("jti")
    if named != (client_id, client_id, settings.current().base_url):
        return False
    return isinstance(jti, str) and 0 < len(jti) <= JTI_LENGTH_MAX and _is_in_time(claims)


def _is_in_time(claims: dict[str, Any]) -> bool:
    now = clock.now().timestamp()
    expires_at = claims.get("exp")
    if type(expires_at) is not int or not now < expires_at <= now + LIFETIME_SECONDS_MAX + LEEWAY_SECONDS:
        return False
    begins = [claims[name] for name in ("nbf", "iat") if name in claims]
    return all(type(at) is int and at <= now + LEEWAY_SECONDS for at in begins)
