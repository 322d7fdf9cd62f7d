"""Another OpenID provider, really served on the loopback interface, that tells whatever lies a test wants."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from marketplace.kit import clock

CLIENT_ID, CLIENT_SECRET = "musubi at the city", "a secret: with/signs"
KEY = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig"})


class Provider:
    """Gives codes for people and ID tokens for codes; ``lies`` change what the tokens say."""

    def __init__(self) -> None:
        self.key: Any = KEY
        self.alg = "RS256"
        self.lies: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.token: Any = None
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, Any]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def authenticate(self, address: str, subject: str) -> dict[str, str]:
        """Sign somebody in at the provider; returns the query with which they are sent back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked | {"subject": subject}
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        } | self.metadata

    def _id_token(self, asked: dict[str, Any]) -> str:
        now = int(clock.now().timestamp())
        claims = {
            "iss": self.issuer, "sub": asked["subject"], "aud": asked["client_id"], "nonce": asked["nonce"],
            "iat": now, "exp": now + 300, "email": "hana@example.jp", "email_verified": True,
        } | self.lies  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.alg == "none":
            return f"{_b64({'alg': 'none'})}.{_b64(claims)}."
        if self.alg == "HS256":
            signed = f"{_b64({'alg': 'HS256', 'kid': 'one'})}.{_b64(claims)}"
            tag = hmac.digest(self.key.as_pem(private=False), signed.encode(), "sha256")
            return f"{signed}.{base64.urlsafe_b64encode(tag).decode().rstrip('=')}"
        header = {"alg": self.alg, "kid": "one"}
        return jws.serialize_compact(header, json.dumps(claims), self.key, algorithms=[self.alg])

    def _redeem(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        who = base64.b64encode(b"musubi%20at%20the%20city:a%20secret%3A%20with%2Fsigns").decode()
        asked = self._codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        good = asked is not None and (asked["code_challenge"], asked["code_challenge_method"]) == (challenge, "S256")
        if not good or authorization != f"Basic {who}" or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        token = self.token if self.token is not None else self._id_token(asked)
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": token}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                if self.path == "/jwks":
                    self._say(200, {"keys": [provider.key.as_dict(private=False) | {"kid": "one"}]})
                else:
                    self._say(200, provider._discovery())

            def do_POST(self) -> None:
                provider.asked.append(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self._say(*provider._redeem(form, self.headers.get("Authorization", "")))

            def _say(self, status: int, answer: Any) -> None:
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_what: Any) -> None:
                pass

        return Handler


def other_key() -> Any:
    return ECKey.generate_key("P-256", parameters={"kid": "one"})


def _b64(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
