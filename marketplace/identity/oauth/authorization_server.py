"""The authorization server: Authlib's framework-neutral core with every loose screw tightened.

Other grants and client authentication methods are added in ``_build`` and in
``client_authentication.READERS``; nothing else knows how many there are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from authlib.oauth2 import AuthorizationServer, OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError

from marketplace.identity.oauth import access_tokens, client_authentication
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.identity.oauth.client_authentication import KnownClient
from marketplace.identity.oauth.client_credentials import ClientCredentialsGrant
from marketplace.identity.oauth.introspection import IntrospectionEndpoint
from marketplace.identity.oauth.posts import Post, StrictRequest
from marketplace.identity.oauth.revocation import RevocationEndpoint
from marketplace.kit import settings

GRANTS = [ClientCredentialsGrant]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answers: a JSON body in the words of RFC 6749 section 5."""

    status: int
    body: dict[str, Any]
    headers: list[tuple[str, str]]


class StrictAuthorizationServer(AuthorizationServer):  # type: ignore[misc]  # Authlib carries no types
    """Authlib's server, told where its parts are."""

    def create_oauth2_request(self, request: StrictRequest) -> StrictRequest:
        """Return the request as it is: it was made and checked before."""
        return request

    def handle_response(self, status: int, body: dict[str, Any], headers: list[tuple[str, str]]) -> Answer:
        """Return the answer free of any web framework."""
        return Answer(status, dict(body), headers)

    def authenticate_client(
        self,
        request: StrictRequest,
        methods: list[str],
        endpoint: str = "token",  # noqa: ARG002 - Authlib's signature
    ) -> KnownClient:
        """Authenticate by our own rules: Authlib's tell unknown clients from wrong secrets."""
        client = client_authentication.authenticate(request, methods)
        request.client = client
        return client

    def save_token(self, token: dict[str, Any], request: StrictRequest) -> None:
        """Do nothing: the row is written where the token is signed, so that neither exists alone."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Do nothing: what must follow a deed stands in the deed."""


def answer_token_request(post: Post) -> Answer:
    """Answer a post to the token endpoint (RFC 6749 section 3.2)."""
    return _answer(post, _token_response)


def answer_revocation(post: Post) -> Answer:
    """Answer a post to the revocation endpoint (RFC 7009)."""
    return _answer(post, lambda request: _server.create_endpoint_response("revocation", request))


def answer_introspection(post: Post) -> Answer:
    """Answer a post to the introspection endpoint (RFC 7662)."""
    return _answer(post, lambda request: _server.create_endpoint_response("introspection", request))


def refusal(error: OAuth2Error) -> Answer:
    """Return an OAuth error as an answer."""
    return Answer(*error())


def _answer(post: Post, respond: Callable[[StrictRequest], Any]) -> Answer:
    try:
        answer: Answer = respond(StrictRequest(post))
    except OAuth2Error as error:
        return refusal(error)
    return answer


def _token_response(request: StrictRequest) -> Any:
    if request.payload.grant_type is None:
        raise InvalidRequestError("The parameter grant_type is missing.")
    return _server.create_token_response(request)


def _generate_token(*, client: KnownClient, scope: str | None, **_: Any) -> dict[str, Any]:
    granted = client.get_allowed_scope(scope)
    if granted is None:
        raise InvalidScopeError
    return {
        "access_token": access_tokens.issue(Bearer(client.id, client.organization_id, granted)),
        "token_type": "Bearer",
        "expires_in": settings.current().token_ttl_seconds,
        "scope": granted,
    }


def _build() -> StrictAuthorizationServer:
    server = StrictAuthorizationServer()
    for grant in GRANTS:
        server.register_grant(grant)
    server.register_token_generator("default", _generate_token)
    server.register_endpoint(RevocationEndpoint)
    server.register_endpoint(IntrospectionEndpoint)
    return server


_server = _build()
