"""Receipts of what was just fetched, kept beside it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketplace.client.exchange import Exchange
from tests.client.conftest import SignIn
from tests.client.scripted import Said, Scripted, problem
from tests.client.test_downloads import GRANT, NAME, SHA256, URL, cut, listed, ranged

BEFORE, BROKEN, WHOLE, OTHER = (f"dlv_{digit * 32}" for digit in "1234")
DELIVERIES = "/v1/deliveries"


@pytest.fixture
def exchange(server: Scripted, signed_in: SignIn) -> Exchange:
    signed_in()
    server.on(f"/v1/grants/{GRANT}/files", Said(body=[listed()]))
    server.on(DELIVERIES, page(BEFORE), page(OTHER, WHOLE, BROKEN, BEFORE))
    server.on(f"{DELIVERIES}/{BROKEN}/receipt", Said(body=b"a.b.c\n"))
    return Exchange(server.origin)


def page(*ids: str) -> Said:
    items = [{"id": one, "sha256": "0" * 64 if one == OTHER else SHA256} for one in ids]
    return Said(body={"items": items, "next_cursor": None})


def test_each_delivery_of_the_file_that_was_made_now_has_its_receipt_beside_it(
    server: Scripted,
    exchange: Exchange,
    tmp_path: Path,
    run: Callable[..., tuple[str, str]],
    paused: list[float],
) -> None:
    server.on(URL, cut(1000), ranged)
    still_open = problem(409, "delivery-still-open")
    server.on(f"{DELIVERIES}/{WHOLE}/receipt", still_open, still_open, Said(body=b"d.e.f\n"))
    said: dict[str, Any] = json.loads(run("get", GRANT, "--to", tmp_path, "--receipt", "--json")[0])
    kept = {BROKEN: b"a.b.c\n", WHOLE: b"d.e.f\n"}
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.receipt")} == {
        f"{NAME}.{name}.receipt": text for name, text in kept.items()
    }
    assert sorted(said["receipts"]) == sorted(str(path) for path in tmp_path.glob("*.receipt"))
    assert paused[-2:] == [1, 2]
    assert server.at(f"{DELIVERIES}/{BEFORE}/receipt") == []


def test_an_end_that_is_never_counted_is_told_and_the_file_stays(
    server: Scripted, exchange: Exchange, tmp_path: Path, run: Callable[..., tuple[str, str]]
) -> None:
    server.on(URL, ranged)
    server.on(f"{DELIVERIES}/{WHOLE}/receipt", problem(409, "delivery-still-open"))
    assert "not counted yet" in run("get", GRANT, "--to", tmp_path, "--receipt", code=5)[1]
    assert (tmp_path / NAME).is_file()


def test_a_receipt_that_is_refused_ends_the_command(
    server: Scripted, exchange: Exchange, tmp_path: Path, run: Callable[..., tuple[str, str]]
) -> None:
    server.on(URL, ranged)
    server.on(f"{DELIVERIES}/{WHOLE}/receipt", problem(403, "insufficient-scope"))
    run("get", GRANT, "--to", tmp_path, "--receipt", code=4)


def test_without_being_asked_no_receipt_is_fetched(
    server: Scripted, exchange: Exchange, tmp_path: Path, run: Callable[..., tuple[str, str]]
) -> None:
    server.on(URL, ranged)
    run("get", GRANT, "--to", tmp_path)
    assert server.at(DELIVERIES) == []
