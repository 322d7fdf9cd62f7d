"""What ``verify_audit.py`` makes of archives that no exchange of ours would write, signed as they are."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import verify_audit
from tests.factories import archives
from tests.factories.archives import Files, FormerLog

BOOKED = {
    "kind": "sale", "ref": "ord_1", "idem": "sale:ord_1", "effective_on": "2026-01-05", "reverses": None,
    "entries": [["Assets:Cash", "JPY", 5500], ["Income:Fee", "JPY", -5500]],
}  # fmt: skip
PARTIES = {"order_id": "ord_1", "organization_id": "org_b"}
GRANT = {"id": "grt_1", "state": "active", "provider_organization_id": "org_p"} | PARTIES
USAGE = {"grant_id": "grt_1", "bytes": 0, "rows": 0, "requests": 0}


@pytest.fixture
def verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str]]]:
    """The exit code and what is wrong with files whose sums are right."""

    def verify(files: Files, *more: str) -> tuple[int, list[str]]:
        path = archives.packed(archives.headed(files), tmp_path / "record.tar")
        capsys.readouterr()
        code = verify_audit.main([str(path), *more])
        lines = capsys.readouterr().out.splitlines()
        return code, [line.removeprefix("WRONG ") for line in lines if line.startswith("WRONG ")]

    return verify


def digest(booked: dict[str, object]) -> str:
    lines = [*(str(booked[name]) for name in ("kind", "ref", "idem", "effective_on")), ""]
    lines += [f"{code} {currency} {amount}" for code, currency, amount in booked["entries"]]  # type: ignore[attr-defined]
    return hashlib.sha256("\n".join([*lines, ""]).encode()).hexdigest()


def posted(number: int, sha256: str) -> str:
    facts = {"idem": BOOKED["idem"], "kind": BOOKED["kind"], "sha256": sha256}
    return archives.entry(number, verb="billing.ledger.posted", subject="ord_1", facts=facts)


def issued(number: int, **facts: str) -> str:
    told = {"verb": "access.grant.issued", "subject": "grt_1", "counterparty_id": "org_p", "facts": PARTIES | facts}
    return archives.entry(number, **told)


@pytest.fixture
def traded() -> Files:
    """A log of a booking and a grant, and its archive."""
    files = FormerLog([posted(0, digest(BOOKED)), issued(1)]).files()
    told = {"ledger.ndjson": BOOKED, "grants.ndjson": GRANT, "usage.ndjson": USAGE}
    return files | {name: [json.dumps(row)] for name, row in told.items()}


@pytest.mark.parametrize("name", ["ledger.ndjson", "grants.ndjson"])
def test_a_line_that_nobody_signed_changes_nothing_that_is_signed(
    verified: Callable[..., tuple[int, list[str]]], traded: Files, name: str
) -> None:
    assert verified(traded) == (0, [])
    lies: dict[str, tuple[dict[str, object], Callable[[dict[str, object]], str]]] = {
        "ledger.ndjson": (BOOKED | {"effective_on": "2027-01-05"}, lambda lie: posted(2, digest(lie))),
        "grants.ndjson": (GRANT | {"order_id": "ord_2"}, lambda _lie: issued(2, order_id="ord_2")),
    }
    lie, entry = lies[name]
    code, wrong = verified(traded | {name: [json.dumps(lie)], "pending.ndjson": [entry(lie)]})
    assert (code, wrong[0]) == (1, "pending.ndjson line 1: it is on the record before")
    assert wrong[1].startswith(f"{name} line 1 (")
    # As much when it is the tree that says it twice.
    log = FormerLog([*traded["entries.ndjson"], entry(lie)])
    code, wrong = verified(
        traded | log.files() | {one: traded[one] for one in ("ledger.ndjson", "grants.ndjson", "usage.ndjson")}
    )
    assert (code, wrong) == (1, ["entries.ndjson line 3: it is on the record before"])


AMBIGUOUS: dict[str, dict[str, object]] = {
    "entries in the day and in what it reverses": {
        "effective_on": "2026-01-05\n\nAssets:Cash JPY 5500", "reverses": "Income:Fee JPY -5500", "entries": [],
    },
    "an entry in what it reverses": {"reverses": "\nAssets:Cash JPY 5500\nIncome:Fee JPY -5500", "entries": []},
    "no entry": {"entries": []},
    "an entry in the currency of another": {"entries": [["Assets:Cash", "JPY 5500\nIncome:Fee JPY", -5500]]},
    "an entry in the code of another": {"entries": [["Assets:Cash JPY 5500\nIncome:Fee", "JPY", -5500]]},
    "a currency in a code": {"entries": [["Assets:Cash JPY", "5500", 0]]},
    "a line break in the kind": {"kind": "sale\nord_1", "ref": "sale:ord_1"},
    "an amount as text": {"entries": [["Assets:Cash", "JPY", "5500"], ["Income:Fee", "JPY", "-5500"]]},
    "an amount with a fraction": {"entries": [["Assets:Cash", "JPY", 5500.0], ["Income:Fee", "JPY", -5500.0]]},
    "an amount that is true": {"entries": [["Assets:Cash", "JPY", True], ["Income:Fee", "JPY", -1]]},
}  # fmt: skip


@pytest.mark.parametrize("change", AMBIGUOUS)
def test_a_row_of_the_ledger_that_can_be_read_in_two_ways_is_refused(
    verified: Callable[..., tuple[int, list[str]]], traded: Files, change: str
) -> None:
    """Also where its digest is the one on the record."""
    row = BOOKED | AMBIGUOUS[change]
    code, wrong = verified(traded | {"ledger.ndjson": [json.dumps(row)]})
    told = "it is not written as a transaction is: texts of one line, whole amounts, and at least one entry"
    assert (code, wrong) == (1, [f"ledger.ndjson line 1 (sale:ord_1): {told}"])


@pytest.mark.parametrize(
    "change",
    [
        lambda leaf: f" {leaf}", lambda leaf: f"{leaf}\r", lambda leaf: f"{leaf[:2]} {leaf[2:]}",
        lambda leaf: f"{leaf}\t", str.upper,
    ],
    ids=["space before", "carriage return", "space within", "tabulator", "capitals"],
)  # fmt: skip
def test_a_leaf_is_written_in_one_way_alone(
    verified: Callable[..., tuple[int, list[str]]], traded: Files, change: Callable[[str], str]
) -> None:
    leaves = traded["leaves.txt"]
    code, wrong = verified(traded | {"leaves.txt": [leaves[0], change(leaves[1])]})
    assert (code, wrong[0]) == (1, f"entries.ndjson line 2: {verify_audit.DISPLACED}")
