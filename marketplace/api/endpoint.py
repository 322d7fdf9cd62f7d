"""What every route shares: its guard, its caller, its idempotency, its validators."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from flask import Response, g, request
from flask_smorest import Blueprint as SmorestBlueprint

from marketplace.identity.actors import Actor
from marketplace.identity.errors import InvalidToken
from marketplace.identity.oauth import access_tokens
from marketplace.identity.permissions import PERMISSIONS, Permission, require
from marketplace.kit import idempotency
from marketplace.kit.errors import Conflict, Invalid, Refusal
from marketplace.kit.transaction import transaction

P = ParamSpec("P")
R = TypeVar("R")
GUARD = "_permission"


class VersionMissing(Refusal):
    """An update without If-Match."""

    slug, status = "version-missing", 428
    title, title_ja = "If-Match missing", "If-Match がありません"
    cause = "An update must name the version it changes, so that two editors do not overwrite each other."
    cure = "Read the thing, and send its ETag back in If-Match."


def blueprint(name: str, prefix: str, description: str) -> Any:
    """Return a blueprint whose routes appear in the OpenAPI description under ``name``."""
    return SmorestBlueprint(name, f"marketplace.api.{name}", url_prefix=prefix, description=description)


def guarded(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a caller in only if the permission table allows; the caller is ``actor()`` inside."""

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            g.actor = require(_caller(), permission)
            return view(*args, **kwargs)

        setattr(checked, GUARD, permission)
        checked._apidoc = _documented(view, permission)  # type: ignore[attr-defined] # noqa: SLF001 - flask-smorest's hook
        return checked

    return guard


def actor() -> Actor:
    """Return the caller of a guarded route that is not public."""
    caller = g.actor
    if caller is None:
        raise RuntimeError("a public route has no caller")
    return caller  # type: ignore[no-any-return] # flask.g is untyped


def once(request_body: Any, deed: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], bool]:
    """Run the deed in one transaction under the caller's Idempotency-Key; True means replayed."""
    caller = actor()
    with transaction():
        fingerprint = {"method": request.method, "path": request.path, "body": request_body}
        return idempotency.once(
            caller.client_id or caller.organization_id, request.headers.get("Idempotency-Key"), fingerprint, deed
        )


def expected_version() -> int:
    """Read the version that an update names in If-Match; raises VersionMissing or Conflict."""
    given = request.headers.get("If-Match", "").strip()
    if not given:
        raise VersionMissing
    try:
        return int(given.strip('"'))
    except ValueError as error:
        raise Conflict("The ETag in If-Match is not one that this thing ever had.") from error


def page_size(size: int | None) -> int:
    """Return the page size asked for, within bounds."""
    from marketplace.kit.pages import SIZE_DEFAULT, SIZE_MAX

    chosen = SIZE_DEFAULT if size is None else size
    if not 1 <= chosen <= SIZE_MAX:
        raise Invalid(errors=[{"pointer": "/size", "detail": f"must be 1 to {SIZE_MAX}"}])
    return chosen


def private(response: Response) -> Response:
    """Keep an answer that depends on the caller out of shared caches."""
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "private, no-store"
    return response


def _caller() -> Actor | None:
    headers = request.headers.getlist("Authorization")
    if not headers:
        return None
    scheme, _, token = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise InvalidToken("Send one Authorization header: `Bearer` and an access token.")
    return access_tokens.authenticate(token.strip())


def _documented(view: Any, permission: Permission) -> dict[str, Any]:
    rule = PERMISSIONS[permission]
    document = dict(getattr(view, "_apidoc", {}))
    manual = dict(document.get("manual_doc", {}))
    manual["security"] = [{"oauth2": [rule.scope]}] if rule.scope else []
    manual["x-permission"] = permission.value
    document["manual_doc"] = manual
    return document
