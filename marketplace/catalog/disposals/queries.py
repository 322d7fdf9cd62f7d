"""Reads of disposals: what waits, and whether a content is still named."""

from collections.abc import Sequence

from sqlalchemy import exists, select

from marketplace.audit import holds
from marketplace.catalog.disposals.models import ContentDisposal
from marketplace.catalog.models import Conversion, File, Release
from marketplace.catalog.uploads.models import Upload
from marketplace.kit import clock
from marketplace.kit.db import db

AT_ONCE = 200


def list_due() -> Sequence[str]:
    """Return contents that somebody must look at now, those first that have waited longest; none under a hold."""
    held = holds.covering(ContentDisposal.organization_id, ContentDisposal.dataset_id)
    due = select(ContentDisposal.sha256).where(ContentDisposal.due_at <= clock.now(), ~held)
    return list(dict.fromkeys(db.session.scalars(due.order_by(ContentDisposal.due_at).limit(AT_ONCE))))


def list_pending(sha256: str) -> Sequence[ContentDisposal]:
    """Return all reasons to look at a content, due or not."""
    pending = select(ContentDisposal).where(ContentDisposal.sha256 == sha256).order_by(ContentDisposal.id)
    return db.session.scalars(pending.execution_options(populate_existing=True)).all()


def is_held(sha256: str) -> bool:
    """Tell whether a hold stands on whose file a content was."""
    held = holds.covering(ContentDisposal.organization_id, ContentDisposal.dataset_id)
    return bool(db.session.scalar(select(exists().where(ContentDisposal.sha256 == sha256, held))))


def is_named(sha256: str, *, refused: bool) -> bool:
    """Tell whether a file needs these bytes, or a table that was made; of refused ones, what was published counts."""
    file = select(File.id).join(Release, Release.id == File.release_id)
    file = file.where(File.sha256 == sha256, File.origin_url.is_(None))
    if refused:
        file = file.where(Release.published_at.is_not(None))
    made = select(Conversion.source_sha256).where(Conversion.sha256 == sha256)
    return bool(db.session.scalar(select(file.exists() | made.exists())))


def parts_of(sha256: str) -> Sequence[str]:
    """Return the parts of uploads that have become files of this content."""
    files = select(File.id).where(File.sha256 == sha256, File.origin_url.is_(None))
    return db.session.scalars(select(Upload.part).where(Upload.file_id.in_(files))).all()
