"""What a token costs: signatures against the bare library, and requests against a bare route of the same server."""

import argparse
import base64
import http.client
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, OKPKey, RSAKey

from benchmarks import machine, world
from benchmarks.purchase import per_second
from benchmarks.world import World
from marketplace.identity import service as identity
from marketplace.identity.client_traits import ClientTraits
from marketplace.identity.oauth import access_tokens, dpop, jwts
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.identity.states import AuthenticationMethod
from marketplace.kit.transaction import transaction

CLIENTS = 8
ROUNDS, SECONDS, SIGNATURES = 5, 3.0, 400
ROUNDS_QUICK, SECONDS_QUICK, SIGNATURES_QUICK = 2, 1.5, 100
BARE, OWN, TOKEN = "/v1/health", "/v1/organizations/me", "/oauth/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PSS = padding.PSS(padding.MGF1(SHA256()), 32)
Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ask:
    """One kind of request; its fields and its form are made anew each time, as a proof must be."""

    method: str
    path: str
    fields: Callable[[], Fields] = dict
    form: Callable[[], Fields] = dict


def main(arguments: list[str]) -> None:
    """Print signatures a second of each algorithm, and requests a second of each way to prove who asks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks tokens")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    quick = parser.parse_args(arguments).quick
    rounds = ROUNDS_QUICK if quick else ROUNDS
    with world.installed() as exchange:
        _print_algorithms(rounds, SIGNATURES_QUICK if quick else SIGNATURES)
        _print_signing(exchange, rounds, SIGNATURES_QUICK if quick else SIGNATURES)
        asks = _asks(exchange)
        with exchange.serving() as process_id:
            _print_requests(exchange, asks, rounds, SECONDS_QUICK if quick else SECONDS, process_id)


def _print_algorithms(rounds: int, count: int) -> None:
    print("signatures of strangers verified; the limit is the bare library and the same key, without any JWT")
    for algorithm, key in _keys().items():
        said, signature = _signed(algorithm, key)
        token = f"{said.decode()}.{_b64(signature)}"
        public = jwts.public_key(key.as_dict(private=False))
        deeds = {
            f"{algorithm}: the bare library": partial(_rate, count, partial(_verify, algorithm, key, signature, said)),
            f"{algorithm}: read as a JWT and verified": partial(_rate, count, partial(jwts.verified, token, public)),
        }
        machine.print_ratios(machine.shuffled_rounds(deeds, rounds), "verified/s")


def _print_signing(exchange: World, rounds: int, count: int) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    bearer = Bearer(str(exchange.buyer.client_id), exchange.buyer.organization_id, "data:read")

    def issue() -> None:
        with transaction():
            access_tokens.issue(bearer)

    print("\naccess tokens issued, each kept in a durable transaction; the limit is one bare ES256 signature")
    deeds = {
        "ES256: the bare library": partial(_rate, count, partial(key.sign, b"x" * 400, ec.ECDSA(SHA256()))),
        "an access token signed and kept": partial(_rate, count, issue),
    }
    machine.print_ratios(machine.shuffled_rounds(deeds, rounds), "signed/s")


def _print_requests(exchange: World, asks: dict[str, Ask], rounds: int, seconds: float, process_id: int) -> None:
    deeds = {name: partial(_requests, exchange, ask, seconds) for name, ask in asks.items()}
    for deed in deeds.values():
        deed()
    print(f"\n{CLIENTS} connections; the limit is {BARE}, which asks nobody")
    machine.print_ratios(machine.shuffled_rounds(deeds, rounds), "answers/s")
    for name, deed in deeds.items():
        before = machine.cpu_seconds(process_id), machine.cpu_seconds(exchange.database_process)
        answered = deed() * seconds
        after = machine.cpu_seconds(process_id), machine.cpu_seconds(exchange.database_process)
        server, database = ((late - early) / answered * 1e6 for late, early in zip(after, before, strict=True))
        print(f"  {name:44} {server:6.0f} us of processor time an answer, and {database:.0f} in the database")


def _asks(exchange: World) -> dict[str, Ask]:
    key = ECKey.generate_key("P-256")
    (keyed, _), (basic, secret) = _client(exchange, key), _client(exchange, None)
    granted = {"grant_type": "client_credentials"}
    credentials = base64.b64encode(f"{basic}:{secret}".encode()).decode()
    bearer, bound = exchange.bearer(exchange.buyer), _bound_token(exchange, key)
    return {
        f"GET {BARE} (the limit)": Ask("GET", BARE),
        "GET one's organization, Bearer": Ask("GET", OWN, lambda: {"Authorization": bearer}),
        "GET one's organization, DPoP": Ask("GET", OWN, partial(_proved, exchange, key, bound)),
        "POST a token, client_secret_basic": Ask(
            "POST", TOKEN, lambda: {"Authorization": f"Basic {credentials}"}, lambda: granted
        ),
        "POST a token, private_key_jwt": Ask("POST", TOKEN, dict, lambda: granted | _assertion(exchange, key, keyed)),
    }


def _client(exchange: World, key: ECKey | None) -> tuple[str, str]:
    method = AuthenticationMethod.PRIVATE_KEY_JWT if key else AuthenticationMethod.CLIENT_SECRET_BASIC
    jwks = {"keys": [dict(key.as_dict(private=False)) | {"kid": key.thumbprint()}]} if key else None
    buyer = exchange.buyer
    with transaction():
        traits = ClientTraits(authentication_method=method, jwks=jwks)
        client, secret = identity.register_client(buyer, buyer.organization_id, "計測", buyer.scopes, traits)
        return client.id, secret or ""


def _bound_token(exchange: World, key: ECKey) -> str:
    buyer = exchange.buyer
    scope = " ".join(sorted(buyer.scopes))
    with transaction():
        return access_tokens.issue(
            Bearer(str(buyer.client_id), buyer.organization_id, scope, dpop_jkt=str(key.thumbprint()))
        )


def _proved(exchange: World, key: ECKey, token: str) -> Fields:
    with exchange.app.app_context():
        nonce = dpop.fresh_nonce()
    claims = {
        "jti": secrets.token_hex(16), "htm": "GET", "htu": exchange.settings.base_url + OWN, "iat": int(time.time()),
        "ath": dpop.hash_of(token), "nonce": nonce,
    }  # fmt: skip
    header = {"typ": dpop.TYPE, "alg": "ES256", "jwk": dict(key.as_dict(private=False))}
    return {"Authorization": f"DPoP {token}", "DPoP": _jwt(header, claims, key)}


def _assertion(exchange: World, key: ECKey, client_id: str) -> Fields:
    now = int(time.time())
    claims = {
        "iss": client_id, "sub": client_id, "aud": exchange.settings.base_url, "jti": secrets.token_hex(16),
        "iat": now, "exp": now + 60,
    }  # fmt: skip
    assertion = _jwt({"alg": "ES256", "kid": key.thumbprint()}, claims, key)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def _requests(exchange: World, ask: Ask, seconds: float) -> float:
    def client(over: Callable[[], bool]) -> int:
        answered = 0
        connection = http.client.HTTPConnection("127.0.0.1", exchange.settings.port, timeout=60)
        while not over():
            form = urlencode(ask.form())
            kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
            connection.request(ask.method, ask.path, form or None, {**kind, **ask.fields()})
            answer = connection.getresponse()
            told = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{ask.path}: {answer.status}: {told[:500]!r}")
            answered += 1
        connection.close()
        return answered

    return per_second(client, seconds, CLIENTS)


def _keys() -> dict[str, Any]:
    return {
        "ES256": ECKey.generate_key("P-256"),
        "PS256": RSAKey.generate_key(2048),
        "Ed25519": OKPKey.generate_key("Ed25519"),
    }


def _signed(algorithm: str, key: Any) -> tuple[bytes, bytes]:
    said = f"{_b64(json.dumps({'alg': algorithm}).encode())}.{_b64(json.dumps({'sub': 'x' * 200}).encode())}".encode()
    return said, _signature(key, said)


def _jwt(header: dict[str, Any], claims: dict[str, Any], key: ECKey) -> str:
    said = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
    return f"{said}.{_b64(_signature(key, said.encode()))}"


def _signature(key: Any, said: bytes) -> bytes:
    private = key.private_key
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(said, PSS, SHA256())
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.sign(said)
    r, s = decode_dss_signature(private.sign(said, ec.ECDSA(SHA256())))
    return bytes(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def _verify(algorithm: str, key: Any, signature: bytes, said: bytes) -> None:
    public = key.public_key
    if algorithm == "PS256":
        public.verify(signature, said, PSS, SHA256())
    elif algorithm == "Ed25519":
        public.verify(signature, said)
    else:
        halves = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        public.verify(encode_dss_signature(*halves), said, ec.ECDSA(SHA256()))


def _rate(count: int, deed: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(count):
        deed()
    return count / (time.perf_counter() - start)


def _b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
