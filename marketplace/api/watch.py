"""What was refused of whom: one line of the log for each refused request, so that an attack leaves a trace.

What is done stands in the record, with the deed. What is refused changes nothing and stands nowhere else
(OWASP ASVS V16.3).
"""

import logging
from collections.abc import Callable

from flask import Flask, Response, g, request

log = logging.getLogger(__name__)
Person = Callable[[], str | None]


def register(app: Flask, person: Person) -> None:
    """Tell the log of every answer from 400 on; ``person`` says who is signed in with the browser, if anybody is."""

    @app.after_request
    def tell(response: Response) -> Response:
        if response.status_code >= 400:
            log.info(
                "refused %s %s with %d (%s) to %s at %s",
                request.method,
                _address(),
                response.status_code,
                g.get("refused", "-"),
                _caller(person()),
                request.remote_addr or "-",
            )
        return response


def _address() -> str:
    """Name what was asked for, with the ids in it; what else stands in an address may be a mailed link's secret."""
    if request.url_rule is None:
        return "an address that is not there"
    address = request.url_rule.rule
    for name, value in (request.view_args or {}).items():
        if name.endswith("_id"):
            address = address.replace(f"<{name}>", str(value))
    return address


def _caller(person_id: str | None) -> str:
    """Name the caller by the ids that the record has: of the organization, its client and its member, or the person."""
    actor = g.get("caller")
    if actor is None:
        return person_id or "nobody known"
    return " ".join(filter(None, (actor.organization_id, actor.client_id, actor.member_id)))
