"""Ending one's own tokens (RFC 7009)."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint as AuthlibRevocationEndpoint

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.identity.errors import InvalidToken
from marketplace.identity.models import TokenFamily
from marketplace.identity.oauth import access_tokens, families, refresh_tokens
from marketplace.identity.oauth.access_tokens import Claims
from marketplace.identity.oauth.client_authentication import METHODS
from marketplace.identity.oauth.clients import KnownClient
from marketplace.identity.oauth.posts import StrictRequest


class RevocationEndpoint(AuthlibRevocationEndpoint):  # type: ignore[misc]  # Authlib carries no types
    """Ends a token of the client that asks; a token that is unknown or over is no error."""

    CLIENT_AUTH_METHODS = METHODS

    def authenticate_token(self, request: StrictRequest, client: KnownClient) -> Claims | TokenFamily | None:
        """Return what the token is if it is the client's own; raises InvalidGrantError for another's.

        ``token_type_hint`` is ignored, as section 2.1 allows: what a token is can be told from the token.
        """
        if "token" not in request.form:
            raise InvalidRequestError("The parameter token is missing.")
        found = _found(request.form["token"])
        if found is not None and found.client_id != client.id:
            raise InvalidGrantError("The token was issued to another client.")
        return found

    def revoke_token(self, token: Claims | TokenFamily, request: Any) -> None:  # noqa: ARG002 - Authlib's signature
        """End an access token alone, or with a refresh token all that came of the same consent; record it once."""
        if isinstance(token, TokenFamily):
            families.revoke(token.id)
        elif access_tokens.revoke(token.jti):
            actor = Actor(token.organization_id, token.client_id, token.member_id)
            audit.record(actor, Verb.TOKEN_REVOKED, subject=token.jti)


def _found(token: str) -> Claims | TokenFamily | None:
    try:
        return access_tokens.verify(token)
    except InvalidToken:
        return refresh_tokens.find_family(token)
