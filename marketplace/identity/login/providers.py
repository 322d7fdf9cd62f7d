"""Signing in by another OpenID provider: a staff directory, GビズID, デジタル認証アプリ (OpenID Connect Core 3.1).

People are known by issuer and subject, never by an e-mail address, which the other provider could give to anybody.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit.verbs import Verb
from marketplace.identity.login import attempts, deeds, invitations, people, provider_tokens, provider_wire, sessions
from marketplace.identity.login.attempts import Attempt
from marketplace.identity.login.errors import IdentityTaken, IdentityUnknown, LastFactor, ProviderRefused
from marketplace.identity.login.models import ExternalIdentity, Passkey
from marketplace.identity.login.provider_tokens import Expected, Identity
from marketplace.identity.login.provider_wire import Provider
from marketplace.identity.login.sessions import Session
from marketplace.identity.login.signing_in import SignedIn
from marketplace.identity.login.states import Stage
from marketplace.identity.models import Person
from marketplace.identity.states import Assurance
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.texts import storable
from marketplace.kit.transaction import transaction

CALLBACK = "/sign-in/provider/callback"
"""Where the provider sends people back to, below the base URL."""

CODE_LENGTH_MAX = 4096


def is_set() -> bool:
    """Tell whether this exchange knows another provider."""
    return settings.current().oidc_issuer is not None


def begin(
    next_path: str = "/", *, invitation_token: str | None = None, session: Session | None = None, locale: str = "ja"
) -> tuple[str, str]:
    """Return the provider's address to send somebody to, and the token with which they come back.

    With ``invitation_token`` who comes back accepts that invitation; with ``session`` the identity is linked to who is
    signed in. Opens a transaction of its own. Raises ProviderRefused, Unavailable, and StepUpRequired for linking.
    """
    known = provider_wire.provider()
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    facts = {
        "issuer": known.issuer,
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "invitation": storable(invitation_token) if invitation_token is not None else None,
        "session": session.id if session is not None else None,
        "locale": locale,
    }
    with transaction():
        if session is not None:
            sessions.refuse_stale(session)
        person_id = session.person_id if session is not None else None
        token = attempts.begin(Stage.PROVIDER, person_id, facts, next_path)
    return _address(known, state, nonce, verifier), token


def finish(attempt_token: str, query: Mapping[str, str], user_agent: str, session: Session | None = None) -> SignedIn:
    """Sign in, accept or link whom the provider's answer speaks of; ``session`` is that of who began to link.

    Opens transactions of its own. Raises AttemptOver, ProviderRefused, Unavailable, IdentityUnknown, IdentityTaken,
    LinkOver and SignInFirst.
    """
    attempt = attempts.spend_try(attempt_token, Stage.PROVIDER)
    known = provider_wire.provider()
    _check_answer(attempt, known, query)
    identity = _identity(attempt, known, query["code"])
    with transaction():
        attempts.finish(attempt)
        if attempt.person_id is not None:
            return _linked(attempt, identity, session)
        person_id = _person_of(attempt, identity)
        token = sessions.open_session(person_id, assurance_of(identity.acr), user_agent)
    return SignedIn(token, person_id, attempt.next_path)


def assurance_of(acr: str | None) -> Assurance:
    """Return what a provider's word for its assurance is here; one that the settings do not name is a single factor."""
    pairs = (entry.rpartition("=") for entry in settings.current().oidc_acr_map)
    return Assurance({word: level for word, _sign, level in pairs}.get(acr or "", Assurance.AAL1.value))


def list_of(person_id: str) -> list[str]:
    """Return the issuers at which a person's identities are linked."""
    own = select(ExternalIdentity.issuer).where(ExternalIdentity.person_id == person_id)
    return list(db.session.scalars(own.order_by(ExternalIdentity.issuer)))


