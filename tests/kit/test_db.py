"""Instants in the database, and labelled codes."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import insert, select, text
from sqlalchemy.exc import StatementError

from marketplace.exchange import facilities
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.idempotency import IdempotencyRecord
from marketplace.licensing.states import Fee


def row(at: datetime) -> dict[str, object]:
    return {"client_id": "cli_1", "key": "k", "fingerprint": "f", "created_at": at}


def test_a_naive_instant_is_not_stored(app: Flask) -> None:
    with pytest.raises(StatementError, match="naive datetime"):
        db.session.execute(insert(IdempotencyRecord).values(row(datetime(2026, 11, 22))))  # noqa: DTZ001 - on purpose


def test_instants_come_back_in_utc_whatever_the_time_zone_of_the_session(app: Flask) -> None:
    at = clock.parse("2026-11-22T09:00:00+09:00")
    db.session.execute(text("SET LOCAL TIME ZONE 'Asia/Tokyo'"))
    db.session.execute(insert(IdempotencyRecord).values(row(at)))
    (read,) = db.session.scalars(select(IdempotencyRecord.created_at))
    assert read == at
    assert read.tzinfo is UTC


def test_a_code_is_named_by_code_label_or_alias_in_any_width() -> None:
    for fee in Fee:
        for word in (fee.value, fee.ja, f" {fee.value.upper()} "):
            assert Fee.named(word) is fee
    assert Fee.named("no such code") is None


def test_facilities_are_not_there_before_the_composition_root_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facilities, "_installed", None)
    with pytest.raises(RuntimeError, match="start through"):
        facilities.current()
