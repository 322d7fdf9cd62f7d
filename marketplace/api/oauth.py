"""The OAuth endpoints: bodies as in RFC 6749, not as in the rest of the API."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from marketplace.identity.oauth import authorization_server, client_metadata, keys, metadata
from marketplace.identity.oauth.authorization_server import Answer
from marketplace.identity.oauth.posts import Post
from marketplace.kit.transaction import transaction

BODY_BYTES_MAX = 16 * 1024
METADATA_BYTES_MAX = 64 * 1024
PUBLIC_SECONDS = 300

blp = Blueprint("oauth", __name__)


@blp.post("/oauth/token")
def token() -> Response:
    """Give a client an access token (RFC 6749 section 4.4)."""
    return _answer(authorization_server.answer_token_request)


@blp.post("/oauth/par")
def push() -> Response:
    """Keep an authorization request before the browser is sent (RFC 9126)."""
    return _answer(authorization_server.answer_pushed_request)


@blp.post("/oauth/device_authorization")
def device_authorization() -> Response:
    """Give a program without a browser its codes (RFC 8628)."""
    return _answer(authorization_server.answer_device_authorization)


@blp.post("/oauth/revoke")
def revoke() -> Response:
    """End one of the client's own tokens (RFC 7009)."""
    return _answer(authorization_server.answer_revocation)


@blp.post("/oauth/introspect")
def introspect() -> Response:
    """Tell a client about one of its own tokens (RFC 7662)."""
    return _answer(authorization_server.answer_introspection)


@blp.post("/oauth/register")
def register() -> Response:
    """Register a client by an initial access token (RFC 7591 section 3)."""
    return _of_registration(client_metadata.register)


@blp.get("/oauth/register/<client_id>")
def read_registration(client_id: str) -> Response:
    """Tell a client how it is registered (RFC 7592 section 2.1)."""
    return _of_registration(lambda token, _body: client_metadata.read(client_id, token))


@blp.put("/oauth/register/<client_id>")
def change_registration(client_id: str) -> Response:
    """Replace all that a client registered (RFC 7592 section 2.2)."""
    return _of_registration(lambda token, body: client_metadata.change(client_id, token, body))


@blp.delete("/oauth/register/<client_id>")
def remove_registration(client_id: str) -> Response:
    """Shut a client out because it asks for it (RFC 7592 section 2.3)."""
    return _of_registration(lambda token, _body: client_metadata.remove(client_id, token))


@blp.get("/oauth/jwks.json")
def jwks() -> Response:
    """Publish the keys with which tokens are verified (RFC 7517)."""
    return _public(keys.current().jwks(), "application/jwk-set+json")


@blp.get("/.well-known/oauth-authorization-server")
def authorization_server_metadata() -> Response:
    """Describe the authorization server (RFC 8414)."""
    return _public(metadata.authorization_server())


@blp.get("/.well-known/oauth-protected-resource")
def protected_resource_metadata() -> Response:
    """Describe the API as a protected resource (RFC 9728)."""
    return _public(metadata.protected_resource())


@blp.get("/.well-known/oauth-protected-resource/mcp")
def agents_resource_metadata() -> Response:
    """Describe the address of agents as a protected resource (RFC 9728 section 3.1)."""
    return _public(metadata.agents_resource())


@blp.errorhandler(RequestEntityTooLarge)
def refuse_too_large(_error: RequestEntityTooLarge) -> Response:
    """Refuse a body that no honest client sends."""
    return _response(Answer(413, {"error": "invalid_request"}, [("Cache-Control", "no-store")]))


def _answer(deed: Callable[[Post], Answer]) -> Response:
    request.max_content_length = BODY_BYTES_MAX
    post = Post(
        path=request.path,
        query=request.query_string.decode("latin-1"),
        content_type=request.mimetype,
        authorization=", ".join(request.headers.getlist("Authorization")) or None,
        form=list(request.form.items(multi=True)),
        peer=request.remote_addr or "",
        dpop=request.headers.getlist("DPoP"),
    )
    authorization_server.fetch_keys(post)
    with transaction():
        answer = deed(post)
    return _response(answer)


def _of_registration(deed: Callable[[str, bytes], client_metadata.Answer]) -> Response:
    request.max_content_length = METADATA_BYTES_MAX
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    body = request.get_data()
    with transaction():
        answer = deed(token.strip() if scheme.lower() == "bearer" else "", body)
    return _response(answer)


def _response(answer: Answer | client_metadata.Answer) -> Response:
    g.refused = (answer.body or {}).get("error", "-")
    response = jsonify(answer.body) if answer.body is not None else Response()
    response.status_code = answer.status
    for name, value in answer.headers:
        response.headers[name] = value
    return response


def _public(document: dict[str, Any], media_type: str = "application/json") -> Response:
    response = jsonify(document)
    response.mimetype = media_type
    response.cache_control.public = True
    response.cache_control.max_age = PUBLIC_SECONDS
    return response