def unlink(session: Session, issuer: str) -> None:
    """Forget a person's identity at a provider; raises NotFound, StepUpRequired, or LastFactor for the only way in."""
    sessions.refuse_stale(session)
    person = select(Person.password_hash).where(Person.id == session.person_id).with_for_update()
    password_hash = db.session.execute(person).scalar_one()
    own = (ExternalIdentity.person_id == session.person_id, ExternalIdentity.issuer == storable(issuer))
    if not db.session.scalars(delete(ExternalIdentity).where(*own).returning(ExternalIdentity.subject)).all():
        raise NotFound
    passkey = select(Passkey.id).where(Passkey.person_id == session.person_id).limit(1)
    if password_hash is None and db.session.scalar(passkey) is None:
        raise LastFactor
    deeds.record(session.person_id, Verb.IDENTITY_UNLINKED)


def _address(known: Provider, state: str, nonce: str, verifier: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": settings.current().oidc_client_id or "",
        "redirect_uri": _redirect_uri(),
        "scope": "openid",
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    wanted = [entry.rpartition("=")[0] for entry in settings.current().oidc_acr_map]
    if wanted:
        asked["acr_values"] = " ".join(wanted)
    separator = "&" if "?" in known.authorization_endpoint else "?"
    return f"{known.authorization_endpoint}{separator}{urlencode(asked)}"


def _redirect_uri() -> str:
    return settings.current().base_url + CALLBACK


def _check_answer(attempt: Attempt, known: Provider, query: Mapping[str, str]) -> None:
    """Refuse an answer that this browser did not ask for, or that another issuer gave (RFC 9207 section 2.4)."""
    facts, state = attempt.facts, query.get("state", "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(state, facts["state"].encode()) or facts["issuer"] != known.issuer:
        raise ProviderRefused
    if query.get("iss", known.issuer) != known.issuer or (known.names_itself and "iss" not in query):
        raise ProviderRefused
    if "error" in query or not 0 < len(query.get("code", "")) <= CODE_LENGTH_MAX:
        raise ProviderRefused


def _identity(attempt: Attempt, known: Provider, code: str) -> Identity:
    token = provider_wire.redeem(known, code, _redirect_uri(), attempt.facts["verifier"])
    expected = Expected(known.issuer, settings.current().oidc_client_id or "", attempt.facts["nonce"])
    try:
        return provider_tokens.read(token, provider_wire.keys(known), expected)
    except ProviderRefused:
        # Its keys may have changed since they were asked for.
        return provider_tokens.read(token, provider_wire.keys(known, anew=True), expected)


def _person_of(attempt: Attempt, identity: Identity) -> str:
    """Return the person of an identity; an unknown one is let in by an invitation alone."""
    person_id = _find(identity)
    invitation_token = attempt.facts["invitation"]
    if person_id is not None and people.find_active(person_id) is None:
        raise IdentityUnknown
    if invitation_token is not None:
        if person_id is not None:
            invitations.accept_as(invitation_token, person_id)
            return person_id
        person_id = invitations.accept_as_new(invitation_token, None, attempt.facts["locale"])
        _keep(identity, person_id)
    if person_id is None:
        raise IdentityUnknown
    return person_id


def _linked(attempt: Attempt, identity: Identity, session: Session | None) -> SignedIn:
    """Link an identity to who is signed in, with the very session in which they began."""
    if session is None or session.id != attempt.facts["session"] or session.person_id != attempt.person_id:
        raise ProviderRefused
    if _find(identity) != session.person_id:
        _keep(identity, session.person_id)
    return SignedIn(sessions.renew(session.id), session.person_id, attempt.next_path)


def _find(identity: Identity) -> str | None:
    same = (ExternalIdentity.issuer == identity.issuer, ExternalIdentity.subject == identity.subject)
    return db.session.scalar(select(ExternalIdentity.person_id).where(*same))


def _keep(identity: Identity, person_id: str) -> None:
    row = {"issuer": identity.issuer, "subject": identity.subject, "person_id": person_id, "created_at": clock.now()}
    statement = insert(ExternalIdentity).values(**row).on_conflict_do_nothing()
    if db.session.execute(statement.returning(ExternalIdentity.subject)).first() is None:
        raise IdentityTaken
    deeds.record(person_id, Verb.IDENTITY_LINKED)
