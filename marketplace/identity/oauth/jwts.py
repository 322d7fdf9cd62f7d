"""JWTs that strangers signed: read without trusting a word of them until the signature is found good."""

import base64
import binascii
import json
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

ALGORITHMS = ["ES256", "PS256", "EdDSA", "Ed25519"]
"""What strangers may sign with: neither ``none`` nor a secret of ours (HS256) nor RSA with PKCS #1 v1.5."""

LENGTH_MAX = 8192
_KEYS: dict[str, Any] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
RSA_BYTES_MIN, RSA_BYTES_MAX = 256, 1024
"""2048 bits are the least that is safe; beyond 8192 a signature takes longer to check than a stranger is worth."""

EXPONENT_BYTES_MAX = 8
CURVES = {"P-256", "Ed25519"}


class Malformed(Exception):
    """Not a JWT that we take."""


class _Registry(jws.JWSRegistry):
    """joserfc's registry with room for an RSA key in a header, and without a warning for each EdDSA of a client.

    The name EdDSA is deprecated (RFC 9864), which is its clients' affair: their keys are Ed25519 here by either name.
    """

    max_header_length = LENGTH_MAX
    max_payload_length = LENGTH_MAX

    def get_alg(self, name: str) -> Any:
        """Return an algorithm that strangers may sign with; raises UnsupportedAlgorithmError for all others."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRY = _Registry(algorithms=ALGORITHMS, strict_check_header=False)


def header_of(token: str) -> dict[str, Any]:
    """Return the header of a compact JWS, not yet trusted; raises Malformed."""
    if len(token) > LENGTH_MAX or token.count(".") != 2:
        raise Malformed
    return _object(_decoded(token.partition(".")[0]))


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a compact JWS, not yet trusted; raises Malformed."""
    if len(token) > LENGTH_MAX or token.count(".") != 2:
        raise Malformed
    return _object(_decoded(token.split(".")[1]))


def named_key(header: dict[str, Any], keys: KeySet) -> Any:
    """Return the key of a set that a header names and that fits its algorithm, one of ours; None without such a key."""
    try:
        key = keys.get_by_kid(header.get("kid"), {"alg": header["alg"]})
    except JoseError:
        return None
    return key if key.key_type == _REGISTRY.get_alg(header["alg"]).key_type else None


def verified(token: str, key: Any) -> dict[str, Any]:
    """Return the claims of a token that this key signed; raises Malformed."""
    header = header_of(token)
    if header.get("alg") not in ALGORITHMS or "crit" in header:
        raise Malformed
    try:
        signed = jws.deserialize_compact(token, key, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise Malformed from error
    return _object(signed.payload)


def public_key(jwk: Any) -> Any:
    """Return the key of a public JWK that is fit for use here; raises Malformed for any other."""
    if not isinstance(jwk, dict) or PRIVATE & set(jwk) or not isinstance(jwk.get("kid", ""), str):
        raise Malformed
    if jwk.get("kty") == "RSA" and not _is_of_good_size(jwk):
        raise Malformed
    try:
        key = _KEYS[str(jwk.get("kty"))].import_key(jwk)
    except (KeyError, ValueError, TypeError, JoseError) as error:
        raise Malformed from error
    if isinstance(key, ECKey | OKPKey) and key.curve_name not in CURVES:
        raise Malformed
    return key


def _is_of_good_size(jwk: dict[str, Any]) -> bool:
    modulus, exponent = (_decoded(jwk[name]) if isinstance(jwk.get(name), str) else b"" for name in ("n", "e"))
    return RSA_BYTES_MIN <= len(modulus.lstrip(b"\0")) <= RSA_BYTES_MAX and len(exponent) <= EXPONENT_BYTES_MAX


def public_keys(jwks: Any) -> KeySet:
    """Return the keys of a public JWK set, of which it must hold at least one; raises Malformed."""
    entries = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(entries, list) or not 0 < len(entries) <= 20:
        raise Malformed
    return KeySet([public_key(entry) for entry in entries])


def _decoded(segment: str) -> bytes:
    try:
        return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed from error


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed from error
    if not isinstance(found, dict):
        raise Malformed
    return found
