"""What CKAN refuses, and how: few statuses, ``error.__type``, and a bare JSON string for what is no call at all."""

import json
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from marketplace.exchange import pacing
from marketplace.kit import settings
from marketplace.kit.errors import Refusal

CONTENT_TYPE = "application/json;charset=utf-8"
RETRY_AFTER_SECONDS = 2
NOT_FOUND, VALIDATION, AUTHORIZATION = "Not Found Error", "Validation Error", "Authorization Error"
SEARCH_QUERY = "Search Query Error"
_OF_STATUS = {
    400: (400, "Bad Request"),
    401: (403, AUTHORIZATION),
    402: (403, AUTHORIZATION),
    403: (403, AUTHORIZATION),
    404: (404, NOT_FOUND),
    409: (409, VALIDATION),
    412: (409, VALIDATION),
    415: (409, VALIDATION),
    422: (409, VALIDATION),
    428: (409, VALIDATION),
    # Clients take a quota that is used up for a moment's trouble when it is said by 429.
    429: (403, AUTHORIZATION),
    413: (413, VALIDATION),
    503: (503, "Service Unavailable"),
}


class NoCall(Refusal):
    """A request that is no call of an action; the detail is CKAN's own wording."""

    slug, status = "ckan-no-call", 400
    title, title_ja = "No call of an action", "アクションの呼出しではありません"
    cause = "The action is not one of those that are answered here, or the body is not a JSON object."
    cure = "Compare the name of the action and the body with docs/ckan.md."
    cause_ja = "アクション名がここで応答するものではないか、本文がJSONオブジェクトではありません。"
    cure_ja = "アクション名と本文を docs/ckan.md と照らし合わせてください。"


class SearchUnreadable(Refusal):
    """Words of a search that are not read here."""

    slug, status = "ckan-search-query", 400
    title, title_ja = "Search not understood", "検索条件を解釈できません"
    cause = "`fq` or `sort` holds something that this façade of CKAN does not read; the detail names it."
    cure = "Filter by organization, groups, tags, res_format, license_id and metadata_modified, joined by AND."
    cause_ja = "fq または sort に、このCKAN互換機能では解釈できない記述があります。detail に示しています。"
    cure_ja = (
        "organization、groups、tags、res_format、license_id、metadata_modified を AND でつないで指定してください。"
    )


def register(blueprint: Blueprint) -> None:
    """Answer every failure of the protocol's addresses in its own form."""
    blueprint.register_error_handler(Refusal, answer)
    blueprint.register_error_handler(HTTPException, _answer_http)


def help_url(action: str | None = None) -> str:
    """Return where the help of the called action lies."""
    named = action or (request.view_args or {}).get("action") or request.path.rsplit("/", 1)[-1]
    return f"{settings.current().base_url}/api/3/action/help_show?name={named}"


def answer(refusal: Refusal) -> Response:
    """Return a refusal as CKAN words it, in both languages."""
    g.refused = refusal.slug
    if isinstance(refusal, NoCall):
        return _said(400, json.dumps(refusal.detail, ensure_ascii=False))
    paced = pacing.fields_of_refusal(refusal)
    status, kind = _OF_STATUS.get(refusal.status, (500, "Internal Server Error"))
    if isinstance(refusal, SearchUnreadable):
        status, kind = 400, SEARCH_QUERY
    error: dict[str, Any] = {"__type": kind} | _worded(refusal, kind)
    response = _failed(429 if paced else status, error)
    response.headers.update(paced)
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _worded(refusal: Refusal, kind: str) -> dict[str, Any]:
    if kind == VALIDATION and refusal.errors:
        fields: dict[str, list[str]] = {}
        for fault in refusal.errors:
            fields.setdefault(fault["pointer"].lstrip("/").split("/")[0] or "message", []).append(fault["detail"])
        return dict(fields)
    prefix = "Not found: " if kind == NOT_FOUND else "Access denied: " if kind == AUTHORIZATION else ""
    detail = f" {refusal.detail}" if refusal.detail else ""
    return {"message": f"{prefix}{refusal.title} / {refusal.title_ja}.{detail} {refusal.cure}"}


def _failed(status: int, error: dict[str, Any]) -> Response:
    body = {"help": help_url(), "success": False, "error": error}
    return _said(status, json.dumps(body, ensure_ascii=False))


def _answer_http(error: HTTPException) -> Response:
    status = error.code or 500
    kind = _OF_STATUS.get(status, (status, "Internal Server Error"))[1]
    response = _failed(status, {"__type": kind, "message": error.name})
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _said(status: int, body: str) -> Response:
    response = Response(body.encode(errors="replace"), status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response
