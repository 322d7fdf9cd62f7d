"""Saving searches of the record, and removing them."""

from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.searches import queries
from marketplace.audit.searches.errors import SearchNameTaken
from marketplace.audit.searches.models import SavedSearch
from marketplace.audit.service import Signatory
from marketplace.audit.verbs import Verb
from marketplace.kit import clock
from marketplace.kit.canonical import digest_of, sha256_hex
from marketplace.kit.db import db
from marketplace.kit.ids import new_id


def save(actor: Signatory, name: str, query: dict[str, Any]) -> SavedSearch:
    """Keep a search under a name that the caller's organization shares; raises SearchNameTaken."""
    columns = {
        "id": new_id("svs"),
        "organization_id": actor.organization_id,
        "member_id": actor.member_id,
        "client_id": actor.client_id,
        "name": name,
        "query": query,
        "saved_at": clock.now(),
    }
    kept = insert(SavedSearch).values(**columns).on_conflict_do_nothing(index_elements=["organization_id", "name"])
    saved: SavedSearch | None = db.session.scalar(kept.returning(SavedSearch))
    if saved is None:
        raise SearchNameTaken
    _record(actor, Verb.SEARCH_SAVED, saved)
    return saved


def remove(actor: Signatory, search_id: str) -> None:
    """Remove a saved search of the caller's organization; raises NotFound."""
    saved = queries.get_search(search_id, actor.organization_id)
    _record(actor, Verb.SEARCH_REMOVED, saved)
    db.session.execute(delete(SavedSearch).where(SavedSearch.id == saved.id))


def _record(actor: Signatory, verb: Verb, saved: SavedSearch) -> None:
    facts = {"name_sha256": sha256_hex(saved.name.encode()), "query_sha256": digest_of(saved.query)}
    audit.record(actor, verb, subject=saved.id, facts=facts)
