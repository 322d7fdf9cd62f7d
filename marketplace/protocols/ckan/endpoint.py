"""The guard of CKAN's addresses: who reads the catalogue needs no token, and a raw token is a token like any other."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from flask import request

from marketplace.identity.actors import Actor
from marketplace.identity.errors import SeveralCredentials
from marketplace.identity.oauth import bearer
from marketplace.identity.permissions import PERMISSIONS, Permission
from marketplace.protocols import guarding

P = ParamSpec("P")
R = TypeVar("R")
FIELDS = ("Authorization", "X-CKAN-API-Key")
actor = guarding.actor


def guarded(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a caller in only if the permission table allows; what is public looks at no token.

    CKAN's clients send the key of whatever portal they were set up for with each request.
    """
    return guarding.guard(permission, _caller if PERMISSIONS[permission].scope else guarding.nobody)


def _caller() -> Actor | None:
    """Return who calls with the token that clients send as it is, in one field or the same in two."""
    sent = {value.strip() for field in FIELDS for value in request.headers.getlist(field) if value.strip()}
    if len(sent) > 1:
        raise SeveralCredentials
    if not sent:
        return None
    [token] = sent
    authorization = token if " " in token else f"Bearer {token}"
    return bearer.authenticate([authorization], request.headers.getlist("DPoP"), request.method, request.path)
