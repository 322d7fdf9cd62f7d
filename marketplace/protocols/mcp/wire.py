"""JSON-RPC 2.0 as the protocol has it over HTTP, without sessions or streams. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.kit.nesting import is_deeper

HANDSHAKE_VERSIONS = ("2025-03-26", "2025-06-18", "2025-11-25")
WITHOUT_LINKS = HANDSHAKE_VERSIONS[0]
"""The version whose results know no ``resource_link``, and which clients need not name."""
STATELESS_VERSIONS = ("2026-07-28",)
VERSION_META = "io.modelcontextprotocol/protocolVersion"
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
UNSUPPORTED_VERSION, HEADER_MISMATCH = -32022, -32020
DEPTH_MAX = 32


class Fault(Exception):
    """A message that is none, or asks for what is not there; told as an error of JSON-RPC."""

    def __init__(self, code: int, message: str, *, status: int = 200, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.data = code, message, status, data


@dataclass(frozen=True, slots=True)
class Message:
    """A request, or a notification, whose ``id`` is None; ``version`` is there where the message names its own."""

    id: int | str | None
    method: str
    params: Mapping[str, Any]
    version: str | None

    @property
    def is_stateless(self) -> bool:
        """Whether the message is of those versions of the protocol that shake no hands."""
        return self.version in STATELESS_VERSIONS


def read(body: bytes) -> Message | None:
    """Return the message of a body, None for an answer, which nobody here waits for; raises Fault."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Fault(PARSE_ERROR, "The body is not JSON.", status=400) from error
    if not isinstance(found, dict) or found.get("jsonrpc") != "2.0":
        raise Fault(INVALID_REQUEST, "The body is not one message of JSON-RPC 2.0.", status=400)
    if "method" not in found and ("result" in found or "error" in found):
        return None
    named, method, params = found.get("id"), found.get("method"), found.get("params", {})
    is_named = named is None or (isinstance(named, int | str) and not isinstance(named, bool))
    if not isinstance(method, str) or not isinstance(params, dict) or not is_named:
        raise Fault(INVALID_REQUEST, "method is a text, params an object, id a text or a whole number.", status=400)
    if is_deeper(params, DEPTH_MAX):
        raise Fault(INVALID_REQUEST, f"params are nested deeper than {DEPTH_MAX} levels.", status=400)
    meta = params.get("_meta")
    version = meta.get(VERSION_META) if isinstance(meta, dict) else None
    return Message(named, method, params, version if isinstance(version, str) else None)


def result(message: Message, found: Mapping[str, Any]) -> bytes:
    """Return the answer to a request."""
    before, after = around(message)
    return before + written(found) + after


def around(message: Message) -> tuple[bytes, bytes]:
    """Return what stands before and after the result in an answer, where that is delivered by itself."""
    return b'{"jsonrpc": "2.0", "id": ' + json.dumps(message.id).encode() + b', "result": ', b"}"


def error(named: int | str | None, fault: Fault) -> bytes:
    """Return the answer to what cannot be answered."""
    told: dict[str, Any] = {"code": fault.code, "message": fault.message}
    if fault.data is not None:
        told["data"] = fault.data
    return written({"jsonrpc": "2.0", "id": named, "error": told})


def written(found: Mapping[str, Any]) -> bytes:
    """Return an object as JSON; half a sign that was sent here (a lone surrogate) is told back as a question mark."""
    return json.dumps(found, ensure_ascii=False, default=str).encode(errors="replace")
