"""Reads of uploads."""

from collections.abc import Collection

from sqlalchemy import select

from marketplace.catalog.uploads.models import Upload
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable


def get_visible_upload(actor: Actor, upload_id: str) -> Upload:
    """Return an upload of one's organization, or any to who oversees, until it expires; NotFound for all others."""
    statement = select(Upload).where(Upload.id == storable(upload_id), Upload.expires_at > clock.now())
    upload = db.session.scalar(statement.execution_options(populate_existing=True))
    if upload is None or not (upload.organization_id == actor.organization_id or actor.oversees):
        raise NotFound
    return upload


def list_uploads(release_id: str, *, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[Upload]:
    """Return the uploads into a release that have not expired, newest first."""
    statement = select(Upload).where(Upload.release_id == storable(release_id), Upload.expires_at > clock.now())
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(Upload.id < storable(str(after[0])))
    rows = db.session.scalars(statement.order_by(Upload.id.desc()).limit(size + 1)).all()
    return cut(rows, size, lambda row: [row.id])


def parts_in_use(names: Collection[str]) -> set[str]:
    """Return those of these part files that an upload names."""
    return set(db.session.scalars(select(Upload.part).where(Upload.part.in_(names))))
