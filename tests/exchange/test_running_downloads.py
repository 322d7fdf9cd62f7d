"""Downloads that last: their progress is noted whichever server carries them, so that no sweep ends them."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.api import streams
from marketplace.delivery.streaming import CHUNK_BYTES
from marketplace.exchange import download
from marketplace.identity.oauth import access_tokens
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from marketplace.server.body import FileBody
from tests.factories import market

CONTENT = bytes(3 * CHUNK_BYTES)
NOTED_WITHIN_SECONDS = 180


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Beat often, and tell of the first beat that noted anything."""
    done = threading.Event()
    note = download.note_progress

    def watched(acked: Any) -> None:
        note(acked)
        if any(acked.values()):
            done.set()

    monkeypatch.setattr(download, "note_progress", watched)
    monkeypatch.setattr(streams, "INTERVAL_SECONDS", 0.05)
    return done


def running(app: Flask, environ: dict[str, Any]) -> Iterator[bytes]:
    """The body of a download that a WSGI server has begun to iterate."""
    buyer = market.buyer()
    bought = market.bought(app, buyer, market.offered(market.listed(content=CONTENT), PriceKind.FREE))
    with transaction():
        token = access_tokens.issue(Bearer(str(buyer.client_id), buyer.organization_id, "data:read"))
    address = f"/v1/grants/{bought.grant_id}/files/{market.NAME}"
    client = app.test_client()
    answer = client.get(address, headers={"Authorization": f"Bearer {token}"}, environ_overrides=environ)
    assert answer.status_code == 200
    return iter(answer.response)


@pytest.mark.parametrize("environ", [{}, {streams.SEND_FILE: FileBody}], ids=["any server", "ours, iterating"])
def test_a_long_download_is_not_taken_for_dead(
    own_database: Flask, noted: threading.Event, environ: dict[str, Any]
) -> None:
    body = running(own_database, environ)
    next(body)
    next(body)  # asked for more: the first chunk went out

    assert noted.wait(NOTED_WITHIN_SECONDS)
    db.session.rollback()
    row = db.session.execute(text("SELECT state, progress, seen_at FROM delivery")).one()
    assert (row.state, row.progress) == ("open", CHUNK_BYTES)
    assert clock.now() - row.seen_at < timedelta(seconds=NOTED_WITHIN_SECONDS)

    db.session.rollback()
    body.close()  # type: ignore[attr-defined] # WSGI's iterables may be closed
    closed = db.session.execute(text("SELECT state, bytes_acked FROM delivery")).one()
    assert tuple(closed) == ("broken", CHUNK_BYTES)
