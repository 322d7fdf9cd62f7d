"""Banking: taking in a bank's statement, and what the operator decides about money that nobody was named for."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from marketplace.billing.bank import accounts, service, statements
from marketplace.billing.bank.models import BankLine, VirtualAccount
from marketplace.billing.bank.states import BankLineState
from marketplace.exchange import afterpay
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a statement, as counts of lines and their yen; ``known`` were in an earlier file."""

    known: int = 0
    matched: int = 0
    unapplied: int = 0
    suspense: int = 0
    yen: int = 0


def import_statement(actor: Actor, content: bytes) -> Imported:
    """Take in the CSV of a bank's statement, each line in a transaction of its own and only once.

    The file is read whole first: one that is unclear changes nothing. An import that dies half-way is
    run again; two at once take in each line once. Raises BankFileUnreadable.
    """
    counts = {"known": 0, "yen": 0} | {state.value: 0 for state in BankLineState}
    for transfer in statements.read(content):
        with transaction():
            line = service.receive(actor, transfer, partial(_lift, actor))
            counts["known" if line is None else line.state] += 1
            counts["yen"] += line.amount_yen if line else 0
            _tell_of(line)
    del counts[BankLineState.RETURNED.value]
    return Imported(**counts)


def assign_line(
    actor: Actor, line_id: str, *, organization_id: str | None = None, invoice_id: str | None = None
) -> BankLine:
    """Say whose transfer a line in suspense was; what it pays follows. Raises as ``bank.service.assign``."""
    if organization_id is not None:
        identity.get_organization(organization_id)
    lift = partial(_lift, actor)
    return service.assign(actor, line_id, organization_id=organization_id, invoice_id=invoice_id, follow=lift)


def apply_unapplied(actor: Actor, invoice_id: str, amount_yen: int) -> int:
    """Pay an open invoice with money that its buyer sent before; returns how much of it was owed."""
    return service.apply_unapplied(actor, invoice_id, amount_yen, partial(_lift, actor))


def own_account(actor: Actor) -> VirtualAccount:
    """Return the virtual account to which the caller's organization transfers; given out at the first asking."""
    return accounts.assign(actor, actor.organization_id)


def _lift(actor: Actor, invoice_ids: Sequence[str]) -> None:
    for invoice_id in sorted(invoice_ids):
        afterpay.lift_if_paid(actor, invoice_id)


def _tell_of(line: BankLine | None) -> None:
    if line is not None and line.state == BankLineState.SUSPENSE:
        log.warning("bank line %s over %d yen lies in suspense: %s", line.id, line.amount_yen, line.rule)
