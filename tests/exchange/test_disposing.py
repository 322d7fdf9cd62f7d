"""Bytes that nobody may have, and bytes that nobody needs: they leave the store, once, whoever dies or comes meanwhile."""

import os
import secrets
import signal
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select

from marketplace.audit import holds
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog import queries as catalog
from marketplace.catalog import service
from marketplace.catalog.disposals.models import ContentDisposal
from marketplace.catalog.key_models import ColumnSketch
from marketplace.catalog.models import Conversion, File
from marketplace.catalog.uploads.models import ProviderStorage, Upload
from marketplace.catalog.uploads.rules import UploadDraft
from marketplace.delivery.errors import StoreUnavailable
from marketplace.delivery.stores.local import LocalStore
from marketplace.exchange import disposing, facilities, gate, holding, listing, uploading
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.privacy import queries
from marketplace.privacy import service as privacy
from marketplace.privacy.detectors import Kind, Level
from marketplace.privacy.errors import MyNumberFound
from marketplace.privacy.models import FileInspection
from marketplace.privacy.service import Looked
from tests.factories import market
from tests.factories.privacy import drafted, finding
from tests.faults import deaths

ROUNDS = 6


def content() -> bytes:
    return f"番号,値\n{secrets.token_hex(8)},1\n".encode()


def refused(on: market.Listed, body: bytes) -> File:
    """A file in a draft in which My Numbers were found."""
    return drafted(on.provider, on.dataset_id, finding(Level.BLOCKED, Kind.MY_NUMBER), content=body)


def room(provider: Actor) -> int:
    with transaction():
        held = db.session.get(ProviderStorage, provider.organization_id, populate_existing=True)
        return held.stored_bytes if held else 0


def holds_bytes(sha256: str) -> bool:
    return facilities.current().store.holds(sha256)


def take_out(provider: Actor, file: File) -> None:
    with transaction():
        gate.remove_file(provider, file.release_id, file.name)


def disposed() -> None:
    jobs.run_pending("catalog.dispose")


def told(file_id: str) -> list[Any]:
    verb = (Entry.subject == file_id, Entry.verb == Verb.FILE_DISPOSED)
    return list(db.session.scalars(select(Entry.facts).where(*verb)))


def waiting() -> int:
    db.session.expire_all()
    return len(db.session.scalars(select(ContentDisposal)).all())


def test_bytes_with_my_numbers_leave_the_store_and_give_their_room_back(app: Flask) -> None:
    on, body = market.listed(), content()
    before = room(on.provider)
    file = refused(on, body)
    assert (room(on.provider), holds_bytes(file.sha256)) == (before, True)
    disposed()
    assert not holds_bytes(file.sha256)
    kept = catalog.get_file(file.id)
    assert (kept.profile_state, kept.profile["problem"]["slug"]) == ("failed", "content-refused")
    assert "preview" not in kept.profile
    assert "columns" not in kept.profile
    assert [one.level for one in queries.findings_of(file.release_id)] == ["blocked"]
    take_out(on.provider, file)
    disposed()
    assert room(on.provider) == before
    assert told(file.id) == [{"sha256": file.sha256, "reason": "refused", "removed": True}]


def test_the_same_bytes_again_are_refused_at_once_and_leave_nothing(app: Flask) -> None:
    on, body = market.listed(), content()
    sha256 = refused(on, body).sha256
    disposed()
    with pytest.raises(MyNumberFound):
        listing.receive([body], None, None)
    assert not holds_bytes(sha256)
    with transaction():
        release = service.open_release(on.provider, on.dataset_id, "次の版")
    with pytest.raises(MyNumberFound), transaction():
        uploading.begin(on.provider, UploadDraft(release.id, "b.csv", "text/csv", len(body), sha256))
    with transaction():
        upload = uploading.begin(on.provider, UploadDraft(release.id, "b.csv", "text/csv", len(body), None))
        upload_id, part = upload.id, upload.part
    with pytest.raises(MyNumberFound):
        uploading.go_on(on.provider, upload_id, 0, [body])
    assert not holds_bytes(sha256)
    assert part not in set(facilities.current().parts.untouched_since(clock.now() + timedelta(days=1)))
    assert db.session.get(Upload, upload_id, populate_existing=True) is None
    assert db.session.get_one(ProviderStorage, on.provider.organization_id, populate_existing=True).reserved_bytes == 0


