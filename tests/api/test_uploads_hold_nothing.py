"""While a body is on its way, the database is left alone; what cannot be attached is not received at all."""

from collections.abc import Iterator

import pytest

from marketplace.exchange import listing
from marketplace.kit.db import db
from tests.api.trade import Market, ok, put_file, refused


@pytest.fixture
def during(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Note for each body received whether a transaction was open meanwhile."""
    noted: list[bool] = []
    receive = listing.receive

    def watched(*args: object) -> object:
        noted.append(db.session().in_transaction())
        return receive(*args)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(listing, "receive", watched)
    return noted


def test_no_transaction_is_open_while_a_body_arrives(market: Market, during: list[bool]) -> None:
    release_id = market.release(market.dataset()["id"])["id"]

    ok(market.upload(release_id), 201)

    assert during == [False]


def test_a_file_that_cannot_be_attached_is_refused_before_its_body(market: Market, during: list[bool]) -> None:
    release_id = market.release(market.dataset()["id"])["id"]
    refused(market.upload(release_id, "..%2fa.csv"), 422, "file-name-unsafe")
    ok(market.upload(release_id), 201)
    market.publish(release_id)
    during.clear()

    refused(market.upload(release_id, "b.csv"), 409, "release-sealed")
    refused(put_file(market.rival, release_id, "b.csv", b"1"), 404, "not-found")
    assert during == []
