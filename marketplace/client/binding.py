"""Tokens that are bound to a key of this login, where an exchange asks for that (RFC 9449)."""

import base64
import hashlib
import json
import time
from typing import Any

import requests

from marketplace.client.wire import Wire, new_key

ALGORITHM = "ES256"


class Binding:
    """A key, the proofs that one holds it, and the nonce that the server gave for the next proof."""

    def __init__(self, key: str) -> None:
        from joserfc.jwk import ECKey

        self._key = ECKey.import_key(json.loads(key))
        self._nonce: str | None = None

    def proof(self, method: str, address: str, token: str | None) -> str:
        """Return a proof for one request, with the token that it carries (section 4.2)."""
        from joserfc import jwt

        claims: dict[str, Any] = {
            "jti": new_key(),
            "htm": method,
            "htu": address.partition("?")[0],
            "iat": int(time.time()),
        }
        claims |= {"ath": _hash_of(token)} if token else {}
        claims |= {"nonce": self._nonce} if self._nonce else {}
        header = {"typ": "dpop+jwt", "alg": ALGORITHM, "jwk": dict(self._key.as_dict(private=False))}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])

    def asks_again(self, response: requests.Response) -> bool:
        """Note the nonce of an answer; tell whether the request is to be sent again with it (section 8)."""
        given = response.headers.get("DPoP-Nonce")
        before, self._nonce = self._nonce, given or self._nonce
        return response.status_code in {400, 401} and given is not None and given != before


def fresh_key() -> str:
    """Return a new key for one login, as JWK."""
    from joserfc.jwk import ECKey

    return json.dumps(ECKey.generate_key("P-256").as_dict(private=True))


def bind(wire: Wire, key: str | None) -> None:
    """Have a connection prove that it holds the key of its login, if that has one."""
    if key is not None and wire.proving is None:
        wire.proving = Binding(key)


def _hash_of(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
