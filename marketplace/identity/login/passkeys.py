"""Passkeys (WebAuthn level 3): signing in with a key that never leaves its authenticator, which asks for its owner."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit.verbs import Verb
from marketplace.identity import rules
from marketplace.identity.login import attempts, deeds, sessions
from marketplace.identity.login.attempts import Attempt
from marketplace.identity.login.errors import LastFactor, PasskeyRefused
from marketplace.identity.login.models import ExternalIdentity, Passkey
from marketplace.identity.login.sessions import Session
from marketplace.identity.login.signing_in import SignedIn
from marketplace.identity.login.states import Stage
from marketplace.identity.models import Person
from marketplace.identity.states import Assurance, PersonState
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.texts import storable
from marketplace.kit.transaction import transaction

NAME_LENGTH_MAX = 60
ANSWER_LENGTH_MAX = 20_000
RP_NAME = "Musubi"


@dataclass(frozen=True, slots=True)
class Listed:
    """One passkey as its person sees it in the list of theirs."""

    id: str
    name: str
    created_at: datetime
    last_used_at: datetime | None


def are_possible() -> bool:
    """Tell whether browsers make passkeys for this exchange: for a name, never for an IP address (section 5.1.3)."""
    try:
        ip_address(_rp_id())
    except ValueError:
        return True
    return False


def begin_adding(session: Session) -> tuple[str, str]:
    """Return the JSON for ``navigator.credentials.create`` and the token with which the answer comes back.

    Raises StepUpRequired for a session that did not prove lately whose it is.
    """
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    sessions.refuse_stale(session)
    options = generate_registration_options(
        rp_id=_rp_id(),
        rp_name=RP_NAME,
        user_name=session.email,
        user_id=session.person_id.encode(),
        user_display_name=session.name,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=known) for known in _credentials_of(session.person_id)],
    )
    facts = {"challenge": options.challenge.hex(), "session": session.id}
    return options_to_json(options), attempts.begin(Stage.PASSKEY_REGISTRATION, session.person_id, facts)


def add(session: Session, attempt_token: str, answer: str, name: str) -> str:
    """Keep the passkey that an authenticator made and return its id (WebAuthn level 3 section 7.1).

    Opens transactions of its own. Raises AttemptOver, PasskeyRefused and StepUpRequired.
    """
    from webauthn import verify_registration_response

    sessions.refuse_stale(session)
    attempt = attempts.spend_try(attempt_token, Stage.PASSKEY_REGISTRATION)
    if attempt.person_id != session.person_id or attempt.facts["session"] != session.id:
        raise PasskeyRefused
    label = rules.checked_text("name", name, NAME_LENGTH_MAX)
    try:
        verified = verify_registration_response(
            credential=_read(answer),
            expected_challenge=bytes.fromhex(attempt.facts["challenge"]),
            expected_rp_id=_rp_id(),
            expected_origin=settings.current().base_url,
            require_user_verification=True,
        )
    except Exception as error:  # the library lets errors of its parsers through as they are
        raise PasskeyRefused from error
    with transaction():
        attempts.finish(attempt)
        return _keep(session.person_id, verified, label)


def begin(next_path: str = "/") -> tuple[str, str]:
    """Return the JSON for ``navigator.credentials.get`` and the token with which the answer comes back.

    It names nobody's keys, so that it tells nobody who has one: the authenticator shows those that it has.
    """
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    required = UserVerificationRequirement.REQUIRED
    options = generate_authentication_options(rp_id=_rp_id(), user_verification=required)
    facts = {"challenge": options.challenge.hex()}
    return options_to_json(options), attempts.begin(Stage.PASSKEY, None, facts, next_path)


def sign_in(attempt_token: str, answer: str, user_agent: str) -> SignedIn:
    """Sign somebody in by an authenticator's answer (WebAuthn level 3 section 7.2): two factors in one.

    Opens transactions of its own. Raises AttemptOver and PasskeyRefused.
    """
    attempt = attempts.spend_try(attempt_token, Stage.PASSKEY)
    with transaction():
        person_id = _prove(attempt, answer)
        token = sessions.open_session(person_id, Assurance.AAL2, user_agent)
    return SignedIn(token, person_id, attempt.next_path)


def step_up(session: Session, attempt_token: str, answer: str) -> str:
    """Have somebody who is signed in prove a passkey of theirs; returns the session's new token.

    Opens transactions of its own. Raises AttemptOver and PasskeyRefused.
    """
    attempt = attempts.spend_try(attempt_token, Stage.PASSKEY)
    with transaction():
        if _prove(attempt, answer) != session.person_id:
            raise PasskeyRefused
        return sessions.step_up(session.id, Assurance.AAL2)


def list_of(person_id: str) -> Sequence[Listed]:
    """Return the passkeys of a person, the latest first."""
    columns = (Passkey.id, Passkey.name, Passkey.created_at, Passkey.last_used_at)
    own = select(*columns).where(Passkey.person_id == person_id).order_by(Passkey.id.desc())
    return [Listed(*row) for row in db.session.execute(own)]


def remove(session: Session, passkey_id: str) -> None:
    """Forget a passkey; raises NotFound, StepUpRequired, or LastFactor where nothing else is left to sign in with."""
    sessions.refuse_stale(session)
    own = (Passkey.id == storable(passkey_id), Passkey.person_id == session.person_id)
    # The person's row is held, so that of two removed at once the second sees that it is the last.
    person = select(Person.password_hash).where(Person.id == session.person_id).with_for_update()
    password_hash = db.session.execute(person).scalar_one()
    if db.session.execute(delete(Passkey).where(*own).returning(Passkey.id)).first() is None:
        raise NotFound
    if password_hash is None and not _has_another_way(session.person_id):
        raise LastFactor
    deeds.record(session.person_id, Verb.PASSKEY_REMOVED, subject=passkey_id)


def _prove(attempt: Attempt, answer: str) -> str:
    """Check an answer against the key that it names, and use the attempt up; returns whose key it is."""
    from webauthn import verify_authentication_response

    credential = _read(answer)
    passkey = _lock(credential)
    try:
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=bytes.fromhex(attempt.facts["challenge"]),
            expected_rp_id=_rp_id(),
            expected_origin=settings.current().base_url,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except Exception as error:  # as in ``add``
        raise PasskeyRefused from error
    attempts.finish(attempt)
    used = {"sign_count": verified.new_sign_count, "last_used_at": clock.now()}
    db.session.execute(update(Passkey).where(Passkey.id == passkey.id).values(**used))
    return passkey.person_id


def _lock(credential: dict[str, Any]) -> Passkey:
    """Return the key that an answer names, held until the transaction ends: its counter rises one by one."""
    from webauthn.helpers import base64url_to_bytes

    try:
        credential_id = base64url_to_bytes(credential["rawId"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PasskeyRefused from error
    statement = (
        select(Passkey)
        .join(Person, Person.id == Passkey.person_id)
        .where(Passkey.credential_id == credential_id, Person.state == PersonState.ACTIVE.value)
        .with_for_update(of=Passkey)
    )
    passkey = db.session.scalar(statement, execution_options={"populate_existing": True})
    if passkey is None or not _is_handle_of(credential, passkey.person_id):
        raise PasskeyRefused
    return passkey


def _is_handle_of(credential: dict[str, Any], person_id: str) -> bool:
    """Tell whether an answer speaks of this person, where it says of whom (section 7.2 step 6)."""
    from webauthn.helpers import bytes_to_base64url

    response = credential.get("response")
    handle = response.get("userHandle") if isinstance(response, dict) else None
    return handle in (None, "", bytes_to_base64url(person_id.encode()))


def _keep(person_id: str, verified: Any, name: str) -> str:
    passkey_id = new_id("pky")
    statement = insert(Passkey).values(
        id=passkey_id,
        person_id=person_id,
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        name=name,
        created_at=clock.now(),
    )
    if db.session.execute(statement.on_conflict_do_nothing().returning(Passkey.id)).first() is None:
        raise PasskeyRefused
    deeds.record(person_id, Verb.PASSKEY_ADDED, subject=passkey_id)
    return passkey_id


def _credentials_of(person_id: str) -> Sequence[bytes]:
    return db.session.scalars(select(Passkey.credential_id).where(Passkey.person_id == person_id)).all()


def _has_another_way(person_id: str) -> bool:
    passkey = select(Passkey.id).where(Passkey.person_id == person_id).limit(1)
    identity = select(ExternalIdentity.subject).where(ExternalIdentity.person_id == person_id).limit(1)
    return db.session.scalar(passkey) is not None or db.session.scalar(identity) is not None


def _read(answer: str) -> dict[str, Any]:
    if len(answer) > ANSWER_LENGTH_MAX:
        raise PasskeyRefused
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise PasskeyRefused from error
    if not isinstance(found, dict):
        raise PasskeyRefused
    return found


def _rp_id() -> str:
    return str(urlsplit(settings.current().base_url).hostname)
