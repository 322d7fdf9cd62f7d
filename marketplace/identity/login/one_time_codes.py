"""Code generators (TOTP, RFC 6238): six digits for each half minute, each step once.

The codes are computed here, since the libraries for it do not tell which step a code belongs to, and without that
none can refuse its second use.
"""

import base64
import hmac
import secrets
from urllib.parse import quote

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit.verbs import Verb
from marketplace.identity.login import deeds, recovery_codes, sessions
from marketplace.identity.login.errors import CodeRefused
from marketplace.identity.login.models import OneTimeSecret
from marketplace.identity.login.sessions import Session
from marketplace.kit import clock, installation_key
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound

DIGITS = 6
STEP_SECONDS = 30
SECRET_BYTES = 20
WINDOW = 1
"""So many steps before and after the present one count, since clocks differ (RFC 6238 section 5.2)."""

ISSUER = "Musubi"
_PURPOSE = "one-time secret"


def begin(session: Session) -> str:
    """Return the ``otpauth`` address of a new secret, which counts once ``confirm`` has seen a code of it.

    Raises StepUpRequired for a session that did not prove lately whose it is. A generator that is set stays so until
    then.
    """
    sessions.refuse_stale(session)
    secret, now = secrets.token_bytes(SECRET_BYTES), clock.now()
    sealed = installation_key.seal(_PURPOSE, secret)
    fresh = {"secret_encrypted": sealed, "created_at": now, "confirmed_at": None, "last_step": None}
    statement = insert(OneTimeSecret).values(person_id=session.person_id, **fresh)
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["person_id"], set_=fresh, where=OneTimeSecret.confirmed_at.is_(None)
        )
    )
    if is_set(session.person_id):
        raise CodeRefused("A code generator is set already; remove it first.")
    return address_of(secret, session.email)


def confirm(session: Session, code: str) -> list[str]:
    """Set the generator that made this code and return ten recovery codes, shown this once.

    Raises CodeRefused, and StepUpRequired as ``begin`` does.
    """
    sessions.refuse_stale(session)
    step = _step_of(session.person_id, code, confirmed=False)
    waiting = (OneTimeSecret.person_id == session.person_id, OneTimeSecret.confirmed_at.is_(None))
    confirmed = update(OneTimeSecret).where(*waiting).values(confirmed_at=clock.now(), last_step=step)
    if step is None or db.session.execute(confirmed.returning(OneTimeSecret.person_id)).first() is None:
        raise CodeRefused
    deeds.record(session.person_id, Verb.SECOND_FACTOR_SET)
    return recovery_codes.renew(session.person_id)


def remove(session: Session) -> None:
    """Take a person's generator and recovery codes away; raises NotFound and StepUpRequired."""
    sessions.refuse_stale(session)
    removed = delete(OneTimeSecret).where(OneTimeSecret.person_id == session.person_id)
    if db.session.execute(removed.returning(OneTimeSecret.person_id)).first() is None:
        raise NotFound
    recovery_codes.forget(session.person_id)
    deeds.record(session.person_id, Verb.SECOND_FACTOR_REMOVED)


def is_set(person_id: str) -> bool:
    """Tell whether a person has a generator that was confirmed."""
    statement = select(OneTimeSecret.person_id).where(
        OneTimeSecret.person_id == person_id, OneTimeSecret.confirmed_at.is_not(None)
    )
    return db.session.scalar(statement) is not None


def spend(person_id: str, code: str) -> bool:
    """Tell whether a code is one of now that was not used before, nor one before it; it counts as used then."""
    step = _step_of(person_id, code, confirmed=True)
    if step is None:
        return False
    unused = or_(OneTimeSecret.last_step.is_(None), OneTimeSecret.last_step < step)
    # Of two that come with the same code at once, the second sees the first one's step.
    marked = update(OneTimeSecret).where(OneTimeSecret.person_id == person_id, unused).values(last_step=step)
    return db.session.execute(marked.returning(OneTimeSecret.person_id)).first() is not None


def looks_like_one(text: str) -> bool:
    """Tell whether a text could be a code of a generator."""
    return len(text) == DIGITS and text.isascii() and text.isdigit()


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a step (RFC 4226 section 5.3, RFC 6238 section 4)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    place = digest[-1] & 0xF
    number = int.from_bytes(digest[place : place + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_now() -> int:
    """Return the number of the present half minute since 1970."""
    return int(clock.now().timestamp()) // STEP_SECONDS


def address_of(secret: bytes, email: str) -> str:
    """Return what a generator scans: the secret in base 32, with whose it is."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return f"otpauth://totp/{quote(ISSUER)}:{quote(email)}?secret={text}&issuer={quote(ISSUER)}"


def _step_of(person_id: str, code: str, *, confirmed: bool) -> int | None:
    """Return the step that a code belongs to, None for a wrong one."""
    statement = select(OneTimeSecret.secret_encrypted).where(
        OneTimeSecret.person_id == person_id, OneTimeSecret.confirmed_at.is_not(None) == confirmed
    )
    sealed = db.session.scalar(statement)
    typed = "".join(character for character in code if character.isalnum())
    if sealed is None or not looks_like_one(typed):
        return None
    secret, now = installation_key.unseal(_PURPOSE, sealed), step_now()
    steps = range(now - WINDOW, now + WINDOW + 1)
    return next((step for step in steps if hmac.compare_digest(code_at(secret, step), typed)), None)
