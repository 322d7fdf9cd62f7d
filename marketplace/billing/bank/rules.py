"""What a bank transfer pays. Pure: the same transfer and the same open invoices always give the same plan."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.billing.bank.states import BankLineState, MatchRule

# Banks lose or change the hyphens of a reference: M0001-2026-000002, M0001 2026 000002, M00012026000002.
_NUMBER = re.compile(r"(?<![A-Z0-9])([A-Z]{1,4}[0-9]{4,8}?)[-ー‐ ]?([0-9]{4})[-ー‐ ]?([0-9]{6})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed on one invoice; nothing where it is paid already."""

    invoice_id: str
    organization_id: str
    rest_yen: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known when a transfer comes.

    ``holder`` is the buyer whose virtual account it came to; ``named`` the invoices whose numbers its
    reference names, ``owed`` the buyer's open ones, both in the order in which money pays them.
    """

    holder: str | None
    named: Sequence[Owed] = ()
    owed: Sequence[Owed] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a transfer pays: parts of invoices, and the rest as money of the buyer that pays nothing yet.

    Without a buyer all of it lies in suspense, until somebody says whose it is.
    """

    rule: MatchRule
    organization_id: str | None = None
    parts: tuple[tuple[str, int], ...] = ()

    @property
    def state(self) -> BankLineState:
        """Where the money stands when the plan is carried out."""
        if self.organization_id is None:
            return BankLineState.SUSPENSE
        return BankLineState.MATCHED if self.parts else BankLineState.UNAPPLIED


def numbers_in(reference: str) -> tuple[str, ...]:
    """Return the invoice numbers that a reference names, each once, with their hyphens."""
    return tuple(dict.fromkeys("-".join(found.groups()) for found in _NUMBER.finditer(reference)))


def payer_of(holder: str | None, named: Sequence[Owed]) -> str | None:
    """Return whose transfer it is: the holder of the account, or the recipient of the invoices it names.

    None where nothing says so, or where two sources say different things.
    """
    told = {owed.organization_id for owed in named} | ({holder} if holder else set())
    return told.pop() if len(told) == 1 else None


def plan(amount_yen: int, known: Known) -> Plan:
    """Return what a transfer pays: the invoices it names, else the one of exactly its amount, else the oldest first.

    A named invoice that is paid already was paid twice: nothing else is paid with that money.
    """
    buyer = payer_of(known.holder, known.named)
    if buyer is None:
        return Plan(MatchRule.CONTRADICTION if known.holder or known.named else MatchRule.UNKNOWN_PAYER)
    if known.named:
        parts = _spread(amount_yen, known.named)
        return Plan(MatchRule.INVOICE_NUMBER if parts else MatchRule.PAID_ALREADY, buyer, parts)
    exact = [owed for owed in known.owed if owed.rest_yen == amount_yen]
    if exact:
        return Plan(MatchRule.EXACT_AMOUNT, buyer, ((exact[0].invoice_id, amount_yen),))
    parts = _spread(amount_yen, known.owed)
    return Plan(MatchRule.OLDEST_FIRST if parts else MatchRule.NOTHING_OPEN, buyer, parts)


def _spread(amount_yen: int, owed: Sequence[Owed]) -> tuple[tuple[str, int], ...]:
    parts = []
    for one in owed:
        part = min(amount_yen, one.rest_yen)
        if part > 0:
            parts.append((one.invoice_id, part))
            amount_yen -= part
    return tuple(parts)
