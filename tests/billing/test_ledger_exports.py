"""Exports: two foreign accounting programs accept the books as they are, and refuse them in any way bent."""

import re
import subprocess
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from marketplace.billing import ledger, ledger_exports, ledger_proof, postings
from marketplace.billing.ledger_exports import FORMS
from marketplace.billing.shares import Sale, alone, owed
from marketplace.billing.states import SellerRole
from tests.factories.identity import OrganizationFactory

DAY = date(2026, 11, 22)
EVIL = 'org "X\\" ; } | [2020-01-01] date:2020-01-01\tend'


@pytest.fixture
def books(session: Session) -> dict[str, str]:
    """A handful of every kind of transaction; returns the parties by name."""
    provider = OrganizationFactory(name_ja='株式会社"データ\\市場"；名古屋').id
    buyer = OrganizationFactory(name_ja="札幌市 ICT戦略推進部").id
    parts = owed(Sale(alone(provider), 5000, 500, 500, 50))
    booked = [
        ("sale", "ord_1", postings.sold(parts, postings.CLEARING, SellerRole.AGENT)),
        ("sale", "ord_2", postings.sold(parts, postings.CLEARING, SellerRole.AGENT)),
        ("invoice_issued", "inv_1", postings.sold(parts, postings.receivable(buyer), SellerRole.AGENT)),
        ("invoice_paid", "line_1", postings.invoice_paid(5500, buyer, postings.BANK)),
        ("transfer_unapplied", "line_1", postings.transfer_unapplied(500, buyer)),
        ("processing_fee", EVIL, postings.processing_fee(198)),
        ("exchange", "fx_1", postings.exchanged(12345, "USD", 1_851_750)),
        ("exchange", "fx_2", postings.exchanged(12345, "KWD", 6_000_000)),
        ("hold_over", "ord_1", postings.hold_over({provider: 4950})),
    ]
    for number, (kind, ref, entries) in enumerate(booked):
        ledger.post(kind, ref, f"{kind}:{ref}", DAY.replace(day=1 + number), entries)
    return {"provider": provider, "buyer": buyer}


def written(form: str, tmp_path: Path, change=lambda lines: lines) -> Path:
    file = tmp_path / f"books{ledger_proof._SUFFIX[form]}"
    file.write_text("".join(change(list(ledger_exports.export(FORMS[form])))), encoding="utf-8")
    return file


def against(form: str, file: Path) -> list[str]:
    """What the foreign program says; skips where it is not installed."""
    if ledger_proof.program_of(form) is None:
        pytest.skip(f"{ledger_proof.COMMANDS[form][0]} is not installed")
    return list(ledger_proof.ask_program(form, file))


def place_of(lines: list[str], pattern: str) -> int:
    return next(number for number, line in enumerate(lines) if re.search(pattern, line))


def one_yen_more(lines: list[str]) -> list[str]:
    at = place_of(lines, r"^\s+Assets:Clearing:Stripe  5500 JPY")
    return [*lines[:at], lines[at].replace("5500", "5501"), *lines[at + 1 :]]


def _transaction(lines: list[str]) -> tuple[int, int]:
    start = place_of(lines, r"^\n2026-11-0\d \* .*ord_2")
    end = start + 1 + next(n for n, line in enumerate(lines[start + 1 :]) if line.startswith("\n"))
    return start, end


def removed(lines: list[str]) -> list[str]:
    start, end = _transaction(lines)
    return [*lines[:start], *lines[end:]]


def doubled(lines: list[str]) -> list[str]:
    start, end = _transaction(lines)
    return [*lines[:end], *lines[start:end], *lines[end:]]


def misposted(lines: list[str]) -> list[str]:
    at = place_of(lines, r"^\s+Income:MarketplaceFee  -500 JPY")
    return [
        *lines[:at],
        lines[at].replace("Income:MarketplaceFee", "Liabilities:ConsumptionTax:Output"),
        *lines[at + 1 :],
    ]


def one_cent_more_at_the_end(lines: list[str]) -> list[str]:
    at = place_of(lines, r"(balance |^\s+)Assets:Clearing:Stripe:USD\s.*-123\.45 .*USD$")
    return [*lines[:at], lines[at].replace("-123.45", "-123.44"), *lines[at + 1 :]]


def with_fewer_accounts(lines: list[str]) -> list[str]:
    at = place_of(lines, r"(open|account) Expenses:PaymentProcessing")
    return [*lines[:at], *lines[at + 1 :]]


@pytest.mark.parametrize("form", FORMS)
def test_the_foreign_program_accepts_the_books(books, tmp_path: Path, form: str) -> None:
    assert against(form, written(form, tmp_path)) == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "change", [one_yen_more, removed, doubled, misposted, one_cent_more_at_the_end, with_fewer_accounts]
)
def test_the_foreign_program_refuses_bent_books(books, tmp_path: Path, form: str, change) -> None:
    assert len(against(form, written(form, tmp_path, change))) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("change", [one_yen_more, removed, doubled, misposted, one_cent_more_at_the_end])
def test_our_own_reading_refuses_bent_books_too(books, monkeypatch, form: str, change) -> None:
    monkeypatch.setattr(ledger_proof, "program_of", lambda _form: None)
    lines = list(ledger_exports.export(FORMS[form]))
    assert list(ledger_proof.prove(form, lines)) == []
    assert list(ledger_proof.prove(form, change(lines)))


@pytest.mark.parametrize("form", FORMS)
def test_names_and_references_arrive_whatever_is_in_them(books, session: Session, form: str) -> None:
    whole = "".join(ledger_exports.export(FORMS[form]))
    assert "株式会社" in whole
    assert "札幌市" in whole
    assert "\t" not in whole
    provider = books["provider"].replace("org_", "Org-")
    assert f"Liabilities:Provider:{provider}:Available" in whole
    if form == "beancount":
        assert '株式会社\\"データ\\\\市場\\"；名古屋' in whole
        assert whole.count(f'"{books["provider"]}"') == 0
    else:
        assert "[2020" not in whole
        assert "date:2020" not in whole


def test_hledger_reads_the_same_balances(books, tmp_path: Path) -> None:
    program = ledger_proof.program_of("hledger")
    if program is None:
        pytest.skip("hledger is not installed")
    command = [program, "-f", str(written("hledger", tmp_path)), "balance", "--flat", "-O", "csv", "Assets:Bank"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env={"LC_ALL": "C.UTF-8"}).stdout
    assert '"Assets:Bank","6000 JPY"' in told


@pytest.mark.parametrize("form", FORMS)
def test_a_ledger_without_entries_exports_nothing(session: Session, form: str) -> None:
    assert list(ledger_exports.export(FORMS[form])) == []


def test_two_accounts_that_would_share_a_name_are_not_mixed_up(session: Session) -> None:
    ledger.post("x", "x", "x", DAY, [("Assets:a_b", 1), ("Assets:A-b", -1)])
    with pytest.raises(ValueError, match="one name"):
        list(ledger_exports.export(FORMS["beancount"]))


def test_an_export_holds_no_more_rows_in_memory_than_it_writes_at_once(session: Session) -> None:
    asked = []
    for number in range(3):
        ledger.post("x", f"r{number}", f"x:{number}", DAY, [("Assets:Bank", 1), ("Equity:Opening", -1)])
    lines = ledger_exports.export(FORMS["beancount"])
    asked.append(next(lines))
    # A cursor of the server holds the rest.
    assert session.execute(text("SELECT count(*) FROM pg_cursors WHERE NOT is_holdable")).scalar_one() == 1
    assert len(list(lines)) > 10
