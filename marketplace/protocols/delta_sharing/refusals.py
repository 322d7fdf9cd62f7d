"""What the protocol refuses, and how: a body of ``errorCode`` and ``message``, with few statuses."""

import json
import logging

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from marketplace.exchange import pacing
from marketplace.identity.errors import InvalidToken
from marketplace.kit import settings
from marketplace.kit.errors import Refusal

log = logging.getLogger(__name__)
CONTENT_TYPE = "application/json; charset=utf-8"
RETRY_AFTER_SECONDS = 2
_CODES = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}
# Clients try 429 again for minutes, as if a quota or a payment were a moment's trouble. A minute's rate is one.
_INSTEAD = {402: 403, 429: 403}


class NotAsAgreed(Refusal):
    """A request that the protocol does not allow; the detail is its own wording."""

    slug, status = "delta-sharing-parameter", 400
    title, title_ja = "Not as Delta Sharing asks", "Delta Sharingの要求が正しくありません"
    cause = "A parameter of the request is not one that the Delta Sharing protocol allows here."
    cure = "Compare the request with the message, which names the parameter."
    cause_ja = "要求の項目が、Delta Sharingプロトコルで認められていません。"
    cure_ja = "メッセージに示された項目を確かめてください。"


class Malformed(NotAsAgreed):
    """A body that is no JSON object."""

    slug = "delta-sharing-malformed"
    title, title_ja = "Request malformed", "要求の形式が正しくありません"
    cause = "The body is not a JSON object."
    cure = "Send the parameters of the query as a JSON object, or none."
    cause_ja = "本文がJSONオブジェクトではありません。"
    cure_ja = "問い合わせの項目をJSONオブジェクトで送るか、本文なしで送ってください。"


def register(blueprint: Blueprint) -> None:
    """Answer every failure of the protocol's addresses in its own form."""
    blueprint.register_error_handler(Refusal, answer)
    blueprint.register_error_handler(HTTPException, _answer_http)


def answer(refusal: Refusal) -> Response:
    """Return a refusal as the protocol words it, with cause and cure in one message."""
    g.refused = refusal.slug
    paced = pacing.fields_of_refusal(refusal)
    status = refusal.status if paced else _INSTEAD.get(refusal.status, refusal.status)
    status = status if status in _CODES else 400
    code = "MALFORMED_REQUEST" if isinstance(refusal, Malformed) else _CODES[status]
    own = isinstance(refusal, NotAsAgreed)
    message = refusal.detail if own else f"{refusal.title}. {refusal.detail} {refusal.cure}"
    response = _response(status, code, message)
    if status == 401:
        response.headers["WWW-Authenticate"] = _challenge(refusal)
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    response.headers.update(paced)
    return response


def _challenge(refusal: Refusal) -> str:
    where = f'resource_metadata="{settings.current().base_url}/.well-known/oauth-protected-resource"'
    error = ', error="invalid_token"' if isinstance(refusal, InvalidToken) else ""
    return f'Bearer realm="musubi"{error}, {where}'


def _answer_http(error: HTTPException) -> Response:
    status = error.code or 500
    response = _response(status, _CODES.get(status, "MALFORMED_REQUEST"), error.name)
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _response(status: int, code: str, message: str) -> Response:
    body = json.dumps({"errorCode": code, "message": message})
    response = Response(None if request.method == "HEAD" else body, status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response
