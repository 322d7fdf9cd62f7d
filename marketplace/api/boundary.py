"""What is refused of every request before anything looks at it."""

import re
from urllib.parse import urlsplit

from flask import Flask, request

from marketplace.api.problems import BadRequest, Misdirected
from marketplace.kit import health
from marketplace.kit.errors import Unavailable
from marketplace.kit.settings import LOOPBACK

# What answers without a schema: whether the process lives, and the pages that say what is wrong and how to mend it.
_SPEAKING = frozenset({"system", "api-docs", "web", "web_problems", "web_documentation"})


def guard(app: Flask, base_url: str) -> None:
    """Take requests for this exchange only, and none with a NUL; call it before there are any routes."""
    app.before_request(_refuse_homeless)
    app.config["TRUSTED_HOSTS"] = trusted_hosts(base_url)
    # Otherwise `//catalog` is redirected to an absolute address made of the Host header.
    app.url_map.merge_slashes = False
    app.before_request(_refuse_nul)


def await_schema(app: Flask) -> None:
    """Refuse every deed with 503 while the schema is missing or older than the code.

    For servers that do not bring it up themselves. It is asked for until it is there, and never again.
    """
    waiting = True

    def refuse_while_behind() -> None:
        nonlocal waiting
        if not waiting or request.blueprint in _SPEAKING:
            return
        if trouble := health.schema_trouble():
            raise Unavailable(trouble)
        waiting = False

    app.before_request(refuse_while_behind)


def trusted_hosts(base_url: str) -> list[str] | None:
    """Return the names under which the exchange may be addressed; None leaves it open.

    A loopback exchange answers to every name of the loopback: nobody else can reach it, and DNS
    rebinding comes with a name that is not among them.
    """
    host = urlsplit(base_url).hostname or ""
    if ":" in host:
        return None  # Werkzeug compares no IPv6 addresses
    return sorted(LOOPBACK) if host in LOOPBACK else [host]


def _refuse_homeless() -> None:
    """Refuse a request that names no host, or two (RFC 9112 sections 3.2 and 3.2.2)."""
    host, address = request.environ.get("HTTP_HOST"), request.environ.get("RAW_URI", "/")
    if host is None and request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise BadRequest("The request has no Host.")
    if address[:1] not in {"/", "*"} and not re.match(rf"https?://{re.escape(host or '')}(?:[/?]|$)", address):
        raise Misdirected


def _refuse_nul() -> None:
    # PostgreSQL's texts, file systems and C libraries all break on it, each in its own way.
    if "\0" in request.path or b"%00" in request.query_string or b"\0" in request.query_string:
        raise BadRequest("The address contains a NUL.")
