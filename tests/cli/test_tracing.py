"""`marketplace trace leak`: names grants with their odds, or nobody."""

from fractions import Fraction
from pathlib import Path

import pytest

from marketplace.delivery.tracing.matching import Score
from marketplace.exchange import tracing
from marketplace.exchange.tracing import Outcome, Suspect
from tests.cli.conftest import Run


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
