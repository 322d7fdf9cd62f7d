"""Reading saved searches: those of one organization, or of all."""

from sqlalchemy import select

from marketplace.audit.searches.models import SavedSearch
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import Page


def get_search(search_id: str, organization_id: str | None) -> SavedSearch:
    """Return a saved search of the organization, of any where None is given; raises NotFound."""
    found = db.session.get(SavedSearch, search_id) if is_id(search_id) else None
    if found is None or organization_id not in {None, found.organization_id}:
        raise NotFound
    return found


def list_searches(
    organization_id: str | None, *, cursor: str | None = None, size: int = pages.SIZE_DEFAULT
) -> Page[SavedSearch]:
    """List the saved searches of the organization, of all where None is given, newest first."""
    statement = select(SavedSearch).order_by(SavedSearch.id.desc())
    if organization_id is not None:
        statement = statement.where(SavedSearch.organization_id == organization_id)
    if key := pages.decode_cursor(cursor, 1):
        statement = statement.where(SavedSearch.id < str(key[0]))
    return pages.cut(db.session.scalars(statement.limit(size + 1)).all(), size, lambda one: [one.id])
