"""How messages are worded and signed (Standard Webhooks), and when they come again. Pure but for the keys handed in."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from marketplace.kit import clock, outbound
from marketplace.kit.errors import Invalid
from marketplace.kit.ids import is_id
from marketplace.kit.outbound import OutboundRefused
from marketplace.webhooks.states import EventType

ENDPOINTS_MAX, NAMED_MAX, URL_LENGTH_MAX, DESCRIPTION_LENGTH_MAX = 20, 100, 2000, 200
SECRET_BYTES = 32
SECRET_PREFIX, PUBLIC_PREFIX = "whsec_", "whpk_"
BOTH_FOR = timedelta(hours=24)
"""So long the secret before the last rotation signs beside the new one."""

DELAYS_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""After which times a message that was not taken comes again, as the specification proposes: three days in all."""


@dataclass(frozen=True, slots=True)
class EndpointDraft:
    """Where somebody wants to be told of what; None names all datasets, or all publishers."""

    url: str
    events: tuple[EventType, ...]
    dataset_ids: tuple[str, ...] | None = None
    publisher_ids: tuple[str, ...] | None = None
    description: str = ""


def check(given: Mapping[str, Any]) -> None:
    """Refuse what no endpoint may be, of those of its members that are given; raises Invalid."""
    faults = list(_faults_of(given))
    if faults:
        raise Invalid(errors=[{"pointer": f"/{name}", "detail": detail} for name, detail in faults])


def _faults_of(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if fault := "url" in given and _fault_of_url(given["url"]):
        yield "url", fault
    if "events" in given and not given["events"]:
        yield "events", "must name one kind of event at least"
    if len(given.get("description", "")) > DESCRIPTION_LENGTH_MAX:
        yield "description", f"must have at most {DESCRIPTION_LENGTH_MAX} characters"
    for name, prefix in (("dataset_ids", "ds"), ("publisher_ids", "org")):
        named = given.get(name)
        if named is not None and not (0 < len(named) <= NAMED_MAX and all(_is_id_of(prefix, one) for one in named)):
            yield name, f"must be from 1 to {NAMED_MAX} ids that begin with {prefix}_"


def _fault_of_url(url: str) -> str | None:
    if len(url) > URL_LENGTH_MAX:
        return f"must have at most {URL_LENGTH_MAX} characters"
    try:
        outbound.check(url)
    except OutboundRefused as error:
        return str(error)
    return None


def _is_id_of(prefix: str, text: str) -> bool:
    return is_id(text) and text.startswith(f"{prefix}_")


def fresh_secret() -> bytes:
    """Return a new secret."""
    return secrets.token_bytes(SECRET_BYTES)


def shown_secret(secret: bytes) -> str:
    """Return a secret as receivers configure it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def shown_public(seed: bytes) -> str:
    """Return the public key of an endpoint, for receivers that would rather hold no secret."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return PUBLIC_PREFIX + base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def body_of(kind: EventType, at: datetime, data: Mapping[str, Any]) -> str:
    """Return the body of a message: what happened, when, and to what."""
    return json.dumps({"type": kind.value, "timestamp": clock.text(at), "data": dict(data)}, ensure_ascii=False)


def headers(event_id: str, at: datetime, body: bytes, secrets_known: Sequence[bytes], seed: bytes) -> dict[str, str]:
    """Return the header fields of an attempt: its id, which stays, its time, and a signature for each key."""
    timestamp = str(int(at.timestamp()))
    signed = f"{event_id}.{timestamp}.".encode() + body
    signatures = [f"v1,{_encoded(hmac.digest(secret, signed, hashlib.sha256))}" for secret in secrets_known]
    signatures.append(f"v1a,{_encoded(Ed25519PrivateKey.from_private_bytes(seed).sign(signed))}")
    return {
        "Content-Type": "application/json",
        "User-Agent": "Musubi-Webhooks/1",
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def due_again(attempts: int, now: datetime) -> datetime | None:
    """Return when a message that was tried so often comes again, None when it has been tried enough."""
    return now + timedelta(seconds=DELAYS_SECONDS[attempts - 1]) if attempts <= len(DELAYS_SECONDS) else None


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
