"""Clients that register themselves (RFC 7591) and look after themselves (RFC 7592), and new keys for any client."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from marketplace.audit import holds
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import credentials, queries, service
from marketplace.identity.actors import Actor
from marketplace.identity.client_traits import ClientTraits
from marketplace.identity.models import ApiClient, Organization
from marketplace.identity.oauth import registration
from marketplace.identity.oauth.models import InitialAccessToken
from marketplace.identity.states import AuthenticationMethod, ClientState, GrantType, OrganizationState
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction

KEPT = timedelta(days=1)
AS_IS = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Registered:
    """A client with what it is told this once: its secret, if it keeps one, and the token for managing itself."""

    client: ApiClient
    secret: str
    registration_token: str


def traits_of(client: ApiClient) -> ClientTraits:
    """Return the traits that a client is kept with."""
    return ClientTraits(
        authentication_method=AuthenticationMethod(client.authentication_method),
        jwks=client.jwks,
        jwks_uri=client.jwks_uri,
        redirect_uris=tuple(client.redirect_uris),
        grant_types=tuple(map(GrantType, client.grant_types)),
        dpop_bound=client.dpop_bound,
        par_required=client.par_required,
    )


def replace_keys(actor: Actor, client_id: str, jwks: dict[str, Any] | None, jwks_uri: str | None) -> ApiClient:
    """Have one's own client prove itself by other keys; raises as ``service.replace_client_keys``, or Invalid."""
    traits = registration.rekeyed(traits_of(queries.get_own_client(actor, client_id)), jwks, jwks_uri)
    return service.replace_client_keys(actor, client_id, traits)


def issue_token(actor: Actor, scopes: Iterable[str], uses: int, ttl_seconds: int) -> dict[str, Any]:
    """Let programs register so many clients with at most these scopes; the token is shown this once.

    Raises ScopeNotAvailable: nobody hands on more than it holds.
    """
    chosen = service.within_own_scopes(actor, scopes)
    token, now = credentials.new_secret(credentials.INITIAL_PREFIX), clock.now()
    row: dict[str, Any] = {
        "id": new_id("iat"),
        "organization_id": actor.organization_id,
        "scopes": sorted(chosen),
        "uses_left": uses,
        "created_at": now,
        "expires_at": now + timedelta(seconds=ttl_seconds),
    }
    db.session.execute(insert(InitialAccessToken).values(**row, token_sha256=credentials.hash_of(token)))
    facts = {"scopes": row["scopes"], "uses": uses, "expires_at": clock.text(row["expires_at"])}
    audit.record(actor, Verb.REGISTRATION_TOKEN_ISSUED, subject=row["id"], facts=facts)
    return row | {"token": token}


def spend_token(token: str) -> Actor | None:
    """Use up one registration of an initial access token; returns for whom it registers, None for no good token."""
    used = update(InitialAccessToken).where(*_good(token)).values(uses_left=InitialAccessToken.uses_left - 1)
    row = db.session.execute(
        used.returning(InitialAccessToken.organization_id, InitialAccessToken.scopes),
        execution_options=AS_IS,
    ).first()
    return Actor(row.organization_id, scopes=frozenset(row.scopes)) if row is not None else None


def is_good(token: str) -> bool:
    """Tell whether an initial access token would let somebody register."""
    return db.session.scalar(select(InitialAccessToken.id).where(*_good(token))) is not None


def give_back(token: str) -> None:
    """Undo a use that brought no client."""
    used = update(InitialAccessToken).where(InitialAccessToken.token_sha256 == credentials.hash_of(token))
    db.session.execute(used.values(uses_left=InitialAccessToken.uses_left + 1), execution_options=AS_IS)


def _good(token: str) -> list[Any]:
    standing = select(Organization.id).where(Organization.state != OrganizationState.SUSPENDED.value)
    return [
        InitialAccessToken.token_sha256 == credentials.hash_of(token),
        InitialAccessToken.uses_left > 0,
        InitialAccessToken.expires_at > clock.now(),
        InitialAccessToken.revoked_at.is_(None),
        InitialAccessToken.organization_id.in_(standing),
    ]


def register(actor: Actor, name: str, scopes: Iterable[str], traits: ClientTraits) -> Registered:
    """Give an organization a client that looks after itself; raises ScopeNotAvailable or Invalid."""
    client, secret = service.register_client(actor, actor.organization_id, name, scopes, traits)
    token = credentials.new_secret(credentials.REGISTRATION_PREFIX)
    client.registration_token_sha256 = credentials.hash_of(token)
    db.session.flush()
    return Registered(client, secret, token)


def find_client(client_id: str, registration_token: str) -> ApiClient | None:
    """Return the active client that a registration access token is of, or None."""
    client = queries.find_client(client_id)
    if client is None or client.state != ClientState.ACTIVE.value:
        return None
    if not credentials.matches(registration_token, client.registration_token_sha256):
        return None
    standing = queries.get_organization(client.organization_id).state
    return client if standing != OrganizationState.SUSPENDED.value else None


def change(client: ApiClient, name: str, scopes: Iterable[str], traits: ClientTraits) -> Registered:
    """Replace all that a client registered (RFC 7592 section 2.2), and its registration token with it.

    It gets no scope that it had not; what it proved itself with before, and its tokens, are void.
    """
    actor = Actor(client.organization_id, client.id, scopes=frozenset(client.scopes))
    secret = service.reregister_client(actor, client.id, name, scopes, traits)
    token = credentials.new_secret(credentials.REGISTRATION_PREFIX)
    changed = queries.get_client(client.id)
    changed.registration_token_sha256 = credentials.hash_of(token)
    db.session.flush()
    return Registered(changed, secret, token)


def remove(client: ApiClient) -> None:
    """Shut a client out for good because it asks for it (RFC 7592 section 2.3)."""
    service.suspend_client(Actor(client.organization_id, client.id), client.id)


@jobs.task("identity.forget_registration_tokens", cron="29 * * * *")
def forget_expired() -> None:
    """Delete initial access tokens a day after nobody can use them any more."""
    past = clock.now() - KEPT
    over = or_(InitialAccessToken.expires_at <= past, InitialAccessToken.revoked_at <= past)
    with transaction():
        kept = holds.covering(InitialAccessToken.organization_id)
        db.session.execute(delete(InitialAccessToken).where(over, ~kept))
