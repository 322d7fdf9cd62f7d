"""What the authorization server refuses, in the words of the RFCs (Authlib brings the usual ones)."""

from authlib.oauth2 import OAuth2Error


class InvalidTarget(OAuth2Error):  # type: ignore[misc]  # Authlib carries no types
    """A token was asked for a resource that is not this exchange (RFC 8707 section 2)."""

    error = "invalid_target"
    description = "The only resource here is the exchange itself, at the address of the issuer."


class InvalidAuthorizationDetails(OAuth2Error):  # type: ignore[misc]
    """``authorization_details`` that say nothing we know (RFC 9396 section 5)."""

    error = "invalid_authorization_details"
    description = "Send a JSON list of objects with type musubi_grant, the identifier of a grant, and actions [fetch]."


class UnsupportedResponseType(OAuth2Error):  # type: ignore[misc]
    """Something else than a code is asked for (RFC 6749 section 4.1.2.1); Authlib's own repeats what was sent."""

    error = "unsupported_response_type"
    description = "The only response_type here is code."


class LoginRequired(OAuth2Error):  # type: ignore[misc]
    """Nobody is signed in, and the client wants no page shown (OpenID Connect Core section 3.1.2.6)."""

    error = "login_required"


class ConsentRequired(OAuth2Error):  # type: ignore[misc]
    """Somebody is signed in but was not asked, and the client wants no page shown."""

    error = "consent_required"


class AccessDenied(OAuth2Error):  # type: ignore[misc]
    """A person said no, or may not give what is asked for (RFC 6749 section 4.1.2.1)."""

    error = "access_denied"


class AuthorizationPending(OAuth2Error):  # type: ignore[misc]
    """The person has not answered yet (RFC 8628 section 3.5)."""

    error = "authorization_pending"


class SlowDown(OAuth2Error):  # type: ignore[misc]
    """The program asks more often than it was told to; from now on it must wait five seconds more (RFC 8628)."""

    error = "slow_down"


class ExpiredToken(OAuth2Error):  # type: ignore[misc]
    """The device code has run out (RFC 8628 section 3.5)."""

    error = "expired_token"


class InvalidDpopProof(OAuth2Error):  # type: ignore[misc]
    """A DPoP proof is missing, malformed, for something else, or used before (RFC 9449 section 5)."""

    error = "invalid_dpop_proof"


class UseDpopNonce(OAuth2Error):  # type: ignore[misc]
    """A DPoP proof without a fresh nonce of ours, which comes along in a header (RFC 9449 section 8)."""

    error = "use_dpop_nonce"
    description = "Repeat the request with the nonce of the DPoP-Nonce header in the proof."

    def __init__(self, nonce: str) -> None:
        super().__init__()
        self.nonce = nonce

    def get_headers(self) -> list[tuple[str, str]]:
        """Return the usual headers and the nonce."""
        return [*super().get_headers(), ("DPoP-Nonce", self.nonce)]
