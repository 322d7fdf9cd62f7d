"""Ending one's own tokens (RFC 7009)."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint as AuthlibRevocationEndpoint

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.identity.errors import InvalidToken
from marketplace.identity.oauth import access_tokens
from marketplace.identity.oauth.access_tokens import Claims
from marketplace.identity.oauth.client_authentication import METHODS
from marketplace.identity.oauth.clients import KnownClient
from marketplace.identity.oauth.posts import StrictRequest


class RevocationEndpoint(AuthlibRevocationEndpoint):  # type: ignore[misc]  # Authlib carries no types
    """Ends a token of the client that asks; a token that is unknown or over is no error."""

    CLIENT_AUTH_METHODS = METHODS

    def authenticate_token(self, request: StrictRequest, client: KnownClient) -> Claims | None:
        """Return the token if it is the client's own; raises InvalidGrantError for another's.

        ``token_type_hint`` is ignored, as section 2.1 allows: there is one type of token.
        """
        if "token" not in request.form:
            raise InvalidRequestError("The parameter token is missing.")
        try:
            claims = access_tokens.verify(request.form["token"])
        except InvalidToken:
            return None
        if claims.client_id != client.id:
            raise InvalidGrantError("The token was issued to another client.")
        return claims

    def revoke_token(self, token: Claims, request: Any) -> None:  # noqa: ARG002 - Authlib's signature
        """End the token and record it, once."""
        if access_tokens.revoke(token.jti):
            audit.record(Actor(token.organization_id, token.client_id), Verb.TOKEN_REVOKED, subject=token.jti)
