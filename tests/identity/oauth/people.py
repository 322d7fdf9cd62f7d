"""People who let programs act, and what the programs do with it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from flask import Flask
from joserfc.jwk import ECKey, OKPKey, RSAKey
from sqlalchemy import text
from werkzeug.test import TestResponse

from marketplace.identity.models import ApiClient, Member, Organization, Person
from marketplace.identity.oauth import codes, dpop, families
from marketplace.identity.oauth.codes import Bound
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.states import AuthenticationMethod, GrantType
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from tests.factories.identity import ApiClientFactory, MemberFactory, OrganizationFactory, PersonFactory

VERIFIER = "correct-horse-battery-staple-0123456789-abcdef"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT_URI = "https://program.example/callback"
GRANTS = [GrantType.AUTHORIZATION_CODE.value, GrantType.REFRESH_TOKEN.value, GrantType.CLIENT_CREDENTIALS.value]
SCOPE = "data:read grants:read organization:read usage:read"
KEY = ECKey.generate_key("P-256")
OTHER_KEY = ECKey.generate_key("P-256")
RSA_KEY = RSAKey.generate_key(2048)
ED_KEY = OKPKey.generate_key("Ed25519")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PUBLIC = {
    "authentication_method": AuthenticationMethod.NONE.value,
    "secret_sha256": None,
    "grant_types": [*GRANTS[:2], GrantType.DEVICE_CODE.value],
}
OWN = "/v1/organizations/me"
ODD = [
    b"\x00", b"\xff\xfe", b"%00", b"\xed\xa0\x80", "あ".encode(), b"'; DROP TABLE x;--", b"../../etc/passwd",
    b"\r\nX: y", b"[" * 2000, b"{}", b'[{"type":"musubi_grant","identifier":"\\u0000"}]', b"9" * 5000, b"-1",
    b"1e400", b"null", b"a.b.c", b"..", b"eyJhbGciOiJub25lIn0.e30.", "\u202e".encode(), b" ", b"=" * 100,
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Party:
    """A person of an organization, and a program that they let act."""

    organization: Organization
    person: Person
    member: Member
    client: ApiClient
    secret: str = "mk_sk_known-to-the-test"

    def consent(self, **changes: Any) -> Consent:
        """What the person allows."""
        facts = {
            "member_id": self.member.id,
            "organization_id": self.organization.id,
            "scope": SCOPE,
            "grant_ids": None,
            "acr": "aal2",
            "authenticated_at": clock.now(),
        }
        return Consent(**facts | changes)

    def code(self, dpop_jkt: str | None = None, **changes: Any) -> str:
        """A fresh code of the person's consent."""
        with transaction():
            return codes.issue(Bound(self.client.id, REDIRECT_URI, CHALLENGE, dpop_jkt), self.consent(**changes))

    def exchange_form(self, code: str, /, **changes: Any) -> dict[str, Any]:
        """What a client sends to change the code, itself included."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
        }
        return self.named() | form | changes

    def named(self) -> dict[str, str]:
        """How the client proves itself, in a form."""
        if self.client.authentication_method == AuthenticationMethod.CLIENT_SECRET_BASIC:
            return {"client_id": self.client.id, "client_secret": self.secret}
        if self.client.authentication_method == AuthenticationMethod.PRIVATE_KEY_JWT:
            return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion_of(self.client.id)}
        return {"client_id": self.client.id}

    def refresh_form(self, refresh_token: str, /, **changes: Any) -> dict[str, Any]:
        """What a client sends for its next tokens."""
        return self.named() | {"grant_type": "refresh_token", "refresh_token": refresh_token} | changes


def party(**client: Any) -> Party:
    """Somebody of an organization that buys, and a program of another, kept."""
    with transaction():
        organization = OrganizationFactory(buyer=True)
        person = PersonFactory()
        member = MemberFactory(organization=organization, person_id=person.id)
        facts = {"organization": OrganizationFactory(buyer=True), "redirect_uris": [REDIRECT_URI]} | client
        made = ApiClientFactory(**{"grant_types": GRANTS} | facts)
    return Party(organization, person, member, made)


def keyed(*keys: Any) -> dict[str, Any]:
    """What a client is that proves itself by these keys."""
    return {
        "authentication_method": AuthenticationMethod.PRIVATE_KEY_JWT.value,
        "secret_sha256": None,
        "jwks": {"keys": [public(key) for key in keys or (KEY,)]},
    }


def public(key: Any) -> dict[str, Any]:
    """The public half of a key, with its thumbprint for a name."""
    return dict(key.as_dict(private=False)) | {"kid": key.thumbprint()}


def signed(header: dict[str, Any], claims: Any, key: Any = KEY) -> str:
    """A compact JWS of whatever is given, by hand: no library signs what attackers send."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    said = f"{b64(json.dumps(header).encode())}.{b64(payload)}"
    return f"{said}.{b64(_signature(str(header.get('alg')), said.encode(), key))}"


