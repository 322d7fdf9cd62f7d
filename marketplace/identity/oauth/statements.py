"""What the exchange states under its signature and is no token: a compact JWS of a type of its own (RFC 7515)."""

from dataclasses import dataclass
from typing import Any

from joserfc import jws

from marketplace.identity.oauth import keys
from marketplace.kit.canonical import canonical_json


@dataclass(frozen=True, slots=True)
class Statement:
    """A signed text, and the public key that verifies it."""

    text: str
    kid: str
    jwk: dict[str, Any]


def sign(media_type: str, claims: dict[str, Any]) -> Statement:
    """Sign claims with the present key; the type keeps them from being taken for a token (RFC 8725 section 3.11)."""
    if media_type == keys.TOKEN_TYPE:
        raise ValueError("a statement is no token")
    signing = keys.current().signing
    header = {"alg": keys.ALGORITHM, "typ": media_type, "kid": signing.kid}
    text = jws.serialize_compact(header, canonical_json(claims), signing.key, [keys.ALGORITHM])
    return Statement(text, signing.kid, signing.public())
