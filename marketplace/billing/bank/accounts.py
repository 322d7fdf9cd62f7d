"""Virtual accounts: a pool of numbers of the bank, one for each buyer, for good."""

from collections.abc import Iterable

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.bank import queries
from marketplace.billing.bank.errors import VirtualAccountsUsedUp
from marketplace.billing.bank.models import VirtualAccount
from marketplace.billing.receivables import service as receivables
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db


def add(numbers: Iterable[str]) -> int:
    """Add numbers (branch and account, ten digits) to the pool; returns how many were new."""
    rows = [{"number": number} for number in numbers]
    if not rows:
        return 0
    added = postgresql.insert(VirtualAccount).on_conflict_do_nothing().returning(VirtualAccount.number)
    return len(db.session.scalars(added, rows).all())


def assign(actor: Actor, organization_id: str) -> VirtualAccount:
    """Return the buyer's virtual account; the first time, the lowest free number becomes it.

    Parallel calls for one buyer give one account (its lock puts them in line). Raises VirtualAccountsUsedUp.
    """
    receivables.lock_buyer(organization_id)
    own = queries.find_account(organization_id)
    if own is not None:
        return own
    number = _claim(organization_id)
    own = queries.find_account(organization_id)
    if own is None:
        raise VirtualAccountsUsedUp
    if number is not None:
        # The number itself is for the payer's eyes: the record names it by its hash.
        facts = {"sha256": sha256_hex(number.encode())}
        audit.record(
            actor, Verb.BANK_ACCOUNT_ASSIGNED, subject=organization_id, counterparty=organization_id, facts=facts
        )
    return own


def _claim(organization_id: str) -> str | None:
    # What another buyer is being given at this moment is left to it, so nobody waits or goes without.
    free = select(VirtualAccount.number).where(VirtualAccount.organization_id.is_(None))
    number = db.session.scalar(free.order_by(VirtualAccount.number).limit(1).with_for_update(skip_locked=True))
    if number is None:
        return None
    taken = (
        update(VirtualAccount)
        .where(VirtualAccount.number == number)
        .values(organization_id=organization_id, assigned_at=clock.now())
        .returning(VirtualAccount.number)
    )
    return db.session.scalar(taken, execution_options={"synchronize_session": False})
