"""The client credentials grant (RFC 6749 section 4.4), with resource indicators (RFC 8707)."""

from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant as AuthlibClientCredentialsGrant

from marketplace.identity.oauth.client_authentication import METHODS
from marketplace.kit import settings


class InvalidTarget(OAuth2Error):  # type: ignore[misc]  # Authlib carries no types
    """A token was asked for a resource that is not this exchange (RFC 8707 section 2)."""

    error = "invalid_target"
    description = "The only resource here is the exchange itself, at the address of the issuer."


class ClientCredentialsGrant(AuthlibClientCredentialsGrant):  # type: ignore[misc]  # Authlib carries no types
    """Gives a client a token of its own; never a refresh token."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_token_request(self) -> None:
        """Authenticate the client and check what it asks for."""
        super().validate_token_request()
        if any(resource.rstrip("/") != settings.current().base_url for resource in self.request.resources):
            raise InvalidTarget

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Issue the token; unlike Authlib's own version, without writing it to the log."""
        token = self.generate_token(scope=self.request.payload.scope, include_refresh_token=False)
        return 200, token, self.TOKEN_RESPONSE_HEADER
