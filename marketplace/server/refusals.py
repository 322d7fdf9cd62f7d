"""What the server itself refuses, before any application sees it: problems like all others (RFC 9457)."""

import json
from collections.abc import Sequence

from gunicorn.http.errors import (
    ConfigurationProblem,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)

from marketplace.kit.errors import Refusal

OURS = (InvalidResponseHeader, InvalidResponseHeaderName, ConfigurationProblem)
Fields = Sequence[tuple[str, str]]


class Unreadable(Refusal):
    """A request that two readers could read differently, or that is no HTTP."""

    slug, status = "unreadable-request", 400
    title, title_ja = "Not readable as HTTP", "HTTPとして読み取れません"
    cause = "The request is no HTTP/1.1, or a server before this one could read it differently (RFC 9112)."
    cure = "Send one Content-Length or one Transfer-Encoding: chunked, lines that end in CR LF, and no folded lines."
    cause_ja = "要求がHTTP/1.1ではないか、手前のサーバーと異なる読み方ができてしまいます（RFC 9112）。"
    cure_ja = (
        "Content-LengthかTransfer-Encoding: chunkedのどちらか一つを送り、行末はCR LFとし、行を折り返さないでください。"
    )


class AddressTooLong(Refusal):
    """An address longer than the server reads."""

    slug, status = "address-too-long", 414
    title, title_ja = "Address too long", "アドレスが長すぎます"
    cause = "The request line, with the address and its query, is longer than this server reads."
    cure = "Shorten the query. The operator: MARKETPLACE_REQUEST_LINE_BYTES_MAX is the limit."
    cause_ja = "アドレスとクエリーを含む要求行が、このサーバーの上限を超えています。"
    cure_ja = "クエリーを短くしてください。運営者向け：上限はMARKETPLACE_REQUEST_LINE_BYTES_MAXです。"


class HeaderFieldsTooLarge(Refusal):
    """More header fields than the server reads, or a longer one."""

    slug, status = "header-fields-too-large", 431
    title, title_ja = "Header fields too large", "ヘッダーが大きすぎます"
    cause = "There are more header fields than this server reads, or one of them is longer."
    cure = (
        "Send fewer and shorter fields, cookies among them. The operator: MARKETPLACE_HEADER_FIELDS_MAX and"
        " MARKETPLACE_HEADER_BYTES_MAX are the limits."
    )
    cause_ja = "ヘッダーの数または長さが、このサーバーの上限を超えています。"
    cure_ja = (
        "Cookieを含め、ヘッダーを減らすか短くしてください。運営者向け：上限はMARKETPLACE_HEADER_FIELDS_MAXと"
        "MARKETPLACE_HEADER_BYTES_MAXです。"
    )


def of(fault: BaseException) -> Refusal | None:
    """Return what is answered to a request that cannot be read; None where the fault is not the sender's."""
    if not isinstance(fault, ParseException) or isinstance(fault, OURS):
        return None
    if isinstance(fault, LimitRequestLine):
        return AddressTooLong()
    return HeaderFieldsTooLarge() if isinstance(fault, LimitRequestHeaders) else Unreadable()


def rendered(refusal: Refusal | None, problems_url: str, fields: Fields) -> bytes:
    """Return a whole HTTP/1.1 answer that closes the connection; None is a fault of ours.

    Nobody knows which language the sender reads: its header could not be read.
    """
    status, document = 500, {"type": "about:blank", "title": "Internal Server Error", "status": 500}
    if refusal is not None:
        status = refusal.status
        document = {
            "type": f"{problems_url}/{refusal.slug}", "title": refusal.title, "status": status,
            "detail": refusal.cause, "cure": refusal.cure, "instance": "about:blank",
            "title_ja": refusal.title_ja, "detail_ja": refusal.cause_ja, "cure_ja": refusal.cure_ja,
        }  # fmt: skip
    body = json.dumps(document, ensure_ascii=False).encode()
    own = [("Content-Type", "application/problem+json"), ("Content-Length", str(len(body))), ("Connection", "close")]
    head = "".join(f"{name}: {value}\r\n" for name, value in [*own, ("Cache-Control", "no-store"), *fields])
    return f"HTTP/1.1 {status} {document['title']}\r\n{head}\r\n".encode("latin-1") + body