def test_another_draft_of_the_same_bytes_is_refused_without_anybody_looking(app: Flask) -> None:
    on, other, body = market.listed(), market.listed(), content()
    stored = listing.receive([body], None, None)
    with transaction():
        release = service.open_release(other.provider, other.dataset_id, "次の版")
        waits = listing.attach(other.provider, release.id, "a.csv", "text/csv", stored)
    before = room(other.provider)
    refused(on, body)
    disposed()
    assert not holds_bytes(stored.sha256)
    jobs.run_pending("catalog.profile")
    assert [(one.kind, one.level) for one in queries.findings_of(release.id)] == [(Kind.MY_NUMBER, Level.BLOCKED)]
    assert room(other.provider) == before - len(body)
    gate.measure(waits.id)
    with pytest.raises(MyNumberFound), transaction():
        listing.publish(other.provider, release.id)
    disposed()
    assert waiting() == 0


def test_what_was_published_before_keeps_its_bytes_and_the_record_says_so(app: Flask) -> None:
    body = content()
    earlier, on = market.listed(content=body), market.listed()
    sha256 = catalog.list_files(earlier.release_id)[0].sha256
    stored = facilities.current().store.open(sha256)
    stored.close()
    file = refused(on, body)
    disposed()
    assert holds_bytes(sha256)
    assert [one["removed"] for one in told(file.id)] == [False]


def test_a_removed_file_gives_its_room_back_and_its_bytes_go_with_the_last_that_needs_them(app: Flask) -> None:
    on, other, body = market.listed(), market.listed(), content()
    before = room(on.provider)
    mine = drafted(on.provider, on.dataset_id, content=body)
    twin = drafted(other.provider, other.dataset_id, content=body)
    made = listing.receive([b"PAR1" + body], None, None)
    with transaction():
        values = {"size_bytes": made.size_bytes, "rows": 1, "columns": [], "finished_at": clock.now()}
        source = {"source_sha256": mine.sha256, "sha256": made.sha256, "state": "done", "asked_at": clock.now()}
        db.session.add(Conversion(**source, **values))
        db.session.add(ColumnSketch(sha256=mine.sha256, made_by="3.11", columns={"番号": [1, 2]}))
    take_out(on.provider, mine)
    disposed()
    assert (room(on.provider), holds_bytes(mine.sha256)) == (before, True)
    take_out(other.provider, twin)
    disposed()
    assert not holds_bytes(mine.sha256)
    assert [db.session.get(table, mine.sha256, populate_existing=True) for table in (Conversion, ColumnSketch)] == [
        None
    ] * 2
    assert holds_bytes(made.sha256)  # it came a moment ago: somebody may be about to name it
    with clock.stopped(clock.now() + timedelta(days=2)):
        disposing.dispose_due()
    assert not holds_bytes(made.sha256)
    assert waiting() == 0


def test_bytes_that_no_file_came_to_name_go_after_a_day(app: Flask) -> None:
    stored = listing.receive([content()], None, None)
    disposing.dispose_due()
    assert holds_bytes(stored.sha256)
    with clock.stopped(clock.now() + timedelta(days=1, seconds=1)):
        disposing.dispose_due()
    assert not holds_bytes(stored.sha256)


def test_a_hold_keeps_the_bytes_away_from_the_job_until_it_is_lifted(app: Flask) -> None:
    on, body = market.listed(), content()
    with transaction():
        hold = holding.place(SYSTEM, on.dataset_id, "捜査関係事項照会")
    file = refused(on, body)
    disposed()
    disposing.dispose_due()
    assert holds_bytes(file.sha256)
    with pytest.raises(MyNumberFound):
        listing.receive([body], None, None)
    with transaction():
        holds.lift(SYSTEM, hold.id, "提出済み")
    disposing.dispose_due()
    assert not holds_bytes(file.sha256)


