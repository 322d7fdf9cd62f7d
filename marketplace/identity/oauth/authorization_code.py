"""The authorization code grant (RFC 6749 section 4.1.3) with PKCE by S256 alone (RFC 7636)."""

import base64
import hashlib
import hmac
import re
from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from marketplace.identity.oauth import codes, families, tokens
from marketplace.identity.oauth.client_authentication import METHODS
from marketplace.identity.oauth.models import AuthorizationCode
from marketplace.identity.states import GrantType
from marketplace.kit import clock

VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


class AuthorizationCodeGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]  # Authlib carries no types
    """Changes a code for an access token and the first refresh token of its family."""

    GRANT_TYPE = GrantType.AUTHORIZATION_CODE.value
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_token_request(self) -> None:
        """Authenticate the client; what it asks for is looked at under the code's lock."""
        self.authenticate_token_endpoint_client()

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Issue the tokens, once for each code; a second exchange ends those of the first."""
        row = self._locked()
        consent = codes.consent_of(row)
        family_id = families.open_family(self.client.id, consent, self.request.dpop_jkt)
        codes.spend(row, family_id)
        return 200, tokens.of_family(self.client, family_id, consent, self.request.dpop_jkt), self.TOKEN_RESPONSE_HEADER

    def _locked(self) -> AuthorizationCode:
        code = self.request.form.get("code")
        if code is None:
            raise InvalidRequestError("The parameter code is missing.")
        row = codes.lock(code)
        if row is None or row.client_id != self.client.id:
            raise InvalidGrantError
        if row.family_id is not None:
            families.revoke(row.family_id, replayed=True)
            raise InvalidGrantError
        self._check(row)
        return row

    def _check(self, row: AuthorizationCode) -> None:
        if row.expires_at <= clock.now() or self.request.form.get("redirect_uri") != row.redirect_uri:
            raise InvalidGrantError
        if not is_answered_by(row.code_challenge, self.request.form.get("code_verifier", "")):
            raise InvalidGrantError
        if row.dpop_jkt not in {None, self.request.dpop_jkt}:
            raise InvalidGrantError


def is_answered_by(challenge: str, verifier: str) -> bool:
    """Tell whether a verifier is the one that a challenge was made of (RFC 7636 section 4.6)."""
    if not VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
    return hmac.compare_digest(made.encode(), challenge.encode())
