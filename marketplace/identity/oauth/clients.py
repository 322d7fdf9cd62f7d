"""API clients as the authorization server sees them."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from marketplace.identity.models import ApiClient, Organization
from marketplace.identity.permissions import scopes_for
from marketplace.identity.states import AuthenticationMethod, Capacity, ClientState, OrganizationState
from marketplace.kit import settings
from marketplace.kit.db import db
from marketplace.kit.ids import is_id

_clients, _organizations = ApiClient.__table__.c, Organization.__table__.c
_FIND = (
    select(
        _clients.id,
        _clients.name,
        _clients.organization_id,
        _clients.scopes,
        _clients.authentication_method,
        _clients.secret_sha256,
        _clients.jwks,
        _clients.jwks_uri,
        _clients.redirect_uris,
        _clients.grant_types,
        _clients.dpop_bound,
        _clients.par_required,
        _organizations.state,
        _organizations.capacities,
    )
    .join(Organization.__table__, _organizations.id == _clients.organization_id)
    .where(
        _clients.state == ClientState.ACTIVE.value,
        _organizations.state != OrganizationState.SUSPENDED.value,
    )
)


@dataclass(frozen=True, slots=True)
class KnownClient:
    """An active client of an organization in good standing.

    ``scopes`` are those it was registered for, ``own_scopes`` those of them that its organization may use at this
    moment: what a member lets it do is narrowed by the member's organization and role instead. ``dpop_bound`` and
    ``par_required`` hold what is asked of the client itself or, by the setting ``security_profile``, of all.
    """

    id: str
    name: str
    organization_id: str
    scopes: frozenset[str]
    own_scopes: frozenset[str]
    authentication_method: AuthenticationMethod
    redirect_uris: tuple[str, ...]
    grant_types: frozenset[str]
    dpop_bound: bool
    par_required: bool
    secret_sha256: str | None = field(repr=False)
    jwks: dict[str, Any] | None = field(repr=False)
    jwks_uri: str | None

    @property
    def is_public(self) -> bool:
        """Whether the client cannot keep a secret (RFC 6749 section 2.1)."""
        return self.authentication_method is AuthenticationMethod.NONE

    def check_grant_type(self, grant_type: str) -> bool:
        """Tell whether the client registered for a grant; Authlib asks."""
        return grant_type in self.grant_types


def find(client_id: str) -> KnownClient | None:
    """Return the client, or None for one that is unknown or shut out."""
    # What is not shaped like an id is no client; among such texts are those that PostgreSQL refuses (NUL).
    if not is_id(client_id):
        return None
    row = db.session.execute(_FIND.where(_clients.id == client_id)).first()
    return _known(row) if row is not None else None


def _known(row: Any) -> KnownClient:
    trusted = row.state == OrganizationState.VERIFIED.value
    capacities = frozenset(map(Capacity, row.capacities)) if trusted else frozenset()
    strict = settings.current().security_profile == "fapi2"
    return KnownClient(
        id=row.id,
        name=row.name,
        organization_id=row.organization_id,
        scopes=frozenset(row.scopes),
        own_scopes=frozenset(row.scopes) & scopes_for(capacities),
        authentication_method=AuthenticationMethod(row.authentication_method),
        redirect_uris=tuple(row.redirect_uris),
        grant_types=frozenset(row.grant_types),
        dpop_bound=row.dpop_bound or strict,
        par_required=row.par_required or strict,
        secret_sha256=row.secret_sha256,
        jwks=row.jwks,
        jwks_uri=row.jwks_uri,
    )
