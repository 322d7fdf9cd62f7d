"""A simulated quarter, small: every story is told once, everything adds up, and bent books are refused."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from marketplace import app as composition_root
from marketplace import cli
from marketplace.billing import ledger_proof, postings
from marketplace.cli import simulate
from marketplace.kit import clock
from marketplace.simulation import proof, quarter
from marketplace.simulation.proof import FILES, Verdict
from marketplace.simulation.world import SimulationFailed

FORMS = sorted(FILES)
TRANSIT = "(RefundsInTransit|DisputesHeld|PayoutsInTransit|Suspense)"


@dataclass
class Played:
    """What the command printed, and where the exports are."""

    said: str
    folder: Path


def run(clone: Callable[[], str], *arguments: object, code: int = 0) -> str:
    """Run the command on a database of its own that is migrated already."""

    def prepare(given):
        assert given.database_url is None  # nothing of the environment's
        return replace(given, database_url=clone())

    composed = replace(composition_root.composition(), prepare=prepare)
    result = CliRunner().invoke(cli.build(composed), ["simulate", "quarter", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def played(clone: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("quarter") / "books"
    return Played(run(clone, "--buyers", 3, "--purchases", 0, "--out", folder), folder)


@pytest.fixture(scope="module")
def as_principal(clone: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The same quarter, in which the exchange buys and sells in its own name."""
    folder = tmp_path_factory.mktemp("principal") / "books"
    return Played(run(clone, "--buyers", 3, "--purchases", 0, "--seller", "principal", "--out", folder), folder)


@pytest.fixture(params=["played", "as_principal"])
def either(request: pytest.FixtureRequest) -> Played:
    """The quarter as agent, and as principal."""
    return request.getfixturevalue(request.param)


def rows(played: Played, table: str) -> list[list[str]]:
    """The rows of a table as their words, without its head."""
    lines = played.said.split(f"\n{table}\n")[1].split("\n\n")[0].splitlines()
    return [re.split(r"\s{2,}", line.strip()) for line in lines[1:]]


def test_a_quarter_adds_up_and_says_so(either: Played) -> None:
    assert either.said.endswith("the quarter adds up to the yen\n")
    assert "WRONG" not in either.said


def amounts(played: Played, table: str) -> dict[str, list[int]]:
    """The whole numbers of each row of a table, by its first word."""
    return {row[0]: [int(text.replace(",", "")) for text in row[1:]] for row in rows(played, table)[1:]}


def test_as_principal_the_exchange_sells_the_whole_and_is_charged_no_commission_but_for_sales_paid_outside(
    played: Played, as_principal: Played
) -> None:
    agent, principal = (amounts(one, "TRIAL BALANCE") for one in (played, as_principal))
    assert {"Income:Sales", "Expenses:CostOfSales"} & agent.keys() == set()
    assert "Income:MarketplaceFee" not in principal
    # What is sold is told the same either way; as principal all of it is ours, and the providers' part is what it cost.
    sold, cost = -principal["Income:Sales"][-1], principal["Expenses:CostOfSales"][-1]
    assert 0 < cost < sold
    assert abs((sold - cost) * 10 - sold) < 1_000, "a tenth stays here, but for what single sales are rounded by"
    papers = amounts(as_principal, "DOCUMENTS ISSUED")
    [(_rail, _what, outside, _yen)] = [
        row for row in rows(as_principal, "WHAT HAPPENED") if row[:2] == ["outside", "paid"]
    ]
    assert papers["commission_invoice"][0] <= int(outside) < papers["purchase_statement"][0]


def test_every_way_to_pay_and_to_go_back_is_played(played: Played) -> None:
    told = {(row[0], row[1]) for row in rows(played, "WHAT HAPPENED")}
    assert {
        ("card", "paid"), ("card", "declined"), ("card", "3-D Secure passed"), ("card", "3-D Secure failed"),
        ("card", "left unpaid"), ("card", "private offer"), ("card", "with eligibility and coupon"),
        ("konbini", "paid"), ("konbini", "expired"), ("bank_transfer", "paid"), ("bank_transfer", "came in part"),
        ("free", "ordered"), ("outside", "paid"),
        ("invoice", "exact, by virtual account"), ("invoice", "exact, by number"), ("invoice", "short"),
        ("invoice", "over"), ("invoice", "double sent back"), ("invoice", "foreign assigned"),
        ("invoice", "foreign sent back"), ("invoice", "paid by card"), ("invoice", "overdue, access rests"),
        ("invoice", "overdue, access lifted"), ("invoice", "overdue, no more credit"),
        ("refund", "full"), ("refund", "partial"), ("refund", "came back"), ("refund", "off an open invoice"),
        ("refund", "outside"), ("refund", "cancelled, by days"), ("refund", "missed service level"),
        ("dispute", "won"), ("dispute", "lost"), ("dispute", "inquiry closed"),
        ("subscription", "renewed by card"), ("subscription", "fiscal year renewed"),
        ("subscription", "cancelled at its term"), ("subscription", "not renewed, past_due"),
        ("usage", "billed by month"), ("usage", "told of late"),
        ("payout", "paid"), ("payout", "came back"), ("payout", "approved by a second person"),
        ("payout", "less commission of sales paid outside"),
        ("gateway", "paid out to our bank"), ("gateway", "payout came back"),
    } <= told  # fmt: skip


