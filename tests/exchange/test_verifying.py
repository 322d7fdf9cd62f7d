"""What ``verify_audit.py`` makes of archives that no exchange of ours would write, signed as they are."""

import hashlib
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

import verify_audit
from benchmarks.market import Archive
from tests.factories import archives
from tests.factories.archives import Files, FormerLog, Witness

Verified = Callable[..., tuple[int, list[str]]]
A, B = Witness("a.example/witness"), Witness("b.example/witness")

BOOKED = {
    "kind": "sale", "ref": "ord_1", "idem": "sale:ord_1", "effective_on": "2026-01-05", "reverses": None,
    "entries": [["Assets:Cash", "JPY", 5500], ["Income:Fee", "JPY", -5500]],
}  # fmt: skip
PARTIES = {"order_id": "ord_1", "organization_id": "org_b"}
GRANT = {"id": "grt_1", "state": "active", "provider_organization_id": "org_p"} | PARTIES
USAGE = {"grant_id": "grt_1", "bytes": 0, "rows": 0, "requests": 0}


@pytest.fixture
def verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Verified:
    """The exit code and what is wrong with files whose sums are right."""

    def verify(files: Files, *more: str) -> tuple[int, list[str]]:
        path = archives.packed(archives.headed(files), tmp_path / "record.tar")
        capsys.readouterr()
        code = verify_audit.main([str(path), *more])
        lines = capsys.readouterr().out.splitlines()
        return code, [line.removeprefix("WRONG ") for line in lines if line.startswith("WRONG ")]

    return verify


def line(row: object) -> str:
    """A row as an archive has it; fractions stay fractions."""
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


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
    return files | {name: [line(row)] for name, row in told.items()}


@pytest.mark.parametrize("name", ["ledger.ndjson", "grants.ndjson"])
def test_a_line_that_nobody_signed_changes_nothing_that_is_signed(verified: Verified, traded: Files, name: str) -> None:
    assert verified(traded) == (0, [])
    lies: dict[str, tuple[dict[str, object], Callable[[dict[str, object]], str]]] = {
        "ledger.ndjson": (BOOKED | {"effective_on": "2027-01-05"}, lambda lie: posted(2, digest(lie))),
        "grants.ndjson": (GRANT | {"order_id": "ord_2"}, lambda _lie: issued(2, order_id="ord_2")),
    }
    lie, entry = lies[name]
    code, wrong = verified(traded | {name: [line(lie)], "pending.ndjson": [entry(lie)]})
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
    verified: Verified, traded: Files, change: str
) -> None:
    """Also where its digest is the one on the record."""
    row = BOOKED | AMBIGUOUS[change]
    code, wrong = verified(traded | {"ledger.ndjson": [line(row)]})
    told = "it is not written as a transaction is: texts of one line, whole amounts, and at least one entry"
    assert (code, wrong) == (1, [f"ledger.ndjson line 1 (sale:ord_1): {told}"])


