"""Looking into one's own tokens (RFC 7662)."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7662 import IntrospectionEndpoint as AuthlibIntrospectionEndpoint

from marketplace.identity.errors import InvalidToken
from marketplace.identity.models import TokenFamily
from marketplace.identity.oauth import access_tokens, refresh_tokens
from marketplace.identity.oauth.access_tokens import Claims
from marketplace.identity.oauth.client_authentication import PROOFS
from marketplace.identity.oauth.clients import KnownClient
from marketplace.identity.oauth.posts import StrictRequest
from marketplace.kit import settings


class IntrospectionEndpoint(AuthlibIntrospectionEndpoint):  # type: ignore[misc]  # Authlib carries no types
    """Tells a client about its own tokens; of all others it says that they are not active."""

    CLIENT_AUTH_METHODS = PROOFS  # whoever only names a client, as a public one does, is told nothing (section 2.1)

    def authenticate_token(self, request: StrictRequest, client: KnownClient) -> Claims | TokenFamily | None:
        """Return what the token is if it is the client's own and alive, else None."""
        if "token" not in request.form:
            raise InvalidRequestError("The parameter token is missing.")
        found = _alive(request.form["token"])
        return found if found is not None and found.client_id == client.id else None

    def create_introspection_payload(self, token: Claims | TokenFamily | None) -> dict[str, Any]:
        """Return the answer of section 2.2; no name of a person is ever in it."""
        if token is None:
            return {"active": False}
        return _of_family(token) if isinstance(token, TokenFamily) else _of_access(token)


def _alive(token: str) -> Claims | TokenFamily | None:
    try:
        claims = access_tokens.verify(token)
        access_tokens.holder_of(claims)
    except InvalidToken:
        return refresh_tokens.find_renewable(token)
    return claims


def _of_access(claims: Claims) -> dict[str, Any]:
    said: dict[str, Any] = {
        "active": True,
        "scope": claims.scope,
        "client_id": claims.client_id,
        "token_type": "DPoP" if claims.dpop_jkt else "Bearer",
        "exp": claims.expires_at,
        "iat": claims.issued_at,
        "sub": claims.member_id or claims.client_id,
        "aud": claims.issuer,
        "iss": claims.issuer,
        "jti": claims.jti,
        "org": claims.organization_id,
    }
    if claims.member_id is not None:
        said |= {"acr": claims.acr, "auth_time": claims.authenticated_at}
    return said | _bounds(claims.grant_ids, claims.dpop_jkt)


def _of_family(family: TokenFamily) -> dict[str, Any]:
    said: dict[str, Any] = {
        "active": True,
        "scope": family.scope,
        "client_id": family.client_id,
        "exp": int(family.expires_at.timestamp()),
        "iat": int(family.created_at.timestamp()),
        "sub": family.member_id,
        "iss": settings.current().base_url,
        "org": family.organization_id,
        "acr": family.acr,
        "auth_time": int(family.authenticated_at.timestamp()),
    }
    return said | _bounds(family.grant_ids, family.dpop_jkt)


def _bounds(grant_ids: tuple[str, ...] | list[str] | None, dpop_jkt: str | None) -> dict[str, Any]:
    """Say to which grants (RFC 9396 section 9.2) and to which key (RFC 9449 section 6.2) a token is bound."""
    said: dict[str, Any] = {}
    if grant_ids is not None:
        said["authorization_details"] = access_tokens.details_of(grant_ids)
    if dpop_jkt is not None:
        said["cnf"] = {"jkt": dpop_jkt}
    return said
