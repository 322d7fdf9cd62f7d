"""DPoP: a proof that whoever sends a request holds the key that its token is bound to (RFC 9449)."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from marketplace.identity.oauth import jwts, spent
from marketplace.identity.oauth.jwts import Malformed
from marketplace.identity.oauth.refusals import InvalidDpopProof, UseDpopNonce
from marketplace.kit import clock, installation_key, settings

TYPE = "dpop+jwt"
IAT_LEEWAY_SECONDS = 60
NONCE_SECONDS = 300
"""A nonce is good for this window of time and the next."""

JTI_LENGTH_MAX = 256
_PURPOSE = "dpop nonce"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Call:
    """The request that a proof must be made for: ``path`` decoded, ``access_token`` where one is sent along."""

    method: str
    path: str
    access_token: str | None = None


def proven_key(proofs: Sequence[str], call: Call) -> str | None:
    """Return the thumbprint of the key that a request proves to hold (RFC 7638), None where it brings no proof.

    Raises InvalidDpopProof, or UseDpopNonce with a fresh nonce (RFC 9449 sections 4.3, 8 and 9).
    """
    if not proofs:
        return None
    if len(proofs) > 1:
        raise InvalidDpopProof("Send one DPoP proof.")
    try:
        key = _key_of(proofs[0])
        claims = jwts.verified(proofs[0], key)
    except Malformed as error:
        raise InvalidDpopProof("The DPoP proof is not well formed, or its signature is wrong.") from error
    _check(claims, call)
    thumbprint = str(key.thumbprint())
    _spend(thumbprint, claims)
    return thumbprint


def fresh_nonce() -> str:
    """Return the nonce of the present window: no state, the same from every process."""
    return _nonce(int(clock.now().timestamp()) // NONCE_SECONDS)


def _key_of(proof: str) -> Any:
    header = jwts.header_of(proof)
    if header.get("typ") != TYPE:
        raise Malformed
    return jwts.public_key(header.get("jwk"))


def _check(claims: dict[str, Any], call: Call) -> None:
    if not _is_text(claims.get("jti")) or claims.get("htm") != call.method or not _is_for(claims.get("htu"), call.path):
        raise InvalidDpopProof("The DPoP proof was made for another request.")
    issued_at, now = claims.get("iat"), clock.now().timestamp()
    # Compared, not subtracted: a number of a hundred digits is no float.
    if type(issued_at) is not int or not now - IAT_LEEWAY_SECONDS <= issued_at <= now + IAT_LEEWAY_SECONDS:
        raise InvalidDpopProof("The DPoP proof is too old, or from the future.")
    if call.access_token is not None and not _same(claims.get("ath"), hash_of(call.access_token)):
        raise InvalidDpopProof("The DPoP proof was made for another access token.")
    if not _is_fresh(claims.get("nonce")):
        raise UseDpopNonce(fresh_nonce())


def hash_of(access_token: str) -> str:
    """Return the ``ath`` of an access token (RFC 9449 section 4.2)."""
    digest = hashlib.sha256(access_token.encode("ascii", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _spend(thumbprint: str, claims: dict[str, Any]) -> None:
    expires_at = clock.now() + timedelta(seconds=2 * IAT_LEEWAY_SECONDS)
    if not spent.spend("dpop", thumbprint, claims["jti"], expires_at):
        raise InvalidDpopProof("The DPoP proof was used before.")


def _is_for(htu: object, path: str) -> bool:
    """Compare addresses as RFC 3986 section 6.2.3 does, without query and fragment."""
    if not isinstance(htu, str):
        return False
    try:
        return _parts(htu) == (*_parts(settings.current().base_url)[:2], path)
    except ValueError:
        return False


def _parts(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    port = parts.port or _DEFAULT_PORTS.get(scheme)
    return scheme, f"{(parts.hostname or '').lower()}:{port}", unquote(parts.path)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= JTI_LENGTH_MAX


def _same(given: object, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _is_fresh(nonce: object) -> bool:
    window = int(clock.now().timestamp()) // NONCE_SECONDS
    return any(_same(nonce, _nonce(one)) for one in (window, window - 1))


def _nonce(window: int) -> str:
    tag = hmac.new(installation_key.derived(_PURPOSE), str(window).encode(), hashlib.sha256).digest()[:18]
    return base64.urlsafe_b64encode(tag).decode("ascii")
