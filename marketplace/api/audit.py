"""The record of every deed, for operator and auditor. Looking at it is itself recorded."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from flask import Response, current_app

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import oversight as schemas
from marketplace.audit import exports, parquet, proofs, queries, rules, sequencer, service
from marketplace.audit.searches import queries as saved_searches
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.identity.permissions import Permission
from marketplace.identity.states import Capacity
from marketplace.kit import clock
from marketplace.kit.transaction import transaction

blp = blueprint("audit", "/v1/audit", "The append-only record, linked into a Merkle tree.")
PARQUET = "application/vnd.apache.parquet"
MEDIA_TYPES = ("application/x-ndjson", "text/csv", PARQUET)
FORMATS = {
    "csv": (exports.as_csv, "text/csv; charset=utf-8"),
    "ndjson": (exports.as_ndjson, "application/x-ndjson"),
    "parquet": (parquet.as_parquet, PARQUET),
}


@blp.route("/entries")
@guarded(Permission.AUDIT_READ, tells=True)
@blp.arguments(schemas.EntryQuery, location="query")
@blp.response(200, schemas.EntryPage)
def search(query: dict[str, Any]) -> dict[str, Any]:
    """Search by date range, amount range, counterparty and more, in any combination; newest first."""
    page = {name: query.pop(name) for name in ("cursor", "size") if name in query}
    query = _with_saved(query)
    _note(Verb.RECORD_SEARCHED, query)
    found = queries.search_entries(queries.Search(**query), **page)
    return {"items": [shown(placed) for placed in found.items], "next_cursor": found.next_cursor}


@blp.route("/entries/<entry_id>")
@guarded(Permission.AUDIT_READ)
@blp.response(200, schemas.EntryView)
def read(entry_id: str) -> dict[str, Any]:
    """Read one entry."""
    return shown(queries.get_entry(entry_id))


@blp.route("/export")
@guarded(Permission.AUDIT_READ, tells=True)
@blp.arguments(schemas.ExportQuery, location="query")
@blp.response(200)
@blp.doc(responses={200: {"description": "The entries", "content": {kind: {} for kind in MEDIA_TYPES}}})
def export(query: dict[str, Any]) -> Response:
    """Export a whole search, oldest first, as NDJSON, Parquet, or CSV that is safe to open in a spreadsheet."""
    form = query.pop("format")
    query = _with_saved(query)
    writer, media_type = FORMATS[form]
    _note(Verb.RECORD_EXPORTED, query)
    app = current_app._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001 - the stream outlives the request

    def pieces() -> Iterator[bytes]:
        with app.app_context():
            yield from writer(queries.all_entries(queries.Search(**query)))

    headers = {"Content-Disposition": f'attachment; filename="record.{form}"', "Cache-Control": "private, no-store"}
    return Response(pieces(), headers=headers, content_type=media_type)


@blp.route("/tree")
@guarded(Permission.AUDIT_READ)
@blp.response(200, schemas.TreeView)
def read_tree() -> dict[str, Any]:
    """Read the size and the root hash of the tree, to be noted and compared later."""
    size, root = sequencer.root()
    return {"size": size, "root": root.hex(), "unplaced": sequencer.unplaced()}


@blp.route("/receipts")
@guarded(Permission.DEEDS_READ)
@blp.arguments(schemas.DeedQuery, location="query")
@blp.response(200, schemas.DeedPage)
def list_deeds(query: dict[str, Any]) -> Any:
    """List the deeds that were done to a thing and that one had part in, newest first; overseers see all of them."""
    return proofs.list_deeds(actor(), **query)


@blp.route("/receipts/<entry_id>")
@guarded(Permission.DEEDS_READ)
@blp.response(200, schemas.DeedReceiptView)
@blp.alt_response(202, schema=schemas.DeedReceiptView, success=True, description="No checkpoint holds it yet.")
def read_receipt(entry_id: str) -> Any:
    """Fetch the receipt of a deed: its entry, word for word, and the proof that the signed record holds it.

    Answers 202 with the entry alone while no checkpoint holds it yet, for about a second.
    """
    found = proofs.get_receipt(actor(), entry_id)
    view = {"id": found.entry.id, "entry": found.entry.canonical, "position": found.position, "proof": found.proof}
    return (view, HTTPStatus.OK) if found.proof else (view, HTTPStatus.ACCEPTED, {"Retry-After": "1"})


def shown(placed: queries.PlacedEntry) -> dict[str, Any]:
    """Return an entry as the wire shows it."""
    return {name: getattr(placed.entry, name) for name in rules.FIELDS} | {"position": placed.position}


def _with_saved(query: dict[str, Any]) -> dict[str, Any]:
    """Return a search with the parts of a saved one that it does not give itself; raises NotFound."""
    if (search_id := query.pop("search_id", None)) is None:
        return query
    saved = saved_searches.get_search(search_id, shared_with(actor()))
    return dict(schemas.EntrySearch().load(saved.query)) | query


def shared_with(caller: Actor) -> str | None:
    """Return whose saved searches a caller shares; None for an auditor, who shares those of all operators."""
    return caller.organization_id if Capacity.OPERATOR in caller.capacities else None


def _note(verb: Verb, query: dict[str, Any]) -> None:
    # What an auditor looked for is part of the record (design: every look is itself recorded).
    asked = {name: clock.text(value) if name.startswith("occurred") else value for name, value in query.items()}
    with transaction():
        service.record(actor(), verb, subject=actor().organization_id, facts={"asked": asked})
