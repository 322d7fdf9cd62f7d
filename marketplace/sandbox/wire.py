"""Stripe's wire: its errors, its form encoding, its ids."""

import re
import secrets
import string
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

API_VERSION = "2026-10-28.endive"
DEPTH_MAX = 8
_ALPHABET = string.ascii_letters + string.digits
_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


class WireError(Exception):
    """A refusal in Stripe's words (https://docs.stripe.com/api/errors)."""

    def __init__(
        self,
        message: str,
        *,
        status: int = HTTPStatus.BAD_REQUEST,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = int(status)
        self.error = {"type": kind, "message": message}
        if code:
            self.error |= {"code": code, "doc_url": f"https://docs.stripe.com/error-codes/{code.replace('_', '-')}"}
        if param:
            self.error["param"] = param


def missing(kind: str, identifier: str, param: str = "id") -> WireError:
    """Return the refusal of an id that names nothing."""
    message = f"No such {kind}: '{identifier}'"
    return WireError(message, status=HTTPStatus.NOT_FOUND, code="resource_missing", param=param)


def new_id(prefix: str, length: int = 24) -> str:
    """Return an id that looks like Stripe's: the prefix and unguessable letters and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_digits(length: int) -> str:
    """Return unguessable digits."""
    return "".join(secrets.choice(string.digits) for _ in range(length))


def decode(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the nested form of ``a[b][0]=c`` pairs: dicts all the way, list items under their index."""
    root: dict[str, Any] = {}
    for key, value in pairs:
        _place(root, _path(key), value, key)
    return root


def _path(key: str) -> list[str]:
    match = _KEY.fullmatch(key)
    path = [match[1], *re.findall(r"\[([^\]]*)\]", match[2])] if match else []
    if not path or len(path) > DEPTH_MAX:
        raise WireError(f"Invalid parameter name: {key[:100]}", param=key[:100])
    return path


def _place(root: dict[str, Any], path: list[str], value: str, key: str) -> None:
    if "\0" in key + value:
        raise WireError("Parameters cannot contain NUL.", param=key[:100].replace("\0", ""))
    here = root
    for part in path[:-1]:
        below = here.setdefault(part or str(len(here)), {})
        if not isinstance(below, dict):
            raise WireError(f"Invalid hash: {key[:100]}", param=key[:100])
        here = below
    last = path[-1] or str(len(here))
    if last in here:
        raise WireError(f"Parameter given twice: {key[:100]}", param=key[:100])
    here[last] = value