def test_documents_of_every_kind_that_money_asks_for_are_issued(played: Played) -> None:
    kinds = {row[0] for row in rows(played, "DOCUMENTS ISSUED")}
    assert kinds >= {"invoice", "receipt", "credit_note", "correction", "commission_invoice", "purchase_statement"}


def test_nothing_is_left_in_transit_and_the_trial_balance_is_zero(either: Played) -> None:
    trial = rows(either, "TRIAL BALANCE")
    transit = {row[0]: row[-1] for row in trial if re.search(TRANSIT, row[0])}
    assert len(transit) == 4
    assert set(transit.values()) == {"0"}
    assert trial[-1] == ["total", "0"]


def test_what_stands_at_the_end_is_named_with_its_reason(either: Played) -> None:
    trial = {row[0]: row[-1] for row in rows(either, "TRIAL BALANCE")}
    open_ones = {code for code, yen in trial.items() if yen != "0" and re.search("Receivable|Provider|Unapplied", code)}
    standing = {row[0]: row[2] for row in rows(either, "WHAT STANDS AT THE END, AND WHY")}
    assert standing.keys() == open_ones
    assert all(standing.values())


@pytest.mark.parametrize("form", FORMS)
def test_the_foreign_programs_accept_the_books(either: Played, form: str) -> None:
    program = ledger_proof.COMMANDS[form][0]
    installed = ledger_proof.program_of(form) is not None
    assert installed or form != "beancount"
    assert f"{program}: accepts {FILES[form]}" in either.said or not installed


def one_yen_more(lines: list[str], at: int) -> list[str]:
    more = re.sub(r"(-?\d+) JPY", lambda found: f"{int(found[1]) + 1} JPY", lines[at])
    return [*lines[:at], more, *lines[at + 1 :]]


def _whole(lines: list[str], at: int) -> tuple[int, int]:
    """Where the transaction begins that this entry is of, and where it ends."""
    start = max(n for n in range(at) if re.match(r"\d{4}-\d\d-\d\d \* ", lines[n]))
    return start, next(n for n in range(at, len(lines)) if not lines[n].strip())


def removed(lines: list[str], at: int) -> list[str]:
    start, end = _whole(lines, at)
    return lines[:start] + lines[end:]


def doubled(lines: list[str], at: int) -> list[str]:
    start, end = _whole(lines, at)
    return [*lines[:end], "\n", *lines[start:end], *lines[end:]]


def misposted(lines: list[str], at: int) -> list[str]:
    wrong = lines[at].replace("Income:MarketplaceFee", "Expenses:DisputeFee")
    return [*lines[:at], wrong, *lines[at + 1 :]]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("change", [one_yen_more, removed, doubled, misposted])
def test_the_foreign_programs_refuse_the_books_bent_by_one_entry(
    played: Played, tmp_path: Path, form: str, change: Callable[[list[str], int], list[str]]
) -> None:
    if ledger_proof.program_of(form) is None:
        pytest.skip(f"{ledger_proof.COMMANDS[form][0]} is not installed")
    lines = (played.folder / FILES[form]).read_text(encoding="utf-8").splitlines(keepends=True)
    fees = [n for n, line in enumerate(lines) if re.match(r"\s+Income:MarketplaceFee  -?\d+ JPY", line)]
    bent = tmp_path / FILES[form]
    bent.write_text("".join(change(lines, fees[len(fees) // 2])), encoding="utf-8")
    assert len(list(ledger_proof.ask_program(form, bent))) == 1


def test_what_is_wrong_is_named_and_ends_with_1(clone: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "_perform", lambda *_given: Verdict(wrong=["Assets:Suspense ends at 5 yen"]))
    said = run(clone, code=1)
    assert "WRONG Assets:Suspense ends at 5 yen" in said
    assert "the quarter does not add up: 1 findings" in said


def test_a_story_that_goes_otherwise_than_promised_is_named(
    clone: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(*_given: object) -> None:
        raise SimulationFailed("ord_1 was not fulfilled: it has no invoice")

    monkeypatch.setattr(quarter, "play", play)
    assert "WRONG ord_1 was not fulfilled" in run(clone, code=1)


@pytest.mark.parametrize("month", ["2028-13", "yesterday"])
def test_a_month_that_is_none_is_refused(clone: Callable[[], str], month: str) -> None:
    assert "is no month such as 2028-02" in run(clone, "--from", month, code=2)


def test_money_that_is_still_under_way_is_found() -> None:
    assert proof._transit({postings.SUSPENSE: 5, postings.BANK: 7}) == [
        "Assets:Suspense ends at 5 yen: something is still under way"
    ]


def test_the_clock_and_the_logs_are_everybodys_again_after_the_quarter(played: Played) -> None:
    del played
    with clock.moved(clock.now()):
        assert logging.getLogger("marketplace").level == logging.NOTSET
