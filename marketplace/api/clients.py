"""API clients of an organization."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.organizations import with_secret
from marketplace.api.schemas import identity as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.identity import queries, service
from marketplace.identity.oauth import registering, registration
from marketplace.identity.permissions import Permission, scopes_for
from marketplace.kit.transaction import transaction

blp = blueprint("clients", "/v1/clients", "API clients: the keys with which an organization asks for tokens.")


@blp.route("", methods=["POST"])
@guarded(Permission.CLIENTS_MANAGE)
@blp.arguments(schemas.ClientDraft)
@blp.response(201, schemas.NewClientView)
def register(draft: dict[str, Any]) -> Any:
    """Register a client for one's own organization; its secret, if it keeps one, is shown this once."""
    caller, traits = actor(), registration.traits_of(draft)
    with transaction():
        scopes = draft.get("scopes", scopes_for(caller.capacities) & caller.scopes)
        client = with_secret(*service.register_client(caller, caller.organization_id, draft["name"], scopes, traits))
    return created(client, f"/v1/clients/{client['id']}")


@blp.route("")
@guarded(Permission.CLIENTS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.ClientPage)
def list_clients(query: dict[str, Any]) -> Any:
    """List the clients of one's own organization."""
    return queries.list_clients(actor().organization_id, **query)


@blp.route("/<client_id>")
@guarded(Permission.CLIENTS_READ)
@blp.response(200, schemas.ClientView)
def read_client(client_id: str) -> Any:
    """Read one client of one's own organization."""
    return queries.get_own_client(actor(), client_id)


@blp.route("/<client_id>/suspend", methods=["POST"])
@guarded(Permission.CLIENTS_MANAGE)
@blp.response(200, schemas.ClientView)
def suspend(client_id: str) -> Any:
    """Suspend a client; its tokens die at once."""
    with transaction():
        return service.suspend_client(actor(), client_id)


@blp.route("/<client_id>/rotate-secret", methods=["POST"])
@guarded(Permission.CLIENTS_MANAGE)
@blp.response(200, schemas.NewClientView)
def rotate_secret(client_id: str) -> dict[str, Any]:
    """Replace a client's secret; the old one stops working at once."""
    with transaction():
        return with_secret(*service.rotate_client_secret(actor(), client_id))


@blp.route("/<client_id>/keys", methods=["PUT", "POST"])
@guarded(Permission.CLIENTS_MANAGE)
@blp.arguments(schemas.ClientKeys)
@blp.response(200, schemas.ClientView)
def replace_keys(keys: dict[str, Any], client_id: str) -> Any:
    """Have a client prove itself by other keys; what did before stops working at once, and its tokens die."""
    with transaction():
        return registering.replace_keys(actor(), client_id, keys.get("jwks"), keys.get("jwks_uri"))


@blp.route("/registration-tokens", methods=["POST"])
@guarded(Permission.CLIENTS_MANAGE)
@blp.arguments(schemas.RegistrationTokenDraft)
@blp.response(201, schemas.RegistrationTokenView)
def issue_registration_token(draft: dict[str, Any]) -> Any:
    """Let programs register clients for one's own organization by themselves (RFC 7591); shown this once."""
    caller = actor()
    with transaction():
        scopes = draft.get("scopes", scopes_for(caller.capacities) & caller.scopes)
        return registering.issue_token(caller, scopes, draft["uses"], draft["ttl_seconds"])
