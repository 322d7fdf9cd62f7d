"""How a client says who it is at the token endpoint: by its id, a secret or a signature (RFC 6749 section 2.3)."""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from marketplace.client.keeping import Login, troubled
from marketplace.client.troubles import Unusable
from marketplace.client.wire import new_key
from marketplace.client.wording import say

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 60
ALGORITHMS = {"RSA": "PS256", "OKP": "Ed25519", "EC": "ES256"}


def posted(login: Login, form: dict[str, str]) -> dict[str, Any]:
    """Return a form as this client posts it to an endpoint of its issuer; a signature in it is good for once."""
    if login.secret_file is not None:
        # RFC 6749 section 2.3.1: both are form-encoded before they are put together.
        return {"data": form, "auth": (quote_plus(login.client_id), quote_plus(_secret(Path(login.secret_file))))}
    if login.key_file is not None:
        return {"data": form | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": _assertion(login)}}
    return {"data": form | {"client_id": login.client_id}}


def _secret(file: Path) -> str:
    with troubled(file):
        secret = file.read_text(encoding="utf-8").strip()
    if not secret or not secret.isascii() or not secret.isprintable():
        raise Unusable(say(f"{file} に秘密がありません。", f"{file} holds no secret."))
    return secret


def _assertion(login: Login) -> str:
    """Return a statement of who one is, signed (RFC 7523 section 3); its audience is the issuer alone."""
    from joserfc import jwt

    key = _key(Path(login.key_file or ""))
    now = int(time.time())
    claims = {
        "iss": login.client_id,
        "sub": login.client_id,
        "aud": login.origin,
        "jti": new_key(),
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
    }
    algorithm = ALGORITHMS[key.key_type]
    header = {"alg": algorithm} | ({"kid": key.kid} if key.kid else {})
    return jwt.encode(header, claims, key, algorithms=[algorithm])


def _key(file: Path) -> Any:
    """Return the private key of a file, PEM or JWK; raises Unusable."""
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    with troubled(file):
        content = file.read_bytes()
    for kind in (ECKey, RSAKey, OKPKey):
        try:
            key = kind.import_key(content if content.lstrip().startswith(b"-----") else json.loads(content))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if key.is_private:
            return key
    raise _no_key(file)


def _no_key(file: Path) -> Unusable:
    return Unusable(
        say(f"{file} に秘密鍵がありません。", f"{file} holds no private key."),
        say(
            "PEM か JWK の EC（P-256）、RSA、Ed25519 の鍵を使ってください。",
            "Use a key of EC (P-256), RSA or Ed25519 as PEM or JWK.",
        ),
    )
