"""The TypedDicts that Stripe generated for the installed SDK (2026-10-28.endive): exactly its version of each request.

They name every parameter and its type. They do not hold enums (``Literal[...] | str``): openapi.py does.
"""

import ast
import importlib
import re
import types
import typing
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import stripe
import typing_extensions
from stripe._request_options import RequestOptions
from stripe._stripe_context import StripeContext
from stripe._stripe_object import UntypedStripeObject

from tests.contract import form

SDK = Path(stripe.__file__).parent
WORDS = {
    "Any": Any,
    "Decimal": Decimal,
    "Mapping": typing.Mapping,
    "Optional": typing.Optional,
    "StripeContext": StripeContext,
    "UntypedStripeObject": UntypedStripeObject,
}
Params = tuple[str, str]  # module, class


def request_errors(method: str, url: str, body: str | None) -> list[str]:
    """Return what the SDK's own types have against a request as it goes over the wire."""
    parts = urlsplit(url)
    path = parts.path[parts.path.index("/v1/") :] if "/v1/" in parts.path else parts.path
    found = _found(method.lower(), path)
    if found is None:
        return [f"the SDK has no method for {method.upper()} {path}"]
    try:
        given = form.decode(parts.query) | form.decode(body or "")
    except ValueError as error:
        return [str(error)]
    wrong: list[str] = []
    _check(given, _params(*found), "", wrong)
    return wrong


@cache
def methods() -> dict[tuple[str, str], Params]:
    """Return the class of the parameters for each (method, address) that the SDK can send."""
    found: dict[tuple[str, str], Params] = {}
    for file in SDK.rglob("_*_service.py"):
        module = ast.parse(file.read_text(encoding="utf-8"))
        imported = {
            name.name: node.module or ""
            for node in ast.walk(module)
            if isinstance(node, ast.ImportFrom)
            for name in node.names
        }
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef):
                found |= _sent_by(node, imported)
    return found


def _sent_by(function: ast.FunctionDef, imported: dict[str, str]) -> dict[tuple[str, str], Params]:
    text = next(
        (ast.unparse(one.annotation) for one in function.args.args if one.arg == "params" and one.annotation), ""
    )
    name = next(iter(re.findall(r"\w+Params\b", text)), None)
    calls = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "_request"
    ]
    if name is None or not calls:
        return {}
    method, address = (ast.literal_eval(calls[0].args[0]), _address(calls[0].args[1]))
    return {(method, address): (imported[name], name)}


def _address(node: ast.expr) -> str:
    constant = next(one for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str))
    return str(constant.value)


def _found(method: str, path: str) -> Params | None:
    fitting = [
        (address.count("{"), params)
        for (known, address), params in methods().items()
        if known == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", address), path)
    ]
    return min(fitting)[1] if fitting else None


@cache
def _params(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    words = vars(importlib.import_module(kind.__module__)) | WORDS
    hints = typing_extensions.get_type_hints(kind, globalns=words, include_extras=True)
    # Old classes inherit the options of the call (api_key, headers ...), which are no parameters.
    options = set(RequestOptions.__annotations__) if kind.__name__.endswith("Params") else set()
    return {key: hint for key, hint in hints.items() if key not in options}


def _check(value: Any, kind: Any, path: str, wrong: list[str]) -> None:
    origin, inner = typing_extensions.get_origin(kind), typing_extensions.get_args(kind)
    if origin in (typing_extensions.NotRequired, typing_extensions.Required, typing.Annotated):
        return _check(value, inner[0], path, wrong)
    if origin in (typing.Union, types.UnionType):
        return _check_any(value, inner, path, wrong)
    if typing_extensions.is_typeddict(kind):
        return _check_hash(value, kind, path, wrong)
    if origin is list:
        listed = form.items(value)
        if listed is None:
            wrong.append(f"not a list: {path}")
        for place, item in enumerate(listed or []):
            _check(item, inner[0], f"{path}[{place}]", wrong)
        return None
    if origin is dict or kind is UntypedStripeObject or typing_extensions.get_origin(kind) is UntypedStripeObject:
        if not isinstance(value, dict):
            wrong.append(f"not a hash: {path}")
        return None
    if not isinstance(value, str) or not _is(value, kind, origin, inner):
        wrong.append(f"not {kind}: {path}={value!r}")
    return None


def _is(value: str, kind: Any, origin: Any, inner: tuple[Any, ...]) -> bool:
    if origin is typing.Literal:
        return value in inner
    if kind is bool:
        return value in {"true", "false"}
    if kind is int:
        return re.fullmatch(r"-?[0-9]{1,18}", value) is not None
    if kind in (float, Decimal):
        return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) is not None
    return kind in (str, Any)


def _check_any(value: Any, kinds: tuple[Any, ...], path: str, wrong: list[str]) -> None:
    tried = []
    for kind in kinds:
        against: list[str] = []
        _check(value, kind, path, against)
        if not against:
            return
        tried.append(against)
    wrong.extend(min(tried, key=len))


def _check_hash(value: Any, kind: Any, path: str, wrong: list[str]) -> None:
    if not isinstance(value, dict):
        wrong.append(f"not a hash: {path}")
        return
    hints = _hints(kind)
    for name, below in value.items():
        place = f"{path}[{name}]" if path else name
        if name in hints:
            _check(below, hints[name], place, wrong)
        else:
            wrong.append(f"unknown to the SDK: {place}")
    wrong.extend(f"missing: {path}[{name}]" for name in kind.__required_keys__ & set(hints) if name not in value)
