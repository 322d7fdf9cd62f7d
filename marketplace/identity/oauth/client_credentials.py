"""The client credentials grant (RFC 6749 section 4.4)."""

from typing import Any

from authlib.oauth2.rfc6749 import UnauthorizedClientError
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from marketplace.identity.oauth import demands, tokens
from marketplace.identity.oauth.client_authentication import METHODS
from marketplace.identity.states import GrantType


class ClientCredentialsGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]  # Authlib carries no types
    """Gives a client a token of its own; never a refresh token."""

    GRANT_TYPE = GrantType.CLIENT_CREDENTIALS.value
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_token_request(self) -> None:
        """Authenticate the client; one that cannot keep a secret has no token of its own."""
        client = self.authenticate_token_endpoint_client()
        if client.is_public:
            raise UnauthorizedClientError

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Issue the token, within what the client's organization may do at this moment."""
        form = self.request.form
        demand = demands.read(
            self.client.own_scopes, form.get("scope"), self.request.resources, form.get("authorization_details")
        )
        return 200, tokens.of_client(self.client, demand, self.request.dpop_jkt), self.TOKEN_RESPONSE_HEADER
