"""The refresh token grant (RFC 6749 section 6), with rotation and reuse detection."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from marketplace.identity.models import TokenFamily
from marketplace.identity.oauth import families, refresh_tokens, tokens
from marketplace.identity.oauth.client_authentication import METHODS
from marketplace.identity.states import GrantType


class RefreshTokenGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]  # Authlib carries no types
    """Changes a refresh token for a new access token and the next refresh token."""

    GRANT_TYPE = GrantType.REFRESH_TOKEN.value
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_token_request(self) -> None:
        """Authenticate the client; what it sends is looked at under the token's lock."""
        self.authenticate_token_endpoint_client()

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Issue the next tokens; a token that comes a second time ends them all."""
        family = self._spent()
        consent = refresh_tokens.consent_of(family)
        scope = self._narrowed(consent.scope)
        answer = tokens.of_family(self.client, family.id, consent, self.request.dpop_jkt, scope)
        return 200, answer, self.TOKEN_RESPONSE_HEADER

    def _spent(self) -> TokenFamily:
        token = self.request.form.get("refresh_token")
        if token is None:
            raise InvalidRequestError("The parameter refresh_token is missing.")
        found = refresh_tokens.lock(token)
        if found is None or found.TokenFamily.client_id != self.client.id:
            raise InvalidGrantError
        family: TokenFamily = found.TokenFamily
        if found.used_at is not None:
            families.revoke(family.id, replayed=True)
            raise InvalidGrantError
        if not refresh_tokens.is_alive(family) or not self._has_key_of(family):
            raise InvalidGrantError
        self._narrowed(family.scope)
        refresh_tokens.spend(found.token_sha256)
        return family

    def _has_key_of(self, family: TokenFamily) -> bool:
        # A public client proves itself by its key alone (RFC 9449 section 5); others may change theirs.
        key: str | None = self.request.dpop_jkt
        return key == family.dpop_jkt if self.client.is_public else key is not None or family.dpop_jkt is None

    def _narrowed(self, allowed: str) -> str | None:
        asked = set((self.request.payload.scope or "").split(" ")) - {""}
        if not asked <= set(allowed.split(" ")):
            raise InvalidScopeError
        return " ".join(sorted(asked)) or None
