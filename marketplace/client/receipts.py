"""Reading a receipt without trusting a word of it, until a key of the exchange is found to have signed it."""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketplace.client.keeping import troubled
from marketplace.client.troubles import Trouble, WrongBytes
from marketplace.client.wording import plain, say

MEDIA_TYPE, ALGORITHM = "musubi-receipt+jwt", "ES256"
LENGTH_MAX = 16_384
TEXTS = (
    "iss", "jti", "buyer_organization_id", "provider_organization_id", "grant_id", "order_id", "dataset_id",
    "release_id", "file_name", "terms_sha256", "state", "opened_at", "closed_at",
)  # fmt: skip
COUNTS = {
    "content": ("size_bytes",),
    "range": ("start_byte", "length", "bytes_acked"),
    "counted": ("bytes_new", "rows_new", "requests"),
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says, and the name of the key that says it."""

    kid: str
    claims: dict[str, Any]

    def text(self, name: str) -> str:
        """Return one of its texts, fit for a terminal."""
        return plain(str(self.claims[name]))


class NotGenuine(WrongBytes):
    """The receipt was not signed by this exchange, or not as it stands."""


def verified(text: str, jwks: Any) -> Receipt:
    """Return what a receipt says when a key of the set signed it (RFC 7515 section 5.2); raises NotGenuine."""
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey

    header = _header_of(text)
    jwk = _named(jwks, header["kid"])
    try:
        key = ECKey.import_key(jwk)
        payload = jws.deserialize_compact(text, key, algorithms=[ALGORITHM]).payload
        claims = json.loads(payload)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise _not_genuine("署名が合いません", "the signature does not match") from error
    _check(claims)
    return Receipt(str(header["kid"]), claims)


def compare(receipt: Receipt, path: Path) -> None:
    """See that a file is the content of which the receipt tells; raises WrongBytes. A part of it cannot be told."""
    content = receipt.claims["content"]
    with troubled(path), path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if (found, path.stat().st_size) != (content["sha256"], content["size_bytes"]):
        raise WrongBytes(
            say(
                f"{path} は受領証の内容（SHA-256 {content['sha256']}）ではありません。",
                f"{path} is not the content of the receipt (SHA-256 {content['sha256']}).",
            ),
            say(
                "受領証はファイル全体のハッシュを示します。取得した全体を指定してください。",
                "A receipt names the hash of the whole content: name the whole file that was fetched.",
            ),
        )


def _header_of(text: str) -> dict[str, Any]:
    """Return the header of a compact JWS that may be a receipt; raises NotGenuine."""
    segment = text.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except ValueError as error:
        raise _not_genuine("JWSではありません", "it is no JWS") from error
    # The type first of all: a token of the same exchange is no receipt (RFC 8725 section 3.11).
    fits = isinstance(header, dict) and (header.get("typ"), header.get("alg")) == (MEDIA_TYPE, ALGORITHM)
    if not fits or len(text) > LENGTH_MAX or "crit" in header or not isinstance(header.get("kid"), str):
        raise _not_genuine("受領証ではありません", "it is no receipt")
    return dict(header)


def _named(jwks: Any, kid: str) -> Any:
    entries = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(entries, list):
        raise Trouble(say("鍵の一覧（JWKS）ではありません。", "This is no set of keys (JWKS)."))
    for jwk in entries:
        if isinstance(jwk, dict) and jwk.get("kid") == kid and jwk.get("crv") == "P-256":
            return {name: jwk.get(name) for name in ("kty", "crv", "x", "y")}
    raise _not_genuine("その鍵は一覧にありません", "its key is not in the set")


def _check(claims: Any) -> None:
    """See that all is there and can be so; what a signature covers may still be nonsense. Raises NotGenuine."""
    if not isinstance(claims, dict) or not all(isinstance(claims.get(name), str) for name in TEXTS):
        raise _not_genuine("記載が欠けています", "it does not say all that a receipt says")
    for part, names in COUNTS.items():
        said = claims.get(part)
        if not isinstance(said, dict) or not all(_is_count(said.get(name)) for name in names):
            raise _not_genuine("記載が欠けています", "it does not say all that a receipt says")
    span, counted = claims["range"], claims["counted"]
    if not counted["bytes_new"] <= span["bytes_acked"] <= span["length"]:
        raise _not_genuine("数が合いません", "its figures cannot be")
    if span["start_byte"] + span["length"] > claims["content"]["size_bytes"]:
        raise _not_genuine("数が合いません", "its figures cannot be")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _not_genuine(ja: str, en: str) -> NotGenuine:
    return NotGenuine(
        say(f"受領証を確認できません：{ja}。", f"The receipt cannot be verified: {en}."),
        say(
            "発行元の取引所の鍵（/v1/receipt-keys）で確かめ、だめなら受領証をもう一度取得してください。",
            "Use the keys of the exchange that issued it (/v1/receipt-keys); failing that, fetch the receipt again.",
        ),
    )
