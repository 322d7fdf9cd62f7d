"""What every route shares: its guard, its caller, its idempotency, its validators."""

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from flask import g, request

from marketplace.api.openapi import DescribedBlueprint
from marketplace.identity import delegations, guards
from marketplace.identity.actors import Actor
from marketplace.identity.errors import NotAuthenticated, SeveralCredentials
from marketplace.identity.judging import require
from marketplace.identity.looking import note_look
from marketplace.identity.oauth import bearer
from marketplace.identity.permissions import PERMISSIONS, Permission
from marketplace.kit import idempotency
from marketplace.kit.errors import Refusal
from marketplace.kit.transaction import transaction

P = ParamSpec("P")
R = TypeVar("R")
GUARD = guards.GUARD
VERSION_TAG = re.compile(r'"([1-9][0-9]{0,8})"', re.ASCII)


class VersionMissing(Refusal):
    """An update without If-Match."""

    slug, status = "version-missing", 428
    title, title_ja = "If-Match missing", "If-Match がありません"
    cause = "An update must name the version it changes, so that two editors do not overwrite each other."
    cure = "Read the thing, and send its ETag back in If-Match."
    cause_ja = "二人の編集者が互いに上書きしないよう、更新には対象の版を示す必要があります。"
    cure_ja = "対象を読み取り、そのETagをIf-Matchに付けて送ってください。"


def blueprint(name: str, prefix: str, description: str) -> Any:
    """Return a blueprint whose routes appear in the OpenAPI description under ``name``."""
    return DescribedBlueprint(name, f"marketplace.api.{name}", url_prefix=prefix, description=description)


def guarded(permission: Permission, *, tells: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a caller in only if the permission table allows; the caller is ``actor()`` inside.

    What an auditor looks at is recorded here, but for a view that ``tells`` the record more than the guard knows.
    """

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            g.caller = _caller()
            g.actor = require(g.caller, permission)
            if not tells and request.url_rule is not None:
                note_look(g.actor, permission, request.url_rule.rule, request.view_args or {})
            return view(*args, **kwargs)

        guards.mark(checked, permission)
        checked._apidoc = _documented(view, permission)  # type: ignore[attr-defined] # noqa: SLF001 - flask-smorest's hook
        return checked

    return guard


def visitor() -> Actor | None:
    """Return the caller of a guarded route, None where the route is public and nobody signed in."""
    return g.actor  # type: ignore[no-any-return] # flask.g is untyped


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
        return idempotency.once(_principal(caller), request.headers.get("Idempotency-Key"), fingerprint, deed)


def created(thing: Any, address: str, **headers: str) -> tuple[Any, int, dict[str, str]]:
    """Return the answer to a deed that made a thing: the thing, 201, and where it is from now on."""
    return thing, 201, {"Location": address} | headers


def version_tag(version: int) -> str:
    """Return a version as a strong ETag."""
    return f'"{version}"'


@contextmanager
def pointing(move: Callable[[str], str]) -> Iterator[None]:
    """Have the pointers of a domain's refusals point into the request, where its fields lie elsewhere."""
    try:
        yield
    except Refusal as refusal:
        refusal.errors = [error | {"pointer": move(error["pointer"])} for error in refusal.errors]
        raise


def expected_version() -> int:
    """Read the version that an update names in If-Match; raises VersionMissing.

    A tag that we never hand out (``*``, weak, several, not a number) is 0, which no version is: the
    comparison then fails as RFC 9110 section 13.1.1 asks.
    """
    given = request.headers.get("If-Match", "").strip()
    if not given:
        raise VersionMissing
    ours = VERSION_TAG.fullmatch(given)
    return int(ours[1]) if ours else 0


def _caller() -> Actor | None:
    headers = request.headers
    if "Authorization" in headers and b"access_token=" in request.query_string:
        raise SeveralCredentials
    authorizations, proofs = headers.getlist("Authorization"), headers.getlist("DPoP")
    caller = bearer.authenticate(authorizations, proofs, request.method, request.path)
    if "On-Behalf-Of" not in headers:
        return caller
    if caller is None:
        raise NotAuthenticated
    # Several are an organization that nobody knows.
    return delegations.act_for(caller, ",".join(headers.getlist("On-Behalf-Of")))


def _principal(caller: Actor) -> str:
    """Return whose idempotency keys these are: the same client may act for several organizations."""
    client_id = caller.client_id or caller.organization_id
    own = caller.member_id is None and caller.delegate_id is None
    return client_id if own else f"{client_id} {caller.organization_id}"


def _documented(view: Any, permission: Permission) -> dict[str, Any]:
    rule = PERMISSIONS[permission]
    document = dict(getattr(view, "_apidoc", {}))
    manual = dict(document.get("manual_doc", {}))
    manual["security"] = [{"oauth2": [rule.scope]}] if rule.scope else []
    manual["x-permission"] = permission.value
    document["manual_doc"] = manual
    return document
