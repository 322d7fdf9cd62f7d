"""Uploads that die between any two of their steps, and that race: the database decides, and nothing is lost."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.catalog import service as catalog
from marketplace.catalog.models import File
from marketplace.catalog.uploads import queries, service, storage
from marketplace.catalog.uploads.errors import ProviderQuotaExhausted, UploadOffsetWrong
from marketplace.catalog.uploads.models import ProviderStorage
from marketplace.catalog.uploads.rules import UploadDraft
from marketplace.delivery.errors import BytesMissing
from marketplace.delivery.stores.local import LocalStore
from marketplace.delivery.stores.parts import Part, Parts
from marketplace.exchange import facilities, uploading
from marketplace.identity.actors import Actor
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Refusal
from marketplace.kit.transaction import transaction
from tests.factories.catalog import DatasetDraftFactory
from tests.factories.identity import OrganizationFactory, actor_of

CONTENT = "日時,人数\n2026-11-22,123\n".encode() * 10
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2
RUNNERS = 8


class Death(BaseException):
    """The process is gone."""


def begun(size: int = len(CONTENT)) -> tuple[Actor, str]:
    with transaction():
        provider = actor_of(OrganizationFactory(provider=True))
        dataset = catalog.register_dataset(provider, DatasetDraftFactory())
        release = catalog.open_release(provider, dataset.id, "初版")
        draft = UploadDraft(release.id, "a.csv", "text/csv", size, None)
        return provider, uploading.begin(provider, draft).id


def offset(provider: Actor, upload_id: str) -> int:
    with transaction():
        return queries.get_visible_upload(provider, upload_id).offset_bytes


def room(provider: Actor) -> tuple[int, int, int]:
    with transaction():
        held = db.session.get_one(ProviderStorage, provider.organization_id, populate_existing=True)
        return held.stored_bytes, held.reserved_bytes, held.uploads_open


STEPS = {
    "written": (Part, "write"),
    "synced": (Part, "sync"),
    "acknowledged": (service, "go_on"),
    "stored": (LocalStore, "receive"),
    "held": (service, "finish"),
    "attached": (catalog, "attach_file"),
    "completed": (service, "complete"),
    "discarded": (Parts, "discard"),
}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("place", "name"), STEPS.values(), ids=STEPS)
def test_an_upload_that_dies_at_any_step_goes_on_where_the_exchange_says(
    own_database: Flask, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, moment: str
) -> None:
    provider, upload_id = begun()
    step: Callable[..., Any] = getattr(place, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if moment == "after":
            step(*args, **kwargs)
        raise Death

    monkeypatch.setattr(uploading, "CHECKPOINT_BYTES", 1)
    monkeypatch.setattr(place, name, dying)
    with pytest.raises(Death):
        uploading.go_on(provider, upload_id, 0, [CONTENT[:HALF], CONTENT[HALF:]])
    monkeypatch.undo()
    db.session.remove()

    stand = offset(provider, upload_id)
    assert uploading.go_on(provider, upload_id, stand, [CONTENT[stand:]]) == len(CONTENT)
    file = db.session.scalars(select(File)).one()
    assert (file.sha256, file.size_bytes) == (SHA256, len(CONTENT))
    assert room(provider) == (len(CONTENT), 0, 0)


def test_of_many_pieces_at_the_same_place_one_is_kept(own_database: Flask) -> None:
    provider, upload_id = begun()

    def piece(number: int) -> int | type[Refusal]:
        with own_database.app_context():
            try:
                return uploading.go_on(provider, upload_id, 0, [b"%d" % number * HALF])
            except UploadOffsetWrong as refusal:
                return type(refusal)

    with ThreadPoolExecutor(RUNNERS) as pool:
        outcomes = list(pool.map(piece, range(RUNNERS)))
    [winner] = [number for number, outcome in enumerate(outcomes) if outcome == HALF]
    assert offset(provider, upload_id) == HALF
    uploading.go_on(provider, upload_id, HALF, [b"x" * (len(CONTENT) - HALF)])
    file = db.session.scalars(select(File)).one()
    assert file.sha256 == hashlib.sha256(b"%d" % winner * HALF + b"x" * (len(CONTENT) - HALF)).hexdigest()


def test_many_uploads_at_once_get_exactly_the_room_there_is(
    own_database: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, _ = begun(0)
    given = settings.current()
    limited = type("Limited", (), {"provider_stored_bytes_max": 1000, "provider_uploads_open_max": 50})()
    monkeypatch.setattr(settings, "current", lambda: limited)

    def promise(_number: int) -> bool:
        with own_database.app_context():
            try:
                with transaction():
                    storage.reserve(provider.organization_id, 300)
            except ProviderQuotaExhausted:
                return False
            return True

    with ThreadPoolExecutor(RUNNERS) as pool:
        assert sorted(pool.map(promise, range(RUNNERS))) == [False] * 5 + [True] * 3
    monkeypatch.setattr(settings, "current", lambda: given)
    assert room(provider) == (0, 900, 3)


def test_no_transaction_is_open_while_a_piece_arrives(own_database: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    provider, upload_id = begun()
    open_ones = []

    def body() -> Any:
        for at in range(0, len(CONTENT), HALF):
            open_ones.append(db.session().in_transaction())
            yield CONTENT[at : at + HALF]

    monkeypatch.setattr(uploading, "CHECKPOINT_BYTES", 1)
    assert uploading.go_on(provider, upload_id, 0, body()) == len(CONTENT)
    assert open_ones == [False] * 2


def test_bytes_that_are_lost_are_our_fault_and_are_said_to_be(own_database: Flask) -> None:
    provider, upload_id = begun()
    uploading.go_on(provider, upload_id, 0, [CONTENT[:HALF]])
    parts = facilities.current().parts
    for name in parts.untouched_since(clock.now() + timedelta(days=1)):
        parts.discard(name)
    with pytest.raises(BytesMissing):
        uploading.go_on(provider, upload_id, HALF, [CONTENT[HALF:]])
    assert offset(provider, upload_id) == HALF


def test_an_upload_that_is_given_up_meanwhile_becomes_no_file(own_database: Flask) -> None:
    provider, upload_id = begun()

    def body() -> Any:
        yield CONTENT[:HALF]
        uploading.give_up(provider, upload_id)
        yield CONTENT[HALF:]

    with pytest.raises(Refusal) as refusal:
        uploading.go_on(provider, upload_id, 0, body())
    assert refusal.value.slug == "not-found"
    assert db.session.scalar(select(func.count()).select_from(File)) == 0
    assert room(provider) == (0, 0, 0)
