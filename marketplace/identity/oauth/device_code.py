"""The device code grant (RFC 8628 section 3.4)."""

from datetime import timedelta
from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from marketplace.identity.oauth import devices, families, tokens
from marketplace.identity.oauth.client_authentication import METHODS
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.oauth.models import DeviceAuthorization
from marketplace.identity.oauth.refusals import AccessDenied, AuthorizationPending, ExpiredToken, SlowDown
from marketplace.identity.states import DeviceState, GrantType
from marketplace.kit import clock


class DeviceCodeGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]  # Authlib carries no types
    """Changes a device code for tokens once its person has said yes."""

    GRANT_TYPE = GrantType.DEVICE_CODE.value
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_token_request(self) -> None:
        """Authenticate the client; how its code stands is looked at under the code's lock."""
        self.authenticate_token_endpoint_client()

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Issue the tokens once; before that, say how the person's answer stands."""
        row = self._approved()
        row.state = DeviceState.USED.value
        consent = _consent(row)
        family_id = families.open_family(self.client.id, consent, self.request.dpop_jkt)
        return 200, tokens.of_family(self.client, family_id, consent, self.request.dpop_jkt), self.TOKEN_RESPONSE_HEADER

    def _approved(self) -> DeviceAuthorization:
        device_code = self.request.form.get("device_code")
        if device_code is None:
            raise InvalidRequestError("The parameter device_code is missing.")
        row = devices.lock(device_code)
        if row is None or row.client_id != self.client.id or row.state == DeviceState.USED.value:
            raise InvalidGrantError
        if row.expires_at <= clock.now():
            raise ExpiredToken
        if row.state == DeviceState.DENIED.value:
            raise AccessDenied
        if row.state == DeviceState.WAITING.value:
            _wait(row)
        return row


def _wait(row: DeviceAuthorization) -> None:
    """Tell the program to ask again later, and less often if it asked too soon."""
    now, before = clock.now(), row.polled_at
    row.polled_at = now
    if before is not None and now - before < timedelta(seconds=row.interval_seconds):
        row.interval_seconds += devices.INTERVAL_SECONDS
        raise SlowDown
    raise AuthorizationPending


def _consent(row: DeviceAuthorization) -> Consent:
    grant_ids = tuple(row.grant_ids) if row.grant_ids is not None else None
    if row.member_id is None or row.organization_id is None or row.acr is None or row.authenticated_at is None:
        raise InvalidGrantError
    return Consent(row.member_id, row.organization_id, row.scope, grant_ids, row.acr, row.authenticated_at)
