"""Reading proposed overrides."""

from sqlalchemy import select

from marketplace.identity.models import Member
from marketplace.identity.overrides.models import Override
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import Page

_FRESH = {"populate_existing": True}


def get_override(override_id: str) -> Override:
    """Return a proposal or raise NotFound."""
    found = db.session.get(Override, override_id, populate_existing=True) if is_id(override_id) else None
    if found is None:
        raise NotFound
    return found


def lock_override(override_id: str) -> Override:
    """Return a proposal, held until the transaction ends; raises NotFound."""
    get_override(override_id)
    held = select(Override).where(Override.id == override_id).with_for_update()
    return db.session.scalars(held, execution_options=_FRESH).one()


def find_person(member_id: str) -> str | None:
    """Return the person whose membership this is; None where nobody can sign in by it."""
    return db.session.scalar(select(Member.person_id).where(Member.id == member_id))


def list_overrides(
    *, state: str | None = None, cursor: str | None = None, size: int = pages.SIZE_DEFAULT
) -> Page[Override]:
    """List proposals, newest first."""
    statement = select(Override).order_by(Override.id.desc())
    if state is not None:
        statement = statement.where(Override.state == state)
    if key := pages.decode_cursor(cursor, 1):
        statement = statement.where(Override.id < str(key[0]))
    rows = db.session.scalars(statement.limit(size + 1), execution_options=_FRESH).all()
    return pages.cut(rows, size, lambda one: [one.id])
