"""Programs without a browser: a code on their screen, typed by a person elsewhere (RFC 8628)."""

import secrets
from datetime import timedelta
from typing import Any

from authlib.oauth2.rfc6749 import UnauthorizedClientError
from sqlalchemy import delete, insert, or_, select, update

from marketplace.audit import holds
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import credentials, held
from marketplace.identity.actors import Actor
from marketplace.identity.oauth import demands
from marketplace.identity.oauth.clients import KnownClient
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.oauth.models import DeviceAuthorization
from marketplace.identity.states import DeviceState, GrantType
from marketplace.kit import clock, jobs, settings
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction

LIFETIME = timedelta(minutes=10)
INTERVAL_SECONDS = 5
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no code is a word, and nothing that looks like a digit (RFC 8628 section 6.1)."""

USER_CODE_LENGTH = 8


def open_authorization(
    client: KnownClient, scope: str | None, resources: list[str], details: str | None
) -> dict[str, Any]:
    """Return the codes for a program and its person (RFC 8628 section 3.2): 20^8 codes, ten minutes each.

    Raises UnauthorizedClientError, and what ``demands.read`` raises.
    """
    if GrantType.DEVICE_CODE.value not in client.grant_types:
        raise UnauthorizedClientError
    demand = demands.read(client.scopes, scope, resources, details)
    device_code, now = secrets.token_urlsafe(32), clock.now()
    user_code = "".join(secrets.choice(LETTERS) for _ in range(USER_CODE_LENGTH))
    db.session.execute(
        insert(DeviceAuthorization).values(
            id=new_id("dev"),
            device_code_sha256=credentials.hash_of(device_code),
            user_code_sha256=credentials.hash_of(user_code),
            client_id=client.id,
            scope=demand.scope,
            grant_ids=list(demand.grant_ids) if demand.grant_ids is not None else None,
            state=DeviceState.WAITING.value,
            created_at=now,
            expires_at=now + LIFETIME,
            interval_seconds=INTERVAL_SECONDS,
        )
    )
    return _told(device_code, f"{user_code[:4]}-{user_code[4:]}")


def _told(device_code: str, user_code: str) -> dict[str, Any]:
    address = f"{settings.current().base_url}/device"
    return {
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": address,
        "verification_uri_complete": f"{address}?user_code={user_code}",
        "expires_in": int(LIFETIME.total_seconds()),
        "interval": INTERVAL_SECONDS,
    }


def find_waiting(typed: str) -> DeviceAuthorization | None:
    """Return what waits for the code that a person typed, however they wrote it, or None."""
    user_code = "".join(character for character in typed.upper() if character in LETTERS)
    statement = select(DeviceAuthorization).where(
        DeviceAuthorization.user_code_sha256 == credentials.hash_of(user_code),
        DeviceAuthorization.state == DeviceState.WAITING.value,
        DeviceAuthorization.expires_at > clock.now(),
    )
    return db.session.scalar(statement)


def approve(device_id: str, consent: Consent) -> bool:
    """Let the program have what the person allowed; returns whether it still waited."""
    row = _decide(
        device_id,
        state=DeviceState.APPROVED.value,
        member_id=consent.member_id,
        organization_id=consent.organization_id,
        scope=consent.scope,
        acr=consent.acr,
        authenticated_at=consent.authenticated_at,
    )
    if row is None:
        return False
    audit.record(
        Actor(consent.organization_id, row.client_id, consent.member_id),
        Verb.CONSENT_GIVEN,
        subject=row.client_id,
        facts={"scope": consent.scope, "grants": list(consent.grant_ids or ()), "acr": consent.acr},
    )
    return True


def deny(device_id: str) -> bool:
    """Tell the program no; returns whether it still waited."""
    return _decide(device_id, state=DeviceState.DENIED.value) is not None


def _decide(device_id: str, **columns: Any) -> Any:
    waiting = (
        DeviceAuthorization.id == device_id,
        DeviceAuthorization.state == DeviceState.WAITING.value,
        DeviceAuthorization.expires_at > clock.now(),
    )
    decided = update(DeviceAuthorization).where(*waiting).values(**columns)
    return db.session.execute(decided.returning(DeviceAuthorization.client_id)).first()


def lock(device_code: str) -> DeviceAuthorization | None:
    """Return the row of a device code, held until the transaction ends: it is changed for tokens once."""
    statement = select(DeviceAuthorization).where(
        DeviceAuthorization.device_code_sha256 == credentials.hash_of(device_code)
    )
    return db.session.scalar(statement.with_for_update(), execution_options={"populate_existing": True})


@jobs.task("identity.forget_devices", cron="*/10 * * * *")
def forget_expired() -> None:
    """Delete device codes an hour after they have run out."""
    with transaction():
        past = DeviceAuthorization.expires_at <= clock.now() - timedelta(hours=1)
        kept = or_(held.of_client(DeviceAuthorization.client_id), holds.covering(DeviceAuthorization.organization_id))
        db.session.execute(delete(DeviceAuthorization).where(past, ~kept))
