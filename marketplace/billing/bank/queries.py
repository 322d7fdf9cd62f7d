"""Reading bank lines and virtual accounts."""

from sqlalchemy import func, select

from marketplace.billing.bank.errors import BankLineNotFound
from marketplace.billing.bank.models import BankLine, VirtualAccount
from marketplace.billing.bank.states import BankLineState
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.ids import is_id
from marketplace.kit.pages import Page

BRANCH_DIGITS, ACCOUNT_DIGITS = 3, 7
"""How long the numbers of a Japanese bank's branch and account are."""


def get_line(line_id: str) -> BankLine:
    """Return a bank line; raises BankLineNotFound."""
    line = db.session.get(BankLine, line_id) if is_id(line_id) else None
    if line is None:
        raise BankLineNotFound
    return line


def lock_line(line_id: str) -> BankLine:
    """Return a bank line as committed last, locked until the transaction ends; raises BankLineNotFound."""
    query = select(BankLine).where(BankLine.id == line_id).with_for_update()
    line = db.session.scalar(query, execution_options={"populate_existing": True}) if is_id(line_id) else None
    if line is None:
        raise BankLineNotFound
    return line


def list_lines(
    cursor: str | None = None, size: int = pages.SIZE_DEFAULT, *, state: BankLineState | None = None
) -> Page[BankLine]:
    """Return the bank lines, newest first; those in suspense wait for somebody to say whose they are."""
    query = select(BankLine)
    if state is not None:
        query = query.where(BankLine.state == state.value)
    after = pages.decode_cursor(cursor, 1)
    if after:
        query = query.where(BankLine.id < _text(after[0]))
    rows = db.session.scalars(query.order_by(BankLine.id.desc()).limit(size + 1)).all()
    return pages.cut(rows, size, lambda row: [row.id])


def find_account(organization_id: str) -> VirtualAccount | None:
    """Return the virtual account of a buyer, if it has been given one."""
    return db.session.scalar(select(VirtualAccount).where(VirtualAccount.organization_id == organization_id))


def holder_of(number: str | None) -> str | None:
    """Return the buyer to whom a virtual account belongs; the number may come with or without its branch."""
    if not number:
        return None
    query = select(VirtualAccount.organization_id).where(
        VirtualAccount.number.endswith(number, autoescape=True), VirtualAccount.organization_id.is_not(None)
    )
    found = db.session.scalars(query.limit(2)).all() if len(number) >= ACCOUNT_DIGITS else []
    return found[0] if len(found) == 1 else None


def count_free_accounts() -> int:
    """Return how many virtual accounts of the pool belong to nobody yet."""
    free = VirtualAccount.organization_id.is_(None)
    return db.session.execute(select(func.count()).select_from(VirtualAccount).where(free)).scalar_one()


def hint_of(payer: str) -> str | None:
    """Return whose transfer came under this name the last time it was known: a hint for people, never a match."""
    query = select(BankLine.organization_id).where(BankLine.payer == payer, BankLine.organization_id.is_not(None))
    return db.session.scalar(query.order_by(BankLine.id.desc()).limit(1)) if payer else None


def _text(part: object) -> str:
    if not isinstance(part, str):
        raise pages.broken_cursor()
    return part