def _signature(algorithm: str, said: bytes, key: Any) -> bytes:
    if algorithm == "HS256":
        return hmac.digest(key.as_pem(private=False), said, "sha256")
    if isinstance(key, ECKey):
        r, s = decode_dss_signature(key.private_key.sign(said, ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if isinstance(key, RSAKey):
        padding = PSS(MGF1(SHA256()), 32) if algorithm == "PS256" else PKCS1v15()
        return key.private_key.sign(said, padding, SHA256())
    return key.private_key.sign(said)


def unsigned(header: dict[str, Any], claims: Any, signature: str = "") -> str:
    """A compact JWS that nobody signed."""
    return ".".join([*(b64(json.dumps(part).encode()) for part in (header, claims)), signature])


def b64(content: bytes) -> str:
    """The content in base64url."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def now() -> int:
    """The exchange's time in whole seconds."""
    return int(clock.now().timestamp())


def assertion_claims(client_id: str, **changes: Any) -> dict[str, Any]:
    """What an honest client says of itself; a change to None leaves a claim out."""
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": settings.current().base_url,
        "exp": now() + 60,
        "iat": now(),
        "jti": new_id("jti"),
    } | changes
    return {name: value for name, value in claims.items() if value is not None}


def assertion_of(client_id: str, key: Any = KEY, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """A signed assertion."""
    return signed(
        {"alg": "ES256", "kid": key.thumbprint()} | (header or {}), assertion_claims(client_id, **changes), key
    )


def proof(
    method: str = "POST",
    path: str = "/oauth/token",
    key: Any = KEY,
    header: dict[str, Any] | None = None,
    token: str | None = None,
    **changes: Any,
) -> str:
    """A DPoP proof with a fresh nonce; a change to None leaves a claim or a header out."""
    claims = {
        "jti": new_id("jti"),
        "htm": method,
        "htu": settings.current().base_url + path,
        "iat": now(),
        "nonce": dpop.fresh_nonce(),
        "ath": dpop.hash_of(token) if token else None,
    } | changes
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": dict(key.as_dict(private=False))} | (header or {})
    kept = ({name: value for name, value in part.items() if value is not None} for part in (head, claims))
    return signed(*kept, key)


def is_refused(answer: TestResponse, status: int, error: str) -> bool:
    """Whether an OAuth endpoint refused in these words."""
    assert (answer.status_code, answer.json["error"]) == (status, error), answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return True


def opens(app: Flask, token: str, **headers: str) -> int:
    """The status that an access token brings at the caller's own organization."""
    given = {"Authorization": f"Bearer {token}"} | headers
    return app.test_client().get(OWN, headers=given).status_code


def waits_for_me() -> bool:
    """Whether another connection waits for a lock that this one holds."""
    mine = "NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    return bool(db.session.execute(text(f"SELECT EXISTS (SELECT FROM pg_locks WHERE {mine})")).scalar())


def change_code(whose: Party, code: str) -> Callable[[], None]:
    """Hold a code as the token endpoint does; what is returned changes it for a family."""
    row = codes.lock(code)
    assert row is not None

    def go_on() -> None:
        codes.spend(row, families.open_family(whose.client.id, codes.consent_of(row), None))

    return go_on
