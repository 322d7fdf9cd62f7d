"""Reading the gateway's movements, and finding what they were booked as."""

from collections.abc import Sequence

from sqlalchemy import exists, func, select

from marketplace.billing.balance.errors import MovementNotFound
from marketplace.billing.balance.models import Movement
from marketplace.billing.balance.states import MovementState
from marketplace.billing.ledger_models import LedgerAccount, LedgerEntry, LedgerTxn
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.pages import Page


def list_movements(
    cursor: str | None = None, size: int = pages.SIZE_DEFAULT, *, state: MovementState | None = None
) -> Page[Movement]:
    """Return the gateway's movements by id, the last first; of one state where it is given."""
    query = select(Movement)
    if state is not None:
        query = query.where(Movement.state == state.value)
    after = pages.decode_cursor(cursor, 1)
    if after:
        query = query.where(Movement.id < str(after[0]))
    rows = db.session.scalars(query.order_by(Movement.id.desc()).limit(size + 1)).all()
    return pages.cut(rows, size, lambda row: [row.id])


def unsettled_ids() -> Sequence[str]:
    """Return the movements that no posting explains yet, oldest first."""
    query = select(Movement.id).where(Movement.state != MovementState.MATCHED.value)
    return db.session.scalars(query.order_by(Movement.created_at, Movement.id)).all()


def get_locked(movement_id: str) -> Movement:
    """Return a movement as committed last, locked until the transaction ends; raises MovementNotFound."""
    query = select(Movement).where(Movement.id == movement_id).with_for_update()
    movement = db.session.scalar(query, execution_options={"populate_existing": True})
    if movement is None:
        raise MovementNotFound
    return movement


def find_posting(refs: Sequence[str], account: str, amounts: Sequence[int]) -> tuple[int, int] | None:
    """Return the id and amount of a posting that is no other movement yet, of the first ref that has one.

    It moved the account by one of these amounts; a fee is part of its movement, and none by itself.
    """
    taken = exists().where(Movement.ledger_txn_id == LedgerTxn.id)
    moved = (
        select(LedgerTxn.id, LedgerEntry.amount_minor)
        .join(LedgerEntry, LedgerEntry.txn_id == LedgerTxn.id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(LedgerTxn.ref.in_(refs), LedgerAccount.code == account, LedgerEntry.amount_minor.in_(amounts), ~taken)
        .where(LedgerTxn.kind != "processing_fee")
        .order_by(func.array_position(list(refs), LedgerTxn.ref), LedgerTxn.id)
        .limit(1)
    )
    row = db.session.execute(moved).one_or_none()
    return (row.id, row.amount_minor) if row else None


def list_suspended(ref: str, currency: str) -> Sequence[Movement]:
    """Return what lies in suspense under one name in one currency, oldest first."""
    query = select(Movement).where(
        Movement.state == MovementState.SUSPENSE.value, Movement.currency == currency, Movement.refs.contains([ref])
    )
    return db.session.scalars(query.order_by(Movement.created_at, Movement.id)).all()


def is_fee_booked(charge_id: str | None) -> bool:
    """Tell whether the fee of a charge was booked in the way of earlier versions, from the charge itself."""
    if charge_id is None:
        return False
    return bool(db.session.scalar(select(exists().where(LedgerTxn.idem == f"fee:{charge_id}"))))