SPELLED_OTHERWISE: dict[str, tuple[str, str, str, str]] = {
    "entries twice": ("ledger.ndjson", "{", '{"entries":[["A:C","JPY",9900],["I:F","JPY",-9900]],', "sale:ord_1"),
    "a state twice": ("grants.ndjson", "{", '{"state":"revoked",', "grt_1"),
    "a note": ("grants.ndjson", ',"order_id"', ',"note":"refunded","order_id"', "grt_1"),
    "a note on what was used": ("usage.ndjson", ',"rows"', ',"note":"","rows"', "grt_1"),
    "spaces": ("usage.ndjson", ",", ", ", "grt_1"),
    "a letter as its number": ("ledger.ndjson", '"sale"', r'"s\u0061le"', "sale:ord_1"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPELLED_OTHERWISE)
def test_a_row_says_one_thing_alone_to_whoever_reads_it(verified: Verified, traded: Files, case: str) -> None:
    name, old, new, called = SPELLED_OTHERWISE[case]
    [row] = traded[name]
    assert verified(traded | {name: [row.replace(old, new, 1)]}) == (
        1, [f"{name} line 1 ({called}): {verify_audit.ODD}"],
    )  # fmt: skip


def test_so_does_a_checkpoint(verified: Verified, traded: Files) -> None:
    name = "checkpoints.ndjson"
    doubled = [traded[name][0].replace("{", '{"note":"",')]
    assert verified(traded | {name: doubled}) == (1, [f"{name} line 1: {verify_audit.ODD}"])


def test_so_does_the_head(tmp_path: Path, traded: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files = archives.headed(traded)
    files["head.json"] = [files["head.json"][0].replace("{", '{"size":9,', 1)]
    assert verify_audit.main([str(archives.packed(files, tmp_path / "record.tar"))]) == 1
    assert f"WRONG head.json: {verify_audit.ODD}\n" in capsys.readouterr().out


@pytest.mark.parametrize("used", [10.0, True, "10"], ids=["a fraction", "true", "a text"])
def test_what_was_used_is_a_whole_number(verified: Verified, traded: Files, used: object) -> None:
    facts = {"grant_id": "grt_1", "bytes_new": int(used), "rows_new": 0, "requests": 0}  # type: ignore[call-overload]
    entries = [*traded["entries.ndjson"], archives.entry(2, verb="metering.delivery.closed", facts=facts)]
    files = FormerLog(entries).files() | {name: traded[name] for name in ("ledger.ndjson", "grants.ndjson")}
    assert verified(files | {"usage.ndjson": [line(USAGE | {"bytes": int(used)})]}) == (0, [])  # type: ignore[call-overload]
    code, wrong = verified(files | {"usage.ndjson": [line(USAGE | {"bytes": used})]})
    told = f"{used} bytes are counted, and the deliveries come to {int(used)}"  # type: ignore[call-overload]
    assert (code, wrong) == (1, [f"usage.ndjson line 1 (grt_1): {told}"])


@pytest.mark.parametrize(
    ("idem", "shown"),
    [("x\x1b[2K\r0 entries: the record is sound\x1b[8m", "x\\ufffd[2K\\ufffd0 entries"), ("\ud800", "\\ufffd"),
     ("札" * 5000, "\\u672d")],
    ids=["terminal", "half a sign", "long"],
)  # fmt: skip
def test_what_a_stranger_wrote_steers_no_terminal_and_hides_nothing(
    tmp_path: Path, traded: Files, idem: str, shown: str
) -> None:
    """Also where the terminal writes ASCII alone."""
    row = line(BOOKED | {"idem": idem}).encode("utf-8", "backslashreplace").decode().replace("\\ud800", r"\ud800")
    path = archives.packed(archives.headed(traded | {"ledger.ndjson": [row]}), tmp_path / "record.tar")
    run = subprocess.run(
        [sys.executable, verify_audit.__file__, path], capture_output=True, check=False, timeout=120,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    lines = run.stdout.decode("ascii").splitlines()
    assert (run.returncode, run.stderr, lines[0].startswith(f"WRONG ledger.ndjson line 1 ({shown}")) == (1, b"", True)
    assert "it stands nowhere on the record, or twice in the ledger" in "".join(lines)
    assert "".join(lines).isprintable()
    assert lines[-1].endswith("the record is NOT sound")


def test_what_was_found_is_named_also_where_the_rest_cannot_be_read(
    verified: Verified, traded: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    altered = [archives.entry(0), traded["entries.ndjson"][1]]
    files = traded | {"usage.ndjson": ["x" * verify_audit.LINE_BYTES_MAX]}
    code, wrong = verified(files | {"entries.ndjson": altered, "leaves.txt": traded["leaves.txt"]})
    assert (code, f"entries.ndjson line 1: {verify_audit.DISPLACED}" in wrong) == (1, True)
    assert wrong[-1] == "usage.ndjson: a line is longer than any that is written"
    assert verified(files) == (2, [])


def deed(number: int, verb: str) -> str:
    return archives.entry(number, verb=f"access.grant.{verb}", subject="grt_1", facts={"cause": "dispute", "ref": "d"})


@pytest.mark.parametrize("deeds", [("revoked", "reinstated"), ("suspended", "resumed")])
def test_a_grant_that_is_open_again_and_nobody_has_signed_it_is_named(
    tmp_path: Path, traded: Files, capsys: pytest.CaptureFixture[str], deeds: tuple[str, str]
) -> None:
    rest, (first, second) = {name: traded[name] for name in ("ledger.ndjson", "grants.ndjson", "usage.ndjson")}, deeds
    noted = "note: nobody has signed yet that the grant grt_1 is open again\n"
    for signed_too in (True, False):
        entries, reopened = [*traded["entries.ndjson"], deed(2, first)], deed(3, second)
        log = FormerLog([*entries, reopened] if signed_too else entries)
        files = log.files() | rest | {"pending.ndjson": [] if signed_too else [reopened]}
        assert verify_audit.main([str(archives.packed(archives.headed(files), tmp_path / "record.tar"))]) == 0
        assert (noted in capsys.readouterr().out) is not signed_too


@pytest.mark.parametrize(
    "change",
    [
        lambda leaf: f" {leaf}", lambda leaf: f"{leaf}\r", lambda leaf: f"{leaf[:2]} {leaf[2:]}",
        lambda leaf: f"{leaf}\t", str.upper,
    ],
    ids=["space before", "carriage return", "space within", "tabulator", "capitals"],
)  # fmt: skip
def test_a_leaf_is_written_in_one_way_alone(verified: Verified, traded: Files, change: Callable[[str], str]) -> None:
    leaves = traded["leaves.txt"]
    code, wrong = verified(traded | {"leaves.txt": [leaves[0], change(leaves[1])]})
    assert (code, wrong[0]) == (1, f"entries.ndjson line 2: {verify_audit.DISPLACED}")


def signed(log: FormerLog, *seen: tuple[int, dict[Witness, int]]) -> Files:
    """The archive of a log that signed these sizes, and when who saw them."""
    return log.files() | {"checkpoints.ndjson": [line({"note": log.note(*one)}) for one in seen]}


def asked(*witnesses: Witness) -> list[str]:
    return [f"--witness={one.key.text}" for one in witnesses]


# Ten entries, one a second, and ten more from a thousand seconds later on.
LOG = FormerLog([archives.entry(second) for second in (*range(10), *range(1000, 1010))])
BOUNDED: dict[str, tuple[list[tuple[int, dict[Witness, int]]], int, list[str]]] = {
    "all in time": ([(10, {A: 60}), (20, {A: 1060})], 1, []),
    "the middle too late": (
        [(10, {A: 61}), (20, {A: 1010})], 1,
        ["entries.ndjson line 1: it is dated 61 seconds before 1 of the witnesses you trust had signed it, not within 60"],
    ),
    "the middle by nobody": (
        [(10, {}), (20, {A: 1010})], 1,
        ["entries.ndjson line 1: it is dated 1010 seconds before 1 of the witnesses you trust had signed it, not within 60"],
    ),
    "the end too late": (
        [(10, {A: 10}), (20, {A: 1061})], 1,
        ["entries.ndjson line 11: it is dated 61 seconds before 1 of the witnesses you trust had signed it, not within 60"],
    ),
    "one early and one late": ([(10, {A: 10, B: 61}), (20, {A: 1061, B: 1010})], 1, []),
    "two, of which one is late": (
        [(10, {A: 10, B: 61}), (20, {A: 1010, B: 1010})], 2,
        ["entries.ndjson line 1: it is dated 61 seconds before 2 of the witnesses you trust had signed it, not within 60"],
    ),
    "two, of which one is away": (
        [(10, {A: 10}), (20, {A: 1010, B: 1010})], 2,
        ["entries.ndjson line 1: it is dated 1010 seconds before 2 of the witnesses you trust had signed it, not within 60"],
    ),
    "the end by nobody": (
        [(10, {A: 10}), (20, {})], 1, ["0 of the witnesses you trust have signed the last checkpoint, not 1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BOUNDED)
def test_no_entry_is_dated_longer_before_the_witnesses_saw_it_than_was_asked(verified: Verified, case: str) -> None:
    seen, count, wrong = BOUNDED[case]
    more = [*asked(A, B), f"--witnesses={count}", "--within=60"]
    assert verified(signed(LOG, *seen), *more) == (bool(wrong), wrong)


def test_all_witnesses_that_are_trusted_must_have_signed_where_no_number_is_given(verified: Verified) -> None:
    files = signed(LOG, (20, {A: 1010}))
    assert verified(files, *asked(A)) == (0, [])
    told = "of the witnesses you trust have signed the last checkpoint, not"
    assert verified(files, *asked(B)) == (1, [f"0 {told} 1"])
    assert verified(files, *asked(A, B)) == (1, [f"1 {told} 2"])
    assert verified(files, *asked(A, Witness(A.name))) == (0, [])  # one witness, whose key was replaced
    assert verified(files, *asked(A, B), "--witnesses=1") == (0, [])


@pytest.mark.parametrize(
    "more",
    [["--within=60"], ["--witnesses=1"], [*asked(A), "--witnesses=2"], [*asked(A), "--witnesses=0"],
     [f"--witness={LOG.key.text}"], [*asked(A, Witness(A.name)), "--witnesses=2"]],
    ids=["time alone", "number alone", "too many", "none", "a log", "one by two keys"],
)  # fmt: skip
def test_witnesses_that_cannot_be_counted_are_not_asked_for(
    verified: Verified, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        verified(signed(LOG, (20, {A: 1010})), *more)
    assert ended.value.code == 2
    assert "go with the keys of at least N witnesses, one or more" in capsys.readouterr().err


def test_a_signature_that_a_witness_never_made_is_named_with_its_line(verified: Verified) -> None:
    files = signed(LOG, (10, {A: 10}), (20, {}))
    of_another = LOG.note(10, {A: 10}).splitlines(keepends=True)[-1]
    files["checkpoints.ndjson"][1] = line({"note": LOG.note(20) + of_another})
    assert verified(files) == (0, [])
    code, wrong = verified(files, *asked(A))
    named = f"the checkpoint of 20 entries: the signature of {A.name} is not of it"
    assert (code, wrong[0]) == (1, f"checkpoints.ndjson line 2: {named}")


def test_of_many_checkpoints_few_are_in_memory_at_a_time(verified: Verified, monkeypatch: pytest.MonkeyPatch) -> None:
    alive, most = weakref.WeakSet[verify_audit.Checkpoint](), 0

    class Counted(verify_audit.Checkpoint):
        def __init__(self, note: str) -> None:
            nonlocal most
            super().__init__(note)
            alive.add(self)
            most = max(most, len(alive))

    monkeypatch.setattr(verify_audit, "Checkpoint", Counted)
    files = signed(LOG, *((size, {}) for size in range(1, 21)))
    assert verified(files) == (0, [])
    assert 1 < most <= 4


MOVED: dict[str, tuple[Callable[[list[str]], list[str]], list[str]]] = {
    "two in the other order": (
        lambda lines: [lines[1], lines[0], *lines[2:]],
        ["checkpoints.ndjson line 1: it does not stand at its place"],
    ),
    "one twice": (
        lambda lines: [*lines[:2], *lines[1:]], ["checkpoints.ndjson line 2: it does not stand at its place"],
    ),
    "the last first": (
        lambda lines: [lines[3], *lines[:3]], ["checkpoints.ndjson line 1: it does not stand at its place"],
    ),
    "the last gone": (
        lambda lines: lines[:3],
        ["entries.ndjson: it has 20 entries, and 15 were signed",
         "head.json: it tells of another tree than the last checkpoint"],
    ),
    "no checkpoint": (
        lambda lines: ["{}", *lines], ["checkpoints.ndjson line 1: it is no checkpoint"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MOVED)
def test_checkpoints_stand_in_the_order_of_their_sizes(verified: Verified, case: str) -> None:
    move, wrong = MOVED[case]
    files = signed(LOG, *((size, {}) for size in (5, 10, 15, 20)))
    assert verified(files) == (0, [])
    assert verified(files | {"checkpoints.ndjson": move(files["checkpoints.ndjson"])}) == (1, wrong)


def test_two_trees_of_one_size_under_one_key_are_found(verified: Verified) -> None:
    fork = FormerLog([*LOG.entries[:9], archives.entry(9)], private=LOG.private)
    files = signed(LOG, (10, {}), (20, {}))
    files["checkpoints.ndjson"].insert(1, line({"note": fork.note()}))
    assert verified(files) == (
        1,
        ["checkpoints.ndjson line 1: it does not stand at its place",
         "leaves.txt: one of the lines 1 to 10 is not what was signed"],
    )  # fmt: skip


def test_several_keys_may_be_given_in_one_piece(verified: Verified, capsys: pytest.CaptureFixture[str]) -> None:
    files, other = signed(LOG, (20, {})), archives.former(1).key.text
    assert verified(files, "--key", f"{other}\n{LOG.key.text}") == (0, [])
    assert verified(files, "--key", f"{LOG.key.text}\n", "--key", other) == (0, [])
    assert verified(files, "--key", other)[0] == 1
    for none in ("", " \n", "a+b+"):
        assert verified(files, "--key", none)[0] == 2  # and not under whatever keys the archive brings


def test_the_archive_that_is_measured_is_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Archive(200).write(tmp_path / "record.tar")
    assert verify_audit.main([str(tmp_path / "record.tar")]) == 0, capsys.readouterr().out
