"""Refusals on the wire: RFC 9457 problem details, in the reader's language."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, SecurityError

from marketplace.exchange import pacing
from marketplace.identity.errors import (
    AssuranceTooLow,
    DpopNonceNeeded,
    DpopProofInvalid,
    InsufficientScope,
    InvalidToken,
    NotAuthenticated,
    SeveralCredentials,
    StepUpRequired,
)
from marketplace.identity.oauth.jwts import ALGORITHMS
from marketplace.identity.permissions import STEP_UP_SECONDS
from marketplace.identity.states import Assurance
from marketplace.kit import settings
from marketplace.kit.errors import Invalid, NotFound, Refusal, TooLarge, Unavailable
from marketplace.kit.health import LOST_DATABASE
from marketplace.kit.ids import new_id
from marketplace.kit.language import preferred

log = logging.getLogger(__name__)
RETRY_AFTER_SECONDS = 2
EXTENSION = "marketplace.problem_page"
HTML = "text/html"
FOR_PROGRAMS = ("/v1/", "/oauth/", "/webhooks/", "/delta-sharing/", "/sandbox/", "/.well-known/", "/openapi.json/")
Page = Callable[[Refusal], Response]


class MethodNotAllowed(Refusal):
    """The address exists, but not for this method."""

    slug, status = "method-not-allowed", 405
    title, title_ja = "Method not allowed", "このメソッドは使えません"
    cause = "The address does not answer to this method; Allow lists those it answers to."
    cure = "Look the address up in /docs."
    cause_ja = "このアドレスは、このメソッドに応答しません。応答するものはAllowに示されます。"
    cure_ja = "/docs でアドレスを確かめてください。"


class BadRequest(Refusal):
    """A request that cannot be read."""

    slug, status = "bad-request", 400
    title, title_ja = "Bad request", "要求を読み取れません"
    cause = "The request is not well formed."
    cure = "Compare it with the description at /docs."
    cause_ja = "要求の形式が正しくありません。"
    cure_ja = "/docs の説明と照らし合わせてください。"


class UnsupportedMediaType(Refusal):
    """A body in a form that the address does not read."""

    slug, status = "unsupported-media-type", 415
    title, title_ja = "Unsupported media type", "この形式には対応していません"
    cause = "The body is not in the media type that this address reads."
    cure = "Send JSON with Content-Type: application/json."
    cause_ja = "本文は、このアドレスが読み取れる形式ではありません。"
    cure_ja = "Content-Type: application/json を付けて、JSONを送ってください。"


class Misdirected(Refusal):
    """A request for another host; 400 as for any Host that does not fit (RFC 9112 section 3.2)."""

    slug, status = "misdirected", 400
    title, title_ja = "Not this exchange", "宛先が異なります"
    cause = "The Host header names another site than this exchange."
    cure = (
        "Use the address of the exchange. Its operator: MARKETPLACE_BASE_URL must be it, and proxies must pass Host on."
    )
    cause_ja = "Hostヘッダーが、この取引所ではない宛先を示しています。"
    cure_ja = (
        "取引所のアドレスを使ってください。運営者は、MARKETPLACE_BASE_URLをそのアドレスにし、"
        "プロキシがHostをそのまま渡すようにしてください。"
    )


class Unexpected(Refusal):
    """A fault of ours."""

    slug, status = "unexpected", 500
    title, title_ja = "Unexpected fault", "予期しない障害"
    cause = "The exchange failed in a way it did not foresee; nothing was changed."
    cure = "Send the request again; if it fails again, tell the operator the `incident`."
    cause_ja = "取引所が予期しない形で失敗しました。何も変更されていません。"
    cure_ja = "もう一度送ってください。再び失敗する場合は、incident を運営者に伝えてください。"


def register(app: Flask, page: Page) -> None:
    """Answer every failure of the application with a problem, and with ``page`` where a person reads pages."""
    app.extensions[EXTENSION] = page
    app.register_error_handler(Refusal, answer)
    app.register_error_handler(HTTPException, _answer_http)
    for lost in LOST_DATABASE:
        app.register_error_handler(lost, _answer_lost_database)
    app.register_error_handler(Exception, _answer_fault)


def answer(refusal: Refusal) -> Response:
    """Render a refusal; 401 and 403 carry the challenge of RFC 6750 section 3."""
    g.refused = refusal.slug
    response = _page(refusal) if _is_for_a_person() else _document(refusal)
    response.headers["Cache-Control"] = "no-store"
    if challenge := _challenge(refusal):
        response.headers["WWW-Authenticate"] = challenge
    if isinstance(refusal, DpopNonceNeeded):
        response.headers["DPoP-Nonce"] = refusal.nonce
    if refusal.status in {429, 503}:
        response.headers["Retry-After"] = str(refusal.members.get("retry_after_seconds", RETRY_AFTER_SECONDS))
    response.headers.update(pacing.fields_of_refusal(refusal))
    return response


def as_document(refusal: Refusal) -> dict[str, Any]:
    """Return the members of RFC 9457 section 3.1, with cause and cure by link and by name."""
    japanese = preferred(request.accept_languages) == "ja"
    document: dict[str, Any] = {
        "type": f"{settings.current().base_url}/problems/{refusal.slug}",
        "title": refusal.title_ja if japanese else refusal.title,
        "status": refusal.status,
        # What one case adds to the cause is said in English alone.
        "detail": refusal.cause_ja if japanese and refusal.detail == refusal.cause else refusal.detail,
        "cure": refusal.cure_ja if japanese else refusal.cure,
        "instance": request.path,
    }
    if refusal.errors:
        document["errors"] = refusal.errors
    return document | refusal.members


def _document(refusal: Refusal) -> Response:
    return Response(_dumps(as_document(refusal)), refusal.status, content_type="application/problem+json")


def _page(refusal: Refusal) -> Response:
    page: Page = current_app.extensions[EXTENSION]
    return page(refusal)


def _is_for_a_person() -> bool:
    """Whether the address is one of pages, and the client would rather have HTML than JSON."""
    if f"{request.path}/".startswith(FOR_PROGRAMS):
        return False
    return request.accept_mimetypes.best_match(["application/problem+json", "application/json", HTML]) == HTML


def _dumps(document: dict[str, Any]) -> bytes:
    import orjson

    return orjson.dumps(document, default=str)


def _challenge(refusal: Refusal) -> str | None:
    realm = (
        f'Bearer realm="musubi", resource_metadata="{settings.current().base_url}/.well-known/oauth-protected-resource"'
    )
    if isinstance(refusal, NotAuthenticated):
        return realm
    if isinstance(refusal, InvalidToken | SeveralCredentials):
        return f'{realm}, error="{"invalid_token" if isinstance(refusal, InvalidToken) else "invalid_request"}"'
    if isinstance(refusal, InsufficientScope):
        return f'{realm}, error="insufficient_scope", scope="{refusal.members.get("scope", "")}"'
    if isinstance(refusal, DpopProofInvalid | DpopNonceNeeded):
        error = "use_dpop_nonce" if isinstance(refusal, DpopNonceNeeded) else "invalid_dpop_proof"
        return f'DPoP realm="musubi", error="{error}", algs="{" ".join(ALGORITHMS)}"'
    if isinstance(refusal, StepUpRequired | AssuranceTooLow):
        return f'{realm}, error="insufficient_user_authentication", {_asked_of_person(refusal)}'
    return None


def _asked_of_person(refusal: StepUpRequired | AssuranceTooLow) -> str:
    """Return what to sign in with (RFC 9470 section 3)."""
    if isinstance(refusal, AssuranceTooLow):
        return f'acr_values="{refusal.members["assurance_required"]}"'
    return f'acr_values="{Assurance.AAL2}", max_age="{STEP_UP_SECONDS}"'


def _answer_http(error: HTTPException) -> Response:
    if error.code is not None and error.code < 400:
        return error.get_response()  # type: ignore[return-value] # a redirect is an answer, not a problem
    response = answer(_translate(error))
    for name, value in error.get_headers():
        if name.lower() == "allow":
            response.headers[name] = value
    return response


def _translate(error: HTTPException) -> Refusal:
    messages = getattr(error, "data", {}).get("messages") if isinstance(getattr(error, "data", None), dict) else None
    if messages:
        return Invalid(errors=[_fault(path, sentence) for path, sentence in _sentences(messages)])
    if isinstance(error, SecurityError):
        return Misdirected()
    if error.code == TooLarge.status:
        fields_max = settings.current().form_fields_max
        return TooLarge(f"The body may have at most {request.max_content_length} bytes, a form {fields_max} fields.")
    kinds: dict[int, type[Refusal]] = {
        400: BadRequest,
        404: NotFound,
        405: MethodNotAllowed,
        415: UnsupportedMediaType,
        422: Invalid,
    }
    kind = kinds.get(error.code or 500, BadRequest if (error.code or 500) < 500 else Unexpected)
    return kind()


def _sentences(messages: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Turn marshmallow's nested messages into pairs of a path, location first, and a sentence."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _sentences(inner, path if name == "_schema" else (*path, str(name)))
    else:
        for sentence in messages if isinstance(messages, list) else [messages]:
            yield path, str(sentence)


def _fault(path: tuple[str, ...], sentence: str) -> dict[str, str]:
    # The first step is where webargs looked (json, query); RFC 6901 section 3 escapes the others.
    steps = [step.replace("~", "~0").replace("/", "~1") for step in path[1:]]
    return {"pointer": "".join(f"/{step}" for step in steps), "detail": sentence}


def _answer_lost_database(error: Exception) -> Response:
    log.error("the database did not answer: %s", error)
    return answer(Unavailable("The database does not answer at the moment."))


def _answer_fault(error: Exception) -> Response:
    incident = new_id("inc")
    log.error("incident %s", incident, exc_info=error)
    return answer(Unexpected(incident=incident))
