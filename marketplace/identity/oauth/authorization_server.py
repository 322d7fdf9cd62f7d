"""The authorization server: Authlib's framework-neutral core with every loose screw tightened.

Other grants and client authentication methods are added in ``_build`` and in
``client_authentication.READERS``; nothing else knows how many there are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from authlib.oauth2 import AuthorizationServer, OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError, UnauthorizedClientError

from marketplace.identity.oauth import authorization_requests, client_authentication, client_keys, devices, dpop
from marketplace.identity.oauth.authorization_code import AuthorizationCodeGrant
from marketplace.identity.oauth.client_authentication import METHODS
from marketplace.identity.oauth.client_credentials import ClientCredentialsGrant
from marketplace.identity.oauth.clients import KnownClient
from marketplace.identity.oauth.device_code import DeviceCodeGrant
from marketplace.identity.oauth.dpop import Call
from marketplace.identity.oauth.introspection import IntrospectionEndpoint
from marketplace.identity.oauth.posts import Post, StrictRequest
from marketplace.identity.oauth.refreshing import RefreshTokenGrant
from marketplace.identity.oauth.refusals import InvalidDpopProof
from marketplace.identity.oauth.revocation import RevocationEndpoint
from marketplace.kit.transaction import transaction

GRANTS = [ClientCredentialsGrant, AuthorizationCodeGrant, RefreshTokenGrant, DeviceCodeGrant]
NO_STORE = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache")]


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
        endpoint: str = "token",
    ) -> KnownClient:
        """Authenticate by our own rules: Authlib's tell unknown clients from wrong secrets."""
        client = client_authentication.authenticate(request, methods)
        if endpoint == "token":
            _refuse_unregistered(client, request)
        request.client = client
        return client

    def save_token(self, token: dict[str, Any], request: StrictRequest) -> None:
        """Do nothing: the row is written where the token is signed, so that neither exists alone."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Do nothing: what must follow a deed stands in the deed."""


def fetch_keys(post: Post) -> None:
    """Have the keys at hand that a post may be signed with; asks the network, so call it outside any transaction."""
    if not any(name == "client_assertion" for name, _value in post.form):
        return
    try:
        with transaction():
            claimed = client_authentication.claimed_client(StrictRequest(post))
    except OAuth2Error:
        return  # whoever answers says what is wrong
    if claimed is not None:
        client_keys.refresh(*claimed)


def answer_token_request(post: Post) -> Answer:
    """Answer a post to the token endpoint (RFC 6749 section 3.2)."""
    return _answer(post, _token_response)


def answer_pushed_request(post: Post) -> Answer:
    """Answer a post to the endpoint of pushed authorization requests (RFC 9126)."""
    return _answer(post, _pushed_response)


def answer_device_authorization(post: Post) -> Answer:
    """Answer a post to the device authorization endpoint (RFC 8628 section 3.1)."""
    return _answer(post, _device_response)


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
    _prove(request)
    return _server.create_token_response(request)


def _refuse_unregistered(client: KnownClient, request: StrictRequest) -> None:
    if not client.check_grant_type(request.payload.grant_type):
        raise UnauthorizedClientError
    if client.dpop_bound and request.dpop_jkt is None:
        raise InvalidDpopProof("The tokens of this client are bound to a key: send a DPoP proof.")


def _pushed_response(request: StrictRequest) -> Answer:
    client = _server.authenticate_client(request, METHODS, "par")
    _prove(request)
    return Answer(201, authorization_requests.push(client, request.pairs, request.dpop_jkt), NO_STORE)


def _device_response(request: StrictRequest) -> Answer:
    client = _server.authenticate_client(request, METHODS, "device_authorization")
    form = request.form
    told = devices.open_authorization(client, form.get("scope"), request.resources, form.get("authorization_details"))
    return Answer(200, told, NO_STORE)


def _prove(request: StrictRequest) -> None:
    request.dpop_jkt = dpop.proven_key(request.dpop_proofs, Call("POST", request.path))


def _build() -> StrictAuthorizationServer:
    server = StrictAuthorizationServer()
    for grant in GRANTS:
        server.register_grant(grant)
    server.register_endpoint(RevocationEndpoint)
    server.register_endpoint(IntrospectionEndpoint)
    return server


_server = _build()
