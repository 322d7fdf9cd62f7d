"""Download tickets: short-lived addresses for browsers and tools that know no OAuth."""

from typing import Any

from flask import Response, current_app, request

from marketplace.access import tickets
from marketplace.api import streams
from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.schemas import tickets as schemas
from marketplace.exchange import ticketing
from marketplace.identity.permissions import Permission
from marketplace.kit import settings
from marketplace.kit.transaction import transaction

blp = blueprint("tickets", "", "Addresses that open one file for a short while.")


@blp.route("/v1/grants/<grant_id>/tickets", methods=["POST"])
@guarded(Permission.TICKETS_ISSUE)
@blp.arguments(schemas.TicketDraft)
@blp.response(201, schemas.TicketView)
def issue(draft: dict[str, Any], grant_id: str) -> Any:
    """Issue an address for one file of a grant, for a browser or tool that sends no token; it is told this once.

    Whoever has it fetches in your name: the first byte within 60 seconds, and from then on with ranges, as often as
    it breaks, for 15 minutes. It ends with the grant, the client and the organization.
    """
    with transaction():
        issued = ticketing.issue(actor(), grant_id, draft["file_name"], draft.get("release_id"), draft.get("purpose"))
    url = f"{settings.current().base_url}/tickets/{issued.secret}"
    return created(_shown(issued, url), url)


@blp.route("/tickets/<secret>", methods=["GET"])
@guarded(Permission.TICKETS_USE)
@blp.doc(
    responses={
        "200": {"description": "The whole file", "content": {"*/*": {}}},
        "206": {"description": "The range asked for", "content": {"*/*": {}}},
        "307": {"description": "The file is fetched from the store or provider that holds it, for seconds"},
        "304": {"description": "Not modified"},
        "412": {"description": "A precondition failed"},
        "416": {"description": "The range lies beyond the file"},
    },
)
def fetch(secret: str) -> Response:
    """Fetch the file of a ticket, or a range of it (RFC 9110), charged like any download; HEAD costs nothing."""
    headers = dict(request.headers.items())
    ticketing.bring(secret, request.method, headers)
    with transaction():
        answer = ticketing.open_delivery(secret, request.method, headers)
    response = streams.respond(current_app, answer)
    # What was made for one caller stays out of caches; here no Authorization field says so.
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _shown(issued: ticketing.Issued, url: str) -> dict[str, Any]:
    ticket = issued.ticket
    return {
        "id": ticket.id,
        "url": url,
        "grant_id": ticket.grant_id,
        "release_id": ticket.release_id,
        "file_name": ticket.file_name,
        "sha256": ticket.sha256,
        "size_bytes": issued.entitled.size_bytes,
        "purpose": ticket.purpose,
        "begin_by": ticket.begin_by,
        "resumable_seconds": int(tickets.RESUMABLE_FOR.total_seconds()),
    }
