"""Matching: what a transfer pays, by rule alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing.bank import rules
from marketplace.billing.bank.rules import Known, Owed
from marketplace.billing.bank.states import BankLineState, MatchRule

OLD, NEW = Owed("inv_1", "org_a", 1_000), Owed("inv_2", "org_a", 3_000)
PAID, FOREIGN = Owed("inv_0", "org_a", 0), Owed("inv_9", "org_b", 500)


def told(amount: int, known: Known) -> tuple[str, str | None, tuple[tuple[str, int], ...]]:
    plan = rules.plan(amount, known)
    return plan.rule.value, plan.organization_id, plan.parts


@pytest.mark.parametrize(
    ("reference", "numbers"),
    [
        ("M0001-2026-000002", ("M0001-2026-000002",)),
        ("請求 M00012026000002 分", ("M0001-2026-000002",)),
        ("M0001 2026 000002 M0001ー2026ー000003", ("M0001-2026-000002", "M0001-2026-000003")),
        ("M0001-2026-000002 M0001-2026-000002", ("M0001-2026-000002",)),
        ("M12345-2026-000002", ("M12345-2026-000002",)),
        ("XM0001-2026-0000021", ()),
        ("09012345678", ()),
        ("", ()),
    ],
)
def test_invoice_numbers_are_found_however_the_bank_wrote_them(reference: str, numbers: tuple[str, ...]) -> None:
    assert rules.numbers_in(reference) == numbers


@pytest.mark.parametrize(
    ("amount", "known", "plan"),
    [
        # by virtual account: the invoice of just this amount, else the oldest first
        (3_000, Known("org_a", owed=[OLD, NEW]), ("exact_amount", "org_a", (("inv_2", 3_000),))),
        (1_500, Known("org_a", owed=[OLD, NEW]), ("oldest_first", "org_a", (("inv_1", 1_000), ("inv_2", 500)))),
        (400, Known("org_a", owed=[OLD, NEW]), ("oldest_first", "org_a", (("inv_1", 400),))),
        (9_000, Known("org_a", owed=[OLD, NEW]), ("oldest_first", "org_a", (("inv_1", 1_000), ("inv_2", 3_000)))),
        (1, Known("org_a", owed=[]), ("nothing_open", "org_a", ())),
        # by the invoice's number: that one, whatever else is open
        (1_000, Known(None, [NEW], [OLD, NEW]), ("invoice_number", "org_a", (("inv_2", 1_000),))),
        (5_000, Known(None, [NEW], [OLD, NEW]), ("invoice_number", "org_a", (("inv_2", 3_000),))),
        (4_000, Known("org_a", [NEW, OLD]), ("invoice_number", "org_a", (("inv_2", 3_000), ("inv_1", 1_000)))),
        # paid twice: nothing else is paid with it
        (1_000, Known(None, [PAID], [OLD, NEW]), ("paid_already", "org_a", ())),
        # nobody, or two at once
        (1_000, Known(None), ("unknown_payer", None, ())),
        (500, Known("org_a", [FOREIGN], [OLD]), ("contradiction", None, ())),
        (500, Known(None, [OLD, FOREIGN]), ("contradiction", None, ())),
    ],
)
def test_the_plan_follows_the_rule(amount: int, known: Known, plan: tuple[str, str | None, tuple[object, ...]]) -> None:
    assert told(amount, known) == plan


def test_the_state_follows_from_the_plan() -> None:
    assert rules.Plan(MatchRule.UNKNOWN_PAYER).state is BankLineState.SUSPENSE
    assert rules.Plan(MatchRule.NOTHING_OPEN, "org_a").state is BankLineState.UNAPPLIED
    assert rules.Plan(MatchRule.OLDEST_FIRST, "org_a", (("inv_1", 1),)).state is BankLineState.MATCHED


@given(st.integers(1, 10**12), st.lists(st.integers(0, 10**6), max_size=8), st.booleans())
def test_no_invoice_is_overpaid_and_no_yen_is_made(amount: int, rests: list[int], named: bool) -> None:
    owed = [Owed(f"inv_{number}", "org_a", rest) for number, rest in enumerate(rests)]
    plan = rules.plan(amount, Known("org_a", owed if named else (), owed))
    assert sum(part for _invoice, part in plan.parts) <= amount
    assert all(0 < part <= rests[int(invoice[4:])] for invoice, part in plan.parts)
