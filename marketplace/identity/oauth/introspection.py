"""Looking into one's own tokens (RFC 7662)."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7662 import IntrospectionEndpoint as AuthlibIntrospectionEndpoint

from marketplace.identity.errors import InvalidToken
from marketplace.identity.oauth import access_tokens
from marketplace.identity.oauth.access_tokens import Claims
from marketplace.identity.oauth.client_authentication import METHODS
from marketplace.identity.oauth.clients import KnownClient
from marketplace.identity.oauth.posts import StrictRequest


class IntrospectionEndpoint(AuthlibIntrospectionEndpoint):  # type: ignore[misc]  # Authlib carries no types
    """Tells a client about its own tokens; of all others it says that they are not active."""

    CLIENT_AUTH_METHODS = METHODS

    def authenticate_token(self, request: StrictRequest, client: KnownClient) -> Claims | None:
        """Return the token if it is the client's own and alive, else None."""
        if "token" not in request.form:
            raise InvalidRequestError("The parameter token is missing.")
        try:
            claims = access_tokens.verify(request.form["token"])
            if claims.client_id != client.id:
                return None
            access_tokens.holder_of(claims)
        except InvalidToken:
            return None
        return claims

    def create_introspection_payload(self, token: Claims | None) -> dict[str, Any]:
        """Return the answer of section 2.2."""
        if token is None:
            return {"active": False}
        return {
            "active": True,
            "scope": token.scope,
            "client_id": token.client_id,
            "token_type": "Bearer",
            "exp": token.expires_at,
            "iat": token.issued_at,
            "sub": token.member_id or token.client_id,
            "aud": token.issuer,
            "iss": token.issuer,
            "jti": token.jti,
            "org": token.organization_id,
        }
