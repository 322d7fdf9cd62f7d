"""`marketplace trace`: a trade from end to end, and whose copy has leaked, with the odds, or nobody."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.delivery.tracing.matching import Score
from marketplace.exchange import tracing
from marketplace.exchange.tracing import Outcome, Suspect
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.cli.conftest import Run
from tests.factories import market, money


@pytest.fixture
def leaked(tmp_path: Path) -> Path:
    file = tmp_path / "leaked.csv"
    file.write_bytes(b"a,b\n1,2\n3,4\n")
    return file


def test_where_nothing_was_marked_nobody_is_named(run: Run, leaked: Path) -> None:
    said = run("trace", "leak", leaked)
    assert "undecided" in said
    assert "NAMED" not in said


def test_a_file_that_is_no_table_is_refused(run: Run, leaked: Path) -> None:
    leaked.write_bytes(b"\xff\xfe\x00")
    assert "no table" in run("trace", "leak", leaked, code=1)


def test_a_named_grant_is_told_with_its_odds(run: Run, leaked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sure = Suspect("grt_1", "ab" * 32, "row_order", Score(50, 50, Fraction(1, 2**50)))
    monkeypatch.setattr(tracing, "trace", lambda *_: Outcome("cd" * 32, [sure], sure, 100, 400))
    said = run("trace", "leak", leaked, "--dataset", "ds_1")
    assert "NAMED grt_1 by row_order: 50 of 50; by chance 1 in 10^15" in said
    assert "400 comparisons" in said
    unsure = Suspect("grt_1", "ab" * 32, "canary", Score(1, 20, Fraction(1, 2000)))
    monkeypatch.setattr(tracing, "trace", lambda *_: Outcome("cd" * 32, [], unsure, 100, 400))
    said = run("trace", "leak", leaked)
    assert "undecided" in said
    assert "no evidence: grt_1 by canary: 1 of 20; by chance 1 in 2000" in said


def test_a_trade_is_told_from_any_of_its_ids(run: Run, own_database: Flask) -> None:
    made = money.sold(own_database)
    for asked in (made.order.id, made.grant_id):
        said = run("trace", asked)
        assert f"取引 Trade {made.order.id}" in said
        assert f"利用権 Grant  {made.grant_id}  active" in said
        assert "the trail closes" in said
    told = json.loads(run("trace", made.invoice_id, "--json"))
    assert (told["trail"]["order_id"], told["trail"]["closes"]) == (made.order.id, True)
    assert json.loads(run("trace", "trade", made.order.id, "--json"))["trail"] == told["trail"]


def test_a_trade_that_does_not_close_is_told_with_what_is_missing(run: Run, own_database: Flask) -> None:
    made = money.sold(own_database)
    with transaction():
        db.session.execute(text("SET LOCAL session_replication_role = replica"))
        db.session.execute(text("DELETE FROM acceptance"))
    said = run("trace", made.order.id, code=1)
    assert f"MISSING 同意 Acceptance ({made.order.acceptance_id})" in said
    assert "the trail does not close" in said


def test_trades_that_share_a_thing_are_listed(run: Run, own_database: Flask) -> None:
    offer = market.offered(market.listed())
    made = [market.bought(own_database, market.buyer(), offer).order.id for _ in range(2)]
    said = run("trace", offer.terms_sha256)
    assert all(order_id in said for order_id in made)


def test_an_id_that_nothing_has_is_refused(run: Run) -> None:
    assert "Nothing" in run("trace", "ord_" + "0" * 32, code=1)
