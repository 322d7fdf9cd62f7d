"""The records of exchanges that others ran before, for overseers; what was issued there is proved as it was."""

from typing import Any

from marketplace.api.endpoint import blueprint, guarded
from marketplace.api.schemas import adopted as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.audit.adopted import queries
from marketplace.exchange import adopting
from marketplace.identity.permissions import Permission

blp = blueprint("adopted", "/v1/audit/adopted", "Records taken over from former operators, with their proofs.")


@blp.route("")
@guarded(Permission.AUDIT_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.AdoptedRecordPage)
def list_records(page: dict[str, Any]) -> Any:
    """List the records that this exchange has taken over from former operators, the last one first."""
    return queries.list_records(**page)


@blp.route("/<adopted_id>/receipts/<entry_id>")
@guarded(Permission.AUDIT_READ)
@blp.response(200, schemas.AdoptedReceiptView)
def read_receipt(adopted_id: str, entry_id: str) -> Any:
    """Fetch the receipt of a deed of before: its entry, word for word, and the proof that the former log holds it."""
    return adopting.get_receipt(adopted_id, entry_id)
