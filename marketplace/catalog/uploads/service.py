"""Deeds of uploads: beginning one, going on with it, ending it. Each step is one conditional statement."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update

from marketplace.audit import holds
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog.models import Release
from marketplace.catalog.queries import get_release
from marketplace.catalog.uploads import rules, storage
from marketplace.catalog.uploads.errors import UploadOffsetWrong
from marketplace.catalog.uploads.models import Upload
from marketplace.catalog.uploads.rules import UploadDraft
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.kit import clock, settings
from marketplace.kit.db import changed_rows, db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.texts import storable

EXPIRED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Stand:
    """How far an upload is: what who goes on with it relies on, and what must still be so when it is written."""

    id: str
    part: str
    offset_bytes: int


def open_upload(actor: Actor, draft: UploadDraft) -> Upload:
    """Begin an upload of the caller's organization, and promise it its room.

    The caller has asked whether the release takes such a file. Raises TooLarge, Invalid, FileNameUnsafe,
    ProviderQuotaExhausted or UploadsOpenTooMany.
    """
    rules.check_draft(draft, settings.current().upload_size_bytes_max)
    storage.reserve(actor.organization_id, draft.size_bytes)
    upload = _new_upload(actor, draft)
    db.session.add(upload)
    db.session.flush()
    _record(actor, Verb.UPLOAD_OPENED, upload)
    return upload


def stand_of(upload: Upload) -> Stand:
    """Return how far an upload is."""
    return Stand(upload.id, upload.part, upload.offset_bytes)


def go_on(before: Stand, part: str, offset_bytes: int) -> Stand:
    """Write that an upload has come to ``offset_bytes``, all of them safe under ``part``, and let it live on.

    Of several who go on from the same stand one succeeds. Raises UploadOffsetWrong, or NotFound where it has ended.
    """
    values = {"part": part, "offset_bytes": offset_bytes, "expires_at": _expiry()}
    _write(before, values)
    return Stand(before.id, part, offset_bytes)


def finish(before: Stand, organization_id: str, size_bytes: int) -> None:
    """Hold the upload at its stand until the transaction ends, and give its promised room back for the file to take.

    To be called while one holds the dataset's row, and before the file is attached and ``complete`` is called.
    """
    _write(before, {"expires_at": _expiry()})
    storage.give_back(organization_id, size_bytes)


def complete(upload_id: str, size_bytes: int, file_id: str) -> None:
    """Write which file an upload has become."""
    db.session.execute(update(Upload).where(Upload.id == upload_id).values(offset_bytes=size_bytes, file_id=file_id))


def abandon(actor: Actor, upload_id: str) -> str:
    """Give up an upload, or forget one that came to its end; returns its part. Raises NotFound."""
    own = (Upload.id == storable(upload_id), Upload.organization_id == actor.organization_id)
    ended = db.session.scalar(delete(Upload).where(*own, Upload.expires_at > clock.now()).returning(Upload))
    if ended is None:
        raise NotFound
    _end(actor, Verb.UPLOAD_ABANDONED, ended)
    return str(ended.part)


def expire() -> list[str]:
    """End uploads that nobody went on with; returns their parts, some hundred at most."""
    over = (Upload.expires_at <= clock.now(), ~holds.covering(Upload.organization_id, Release.dataset_id))
    waiting = select(Upload.id).join(Release, Release.id == Upload.release_id).where(*over)
    waiting = waiting.order_by(Upload.organization_id, Upload.id).limit(EXPIRED_AT_ONCE)
    chosen = db.session.scalars(waiting.with_for_update(of=Upload, skip_locked=True)).all()
    expired = db.session.scalars(delete(Upload).where(Upload.id.in_(chosen)).returning(Upload)).all()
    for upload in sorted(expired, key=lambda one: one.organization_id):
        _end(on_behalf_of(upload.organization_id), Verb.UPLOAD_EXPIRED, upload)
    return [upload.part for upload in expired]


def _end(actor: Actor, verb: Verb, upload: Upload) -> None:
    if upload.file_id is not None:
        return  # its room is the file's
    storage.give_back(upload.organization_id, upload.size_bytes)
    _record(actor, verb, upload)


def _write(before: Stand, values: dict[str, Any]) -> None:
    stands = (Upload.part == before.part, Upload.offset_bytes == before.offset_bytes, Upload.file_id.is_(None))
    statement = update(Upload).where(Upload.id == before.id, Upload.expires_at > clock.now(), *stands).values(values)
    if changed_rows(statement):
        return
    living = select(Upload.offset_bytes).where(Upload.id == before.id, Upload.expires_at > clock.now())
    offset = db.session.scalar(living)
    if offset is None:
        raise NotFound
    raise UploadOffsetWrong(offset_bytes=offset)


def _new_upload(actor: Actor, draft: UploadDraft) -> Upload:
    return Upload(
        id=new_id("upl"),
        release_id=draft.release_id,
        organization_id=actor.organization_id,
        name=draft.name,
        media_type=draft.media_type,
        sha256=draft.sha256,
        announced=draft.announced,
        size_bytes=draft.size_bytes,
        offset_bytes=0,
        part=secrets.token_hex(16),
        file_id=None,
        created_at=clock.now(),
        expires_at=_expiry(),
    )


def _expiry() -> Any:
    return clock.now() + timedelta(hours=settings.current().upload_kept_hours)


def _record(actor: Actor, verb: Verb, upload: Upload) -> None:
    facts = {"release": upload.release_id, "size_bytes": str(upload.size_bytes)}
    audit.record(actor, verb, subject=upload.id, dataset=get_release(upload.release_id).dataset_id, facts=facts)
