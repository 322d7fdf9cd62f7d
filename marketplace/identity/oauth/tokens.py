"""The answer of the token endpoint (RFC 6749 section 5.1)."""

from typing import Any

from marketplace.identity.oauth import access_tokens, demands, refresh_tokens
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.identity.oauth.clients import KnownClient
from marketplace.identity.oauth.consents import Consent
from marketplace.identity.oauth.demands import Demand
from marketplace.identity.states import GrantType


def of_client(client: KnownClient, demand: Demand, dpop_jkt: str | None) -> dict[str, Any]:
    """Return a token of the client's own; never a refresh token (RFC 6749 section 4.4.3)."""
    bearer = Bearer(
        client_id=client.id,
        organization_id=client.organization_id,
        scope=demand.scope,
        grant_ids=demand.grant_ids,
        dpop_jkt=dpop_jkt,
        ttl_seconds=demand.ttl_seconds,
    )
    return _answer(bearer)


def of_family(
    client: KnownClient, family_id: str, consent: Consent, dpop_jkt: str | None, scope: str | None = None
) -> dict[str, Any]:
    """Return the tokens of a member's consent, with the next refresh token where the client may renew.

    ``scope`` narrows this access token alone; the family keeps what was allowed (RFC 6749 section 6).
    """
    asked = scope or consent.scope
    bearer = Bearer(
        client_id=client.id,
        organization_id=consent.organization_id,
        scope=asked,
        member_id=consent.member_id,
        family_id=family_id,
        acr=consent.acr,
        authenticated_at=consent.authenticated_at,
        grant_ids=consent.grant_ids,
        dpop_jkt=dpop_jkt,
        ttl_seconds=demands.ttl_seconds(asked),
    )
    answer = _answer(bearer)
    if GrantType.REFRESH_TOKEN.value in client.grant_types:
        answer["refresh_token"] = refresh_tokens.issue(family_id)
    return answer


def _answer(bearer: Bearer) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "access_token": access_tokens.issue(bearer),
        "token_type": "DPoP" if bearer.dpop_jkt else "Bearer",
        "expires_in": bearer.ttl_seconds,
        "scope": bearer.scope,
    }
    if bearer.grant_ids is not None:
        answer["authorization_details"] = access_tokens.details_of(bearer.grant_ids)
    return answer
