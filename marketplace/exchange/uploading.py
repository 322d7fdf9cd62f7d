"""Uploading in pieces: a file that comes over as many connections as it takes, whichever of them break."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from marketplace.catalog import listings, queries
from marketplace.catalog import service as catalog
from marketplace.catalog.disposals import service as disposals
from marketplace.catalog.uploads import queries as uploads
from marketplace.catalog.uploads import service
from marketplace.catalog.uploads.errors import UploadOffsetWrong
from marketplace.catalog.uploads.models import Upload
from marketplace.catalog.uploads.rules import UploadDraft
from marketplace.delivery.checksums import Announced, checked
from marketplace.delivery.errors import BytesMissing, DigestMismatch
from marketplace.delivery.stores import Stored
from marketplace.delivery.stores.parts import Part
from marketplace.exchange import disposing, facilities
from marketplace.identity.actors import Actor
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction
from marketplace.privacy import service as privacy
from marketplace.privacy.errors import MyNumberFound

CHECKPOINT_BYTES = 16 * 2**20
"""So many bytes at most come twice when the server dies."""

ABANDONED_AFTER = timedelta(days=1)


class _Going:
    """One connection's work on an upload: what it is about, and how far it is written."""

    def __init__(self, actor: Actor, upload: Upload) -> None:
        # Copied: the row is read again by nobody while a body is on its way, and no transaction is open then.
        self.actor = actor
        self.stand = service.stand_of(upload)
        self.size_bytes = upload.size_bytes
        self.sha256 = upload.sha256
        self.release_id = upload.release_id
        self.dataset_id = queries.get_release(upload.release_id).dataset_id
        self.name = upload.name
        self.media_type = upload.media_type

    def save(self, part: Part) -> None:
        """Acknowledge what is written so far; the last byte is acknowledged with the file alone."""
        if self.stand.offset_bytes < part.at < self.size_bytes:
            part.sync()
            with transaction():
                self.stand = service.go_on(self.stand, part.name, part.at)


def begin(actor: Actor, draft: UploadDraft) -> Upload:
    """Begin an upload into a draft release; one of no bytes is at its end at once.

    Raises what ``catalog.expect_file`` and ``open_upload`` raise, and MyNumberFound for a SHA-256 that is refused.
    """
    catalog.expect_file(actor, draft.release_id, draft.name, draft.media_type)
    privacy.refuse_blocked(draft.sha256 or "")
    upload = service.open_upload(actor, draft)
    if not upload.size_bytes:
        _become_file(_Going(actor, upload), disposing.receive([], 0))
    return uploads.get_visible_upload(actor, upload.id)


def go_on(
    actor: Actor, upload_id: str, offset_bytes: int, chunks: Iterable[bytes], announced: Announced | None = None
) -> int:
    """Append a body to an upload that has come to ``offset_bytes``, and return how far it is then.

    What arrived is kept when the body breaks off, unless a digest of the whole body was ``announced``. With the last
    byte the file is in its release. Opens its own transactions, none while the body arrives. Raises NotFound,
    UploadOffsetWrong, ChecksumMismatch, DigestMismatch, UploadTruncated, and what ``chunks`` and attaching raise.
    """
    with transaction():
        upload = uploads.get_visible_upload(actor, upload_id)
        if upload.offset_bytes != offset_bytes:
            raise UploadOffsetWrong(offset_bytes=upload.offset_bytes)
        if upload.file_id is not None:
            return offset_bytes
        catalog.expect_file(actor, upload.release_id, upload.name, upload.media_type)
        going = _Going(actor, upload)
    with _held(going) as part:
        _fill(going, part, chunks, announced)
        if part.at == going.size_bytes:
            _end(going, part)
        return part.at


def give_up(actor: Actor, upload_id: str) -> None:
    """End an upload and remove its bytes; a file that it has become stays."""
    with transaction():
        part = service.abandon(actor, upload_id)
    facilities.current().parts.discard(part)


@jobs.task("catalog.uploads_expired", cron="37 * * * *")
def expire() -> None:
    """End uploads that nobody went on with, and remove the bytes that no upload names."""
    parts = facilities.current().parts
    with transaction():
        expired = service.expire()
    for name in expired:
        parts.discard(name)
    old = set(parts.untouched_since(clock.now() - ABANDONED_AFTER))
    with transaction():
        used = uploads.parts_in_use(old)
    for name in old - used:
        parts.discard(name)


@contextmanager
def _held(going: _Going) -> Iterator[Part]:
    """Hold the bytes of an upload, and have the database say that it still stands where this connection goes on."""
    before, parts = going.stand, facilities.current().parts
    with ExitStack() as holding:
        try:
            part = holding.enter_context(parts.hold(before.part, before.offset_bytes))
        except BytesMissing:
            with transaction():
                # Whoever was quicker may have taken them away: then this is no fault of ours.
                service.go_on(before, before.part, before.offset_bytes)
            raise
        try:
            with transaction():
                going.stand = service.go_on(before, part.name, before.offset_bytes)
        except BaseException:
            if part.name != before.part:
                parts.discard(part.name)
            raise
        if part.name != before.part:
            parts.discard(before.part)
        yield part


def _fill(going: _Going, part: Part, chunks: Iterable[bytes], announced: Announced | None) -> None:
    if announced is not None:
        for chunk in checked(chunks, announced):
            part.write(chunk, going.size_bytes)
        going.save(part)
        return
    try:
        for chunk in chunks:
            part.write(chunk, going.size_bytes)
            if part.at - going.stand.offset_bytes >= CHECKPOINT_BYTES:
                going.save(part)
    finally:
        going.save(part)


def _end(going: _Going, part: Part) -> None:
    """Keep the whole file and name it in its release; bytes that are not those announced end the upload."""
    try:
        stored = disposing.receive(part.chunks(), going.size_bytes, going.sha256, going.size_bytes)
        with transaction():
            _become_file(going, stored)
    except (DigestMismatch, MyNumberFound):
        give_up(going.actor, going.stand.id)
        raise
    facilities.current().parts.discard(part.name)


def _become_file(going: _Going, stored: Stored) -> None:
    # All who put files into one dataset stand in line here, before they touch the provider's room.
    listings.stand_in_line(going.dataset_id)
    privacy.refuse_blocked(stored.sha256)
    service.finish(going.stand, going.actor.organization_id, going.size_bytes)
    file = catalog.attach_file(
        going.actor, going.release_id, going.name, going.media_type, stored.sha256, stored.size_bytes
    )
    service.complete(going.stand.id, going.size_bytes, file.id)
    disposals.named(stored.sha256)
