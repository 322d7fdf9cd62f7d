"""What must hold when the quarter is over, each thing asked of two sources that do not know each other."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from marketplace.billing import ledger_exports, ledger_proof, ledger_queries, postings
from marketplace.billing.balance import queries as movements
from marketplace.billing.balance.states import MovementState
from marketplace.billing.payouts import queries as payouts
from marketplace.billing.receivables import queries as receivables
from marketplace.exchange import bookkeeping
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.sandbox import balance
from marketplace.simulation.world import World

TRANSIT = (postings.REFUNDS_IN_TRANSIT, postings.DISPUTES_HELD, postings.PAYOUTS_IN_TRANSIT, postings.SUSPENSE)
FILES = {"beancount": "quarter.beancount", "hledger": "quarter.journal"}


@dataclass
class Verdict:
    """What was found wrong, what still stands on an account and why, and who looked."""

    wrong: list[str] = field(default_factory=list)
    standing: list[tuple[str, int, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def prove(world: World, folder: Path) -> Verdict:
    """Ask everybody: the invariants, the papers, the bank, the gateway, and the foreign programs on the exports.

    The exports stay in ``folder``.
    """
    verdict = Verdict()
    verdict.wrong += [f"{one.invariant} {one.subject}: {one.trouble}" for one in bookkeeping.check()]
    with transaction():
        books = ledger_queries.trial_balance()
        balances = {row.code: row.balance_minor for row in books.accounts if row.balance_minor}
        verdict.wrong += [f"the trial balance is {books.total_minor}"] if books.total_minor else []
        verdict.wrong += _transit(balances)
        verdict.standing += list(_standing(world, balances, verdict.wrong))
    verdict.wrong += _outside(world, balances)
    verdict.wrong += list(_export(folder, verdict.asked))
    return verdict


def _transit(balances: dict[str, int]) -> list[str]:
    return [
        f"{code} ends at {balances[code]:,} yen: something is still under way" for code in TRANSIT if code in balances
    ]


def _outside(world: World, balances: dict[str, int]) -> Iterator[str]:
    """Compare with the two who hold the money: our bank's statement, and the gateway."""
    booked = balances.get(postings.BANK, 0)
    if booked != world.bank_yen:
        yield f"the books have {booked:,} yen at the bank, its statement says {world.bank_yen:,}"
    with transaction():
        held = sum(balance.sums(clock.now()))
    booked = balances.get(postings.CLEARING, 0)
    if booked != held:
        yield f"the books have {booked:,} yen at the gateway, which says {held:,}"
    with transaction():
        for state in (MovementState.WAITING, MovementState.SUSPENSE):
            for one in movements.list_movements(size=100, state=state).items:
                yield f"the movement {one.id} ({one.type}) of the gateway is {state.value}"


def _standing(world: World, balances: dict[str, int], wrong: list[str]) -> Iterator[tuple[str, int, str]]:
    """Name every balance that is not zero, with the reason; what should equal another source is compared."""
    owed = {buyer.organization_id: receivables.owed_yen(buyer.organization_id) for buyer in world.buyers}
    payable = {one.organization_id: one for one in payouts.payables(world.operator)}
    for code, yen in balances.items():
        parts = code.split(":")
        if code.startswith("Assets:Receivable:"):
            expected = owed.get(parts[2], yen)
            yield code, yen, "open invoices, not due yet" if parts[2] in owed else "commission of sales paid outside"
        elif code.startswith("Liabilities:Provider:"):
            one = payable.get(parts[2])
            pending, available = (-one.pending_yen, -one.available_yen) if one else (0, 0)
            expected = pending if parts[3] == "Pending" else available
            yield code, yen, "hold period or buyer's money awaited" if parts[3] == "Pending" else "for the next payout"
        elif code.startswith("Liabilities:Unapplied:"):
            expected = -receivables.unapplied_yen(parts[2])
            yield code, yen, "the payer's own money, which pays nothing yet"
        else:
            continue
        if expected != yen:
            wrong.append(f"{code} ends at {yen:,} yen, what it stands for comes to {expected:,}")


def _export(folder: Path, asked: list[str]) -> Iterator[str]:
    for form, name in FILES.items():
        file = folder / name
        with transaction(), file.open("w", encoding="utf-8") as books:
            books.writelines(ledger_exports.export(ledger_exports.FORMS[form]))
        program = ledger_proof.COMMANDS[form][0]
        if ledger_proof.program_of(form) is None:
            asked.append(f"{program}: not installed, not asked")
            continue
        troubles = list(ledger_proof.ask_program(form, file))
        asked.append(f"{program}: {'refuses' if troubles else 'accepts'} {name}")
        yield from troubles
