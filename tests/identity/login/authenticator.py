"""An authenticator in software: one EC P-256 key, and all the lies a test wants it to tell (WebAuthn level 3)."""

import hashlib
import json
import secrets
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import bytes_to_base64url

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class Authenticator:
    """Makes one credential and signs with it."""

    def __init__(self, origin: str, rp_id: str) -> None:
        self.origin, self.rp_id = origin, rp_id
        self.credential_id = secrets.token_bytes(16)
        self.count = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._handle = ""

    def create(self, options: str, **lies: Any) -> str:
        """Answer ``navigator.credentials.create``."""
        asked = json.loads(options)
        self._handle = asked["user"]["id"]
        client = self._client_data("webauthn.create", asked, lies)
        data = self._data(lies, ATTESTED) + bytes(16) + len(self.credential_id).to_bytes(2, "big")
        data += self.credential_id + self._public_key()
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer({"clientDataJSON": client, "attestationObject": attestation})

    def get(self, options: str, **lies: Any) -> str:
        """Answer ``navigator.credentials.get``; the counter rises with each answer."""
        self.count += lies.get("step", 1)
        client = self._client_data("webauthn.get", json.loads(options), lies)
        data = self._data(lies, 0)
        signed = data + hashlib.sha256(client).digest()
        signature = self._key.sign(lies.get("signed", signed), ec.ECDSA(SHA256()))
        response = {"clientDataJSON": client, "authenticatorData": data, "signature": signature}
        return self._answer(response, userHandle=lies.get("handle", self._handle))

    def _client_data(self, kind: str, asked: dict[str, Any], lies: dict[str, Any]) -> bytes:
        said = {
            "type": lies.get("kind", kind),
            "challenge": lies.get("challenge", asked["challenge"]),
            "origin": lies.get("origin", self.origin),
            "crossOrigin": False,
        }
        return json.dumps(said).encode()

    def _data(self, lies: dict[str, Any], more: int) -> bytes:
        flags = lies.get("flags", PRESENT | VERIFIED) | more
        rp_id_hash = hashlib.sha256(lies.get("rp_id", self.rp_id).encode()).digest()
        return rp_id_hash + bytes([flags]) + lies.get("count", self.count).to_bytes(4, "big")

    def _public_key(self) -> bytes:
        numbers = self._key.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})

    def _answer(self, response: dict[str, bytes], **more: Any) -> str:
        identifier = bytes_to_base64url(self.credential_id)
        encoded = {name: bytes_to_base64url(value) for name, value in response.items()} | more
        return json.dumps({"id": identifier, "rawId": identifier, "type": "public-key", "response": encoded})