def test_a_store_that_fails_is_asked_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    on = market.listed()
    file = refused(on, content())

    def failing(store: LocalStore, sha256: str) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(LocalStore, "remove", failing)
    with pytest.raises(StoreUnavailable):
        disposing.dispose(file.sha256)
    assert (waiting() > 0, told(file.id)) == (True, [])
    monkeypatch.undo()
    disposing.dispose_due()
    assert not holds_bytes(file.sha256)
    assert len(told(file.id)) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_that_is_killed_at_the_bytes_leaves_it_to_the_next(own_database: Flask, moment: str) -> None:
    on = market.listed()
    file_id, sha256 = _of(refused(on, content()))
    step = LocalStore.remove

    def dying(store: LocalStore, name: str) -> None:
        if moment == "after":
            step(store, name)
        os.kill(os.getpid(), signal.SIGKILL)

    def deed() -> None:
        LocalStore.remove = dying  # type: ignore[method-assign] # in a process that ends with this
        disposing.dispose(sha256)

    killed, _steps = deaths.run_apart(deed)
    assert killed
    assert (waiting(), told(file_id), holds_bytes(sha256)) == (1, [], moment == "before")
    db.session.commit()
    disposing.dispose_due()
    assert (waiting(), len(told(file_id)), holds_bytes(sha256)) == (0, 1, False)


def _of(file: File) -> tuple[str, str]:
    seen = file.id, file.sha256
    db.session.commit()
    return seen


def raced(app: Flask, *deeds: Callable[[], object]) -> None:
    start = Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> None:
        with app.app_context():
            start.wait()
            deed()

    threads = [Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_bytes_that_come_again_while_they_are_removed_are_there_in_the_end(own_database: Flask) -> None:
    on, other = market.listed(), market.listed()
    for turn in range(ROUNDS):
        body = content()
        file = drafted(on.provider, on.dataset_id, content=body)
        sha256, provider = file.sha256, on.provider
        with transaction():
            release_id = service.open_release(other.provider, other.dataset_id, f"第{turn}版").id
        take_out(provider, file)
        db.session.commit()

        def upload(body: bytes = body, release_id: str = release_id) -> None:
            stored = listing.receive([body], None, None)
            with transaction():
                listing.attach(other.provider, release_id, "a.csv", "text/csv", stored)

        raced(own_database, upload, lambda sha256=sha256: disposing.dispose(sha256))
        disposing.dispose_due()
        assert holds_bytes(sha256)
        db.session.commit()


def test_refused_bytes_that_come_again_while_they_are_removed_are_gone_in_the_end(own_database: Flask) -> None:
    on = market.listed()
    for turn in range(ROUNDS):
        body = content()
        with transaction():
            release_id = service.open_release(on.provider, on.dataset_id, f"第{turn}版").id
        file = drafted(on.provider, on.dataset_id, content=body)
        file_id, sha256 = _of(file)

        def upload(body: bytes = body, release_id: str = release_id) -> None:
            try:
                stored = listing.receive([body], None, None)
                with transaction():
                    listing.attach(on.provider, release_id, "a.csv", "text/csv", stored)
            except MyNumberFound:
                return

        def refuse(file_id: str = file_id, sha256: str = sha256) -> None:
            with transaction():
                privacy.record_inspection(file_id, Looked((finding(Level.BLOCKED, Kind.MY_NUMBER),), 1, 1))
            disposing.dispose(sha256)

        with transaction():
            db.session.execute(delete(FileInspection).where(FileInspection.file_id == file_id))
        raced(own_database, upload, refuse)
        jobs.run_pending("catalog.profile")
        with clock.stopped(clock.now() + timedelta(days=2)):
            disposing.dispose_due()
        assert not holds_bytes(sha256)
        db.session.commit()
