"""What the exchange says of itself to OAuth clients (RFC 8414, RFC 9728)."""

from typing import Any

from marketplace.identity import queries
from marketplace.identity.oauth.access_tokens import GRANT_DETAILS
from marketplace.identity.oauth.client_authentication import METHODS, PROOFS
from marketplace.identity.oauth.demands import AGENTS_PATH, HOUR_SCOPE
from marketplace.identity.oauth.jwts import ALGORITHMS
from marketplace.identity.permissions import EVERYONE, PERMISSIONS, Permission, scopes_for
from marketplace.identity.states import Assurance, GrantType
from marketplace.kit import settings


def authorization_server() -> dict[str, Any]:
    """Return the authorization server metadata (RFC 8414 section 2); the issuer is never the Host header's."""
    command_line = queries.find_command_line_client()
    return _of_the_server() | ({"musubi_cli_client_id": command_line.id} if command_line is not None else {})


def _of_the_server() -> dict[str, Any]:
    base = settings.current().base_url
    return {
        "issuer": base,
        "token_endpoint": f"{base}/oauth/token",
        "revocation_endpoint": f"{base}/oauth/revoke",
        "introspection_endpoint": f"{base}/oauth/introspect",
        "jwks_uri": f"{base}/oauth/jwks.json",
        "scopes_supported": sorted(scopes_for(EVERYONE) | {HOUR_SCOPE}),
        "authorization_endpoint": f"{base}/oauth/authorize",
        "pushed_authorization_request_endpoint": f"{base}/oauth/par",
        "device_authorization_endpoint": f"{base}/oauth/device_authorization",
        "registration_endpoint": f"{base}/oauth/register",
        "require_pushed_authorization_requests": settings.current().security_profile == "fapi2",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "authorization_details_types_supported": [GRANT_DETAILS],
        "dpop_signing_alg_values_supported": ALGORITHMS,
        "acr_values_supported": [level.value for level in Assurance],
        "grant_types_supported": [grant.value for grant in GrantType],
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": PROOFS,
        "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "service_documentation": f"{base}/docs",
        "ui_locales_supported": ["ja", "en"],
        "protected_resources": [base, f"{base}{AGENTS_PATH}"],
    }


def agents_resource() -> dict[str, Any]:
    """Return the metadata of the address of agents, whose identifier has a path (RFC 9728 section 3.1)."""
    asked = {rule.scope for name, rule in PERMISSIONS.items() if name is Permission.FILES_FETCH and rule.scope}
    told = {"resource": f"{settings.current().base_url}{AGENTS_PATH}", "scopes_supported": sorted(asked)}
    return protected_resource() | told


def protected_resource() -> dict[str, Any]:
    """Return the protected resource metadata (RFC 9728 section 2)."""
    base = settings.current().base_url
    return {
        "resource": base,
        "authorization_servers": [base],
        "scopes_supported": sorted(scopes_for(EVERYONE) | {HOUR_SCOPE}),
        "bearer_methods_supported": ["header"],
        "resource_name": "Musubi",
        "resource_name#ja": "結び",
        "resource_documentation": f"{base}/docs",
    }
