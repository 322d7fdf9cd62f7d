"""Reading the ledger: trial balance and transactions. Balances are sums over entries, kept nowhere."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Select, case, func, or_, select

from marketplace.billing.ledger_models import LedgerAccount, LedgerEntry, LedgerTxn
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.pages import Page


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """The sums of one account in minor units; ``balance_minor`` is debit less credit."""

    code: str
    kind: str
    currency: str
    debit_minor: int
    credit_minor: int

    @property
    def balance_minor(self) -> int:
        """Debit less credit."""
        return self.debit_minor - self.credit_minor


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """Every account that was ever moved; the total is zero or the books are broken."""

    currency: str
    accounts: Sequence[AccountBalance]

    @property
    def total_minor(self) -> int:
        """The sum over all accounts."""
        return sum(account.balance_minor for account in self.accounts)


@dataclass(frozen=True, slots=True)
class TransactionLine:
    """One entry: debit positive, credit negative."""

    account: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """One booked transaction with its lines in order."""

    id: int
    kind: str
    ref: str
    idem: str
    effective_on: date
    reverses: int | None
    posted_at: datetime
    entries: Sequence[TransactionLine]


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """What to list: an account (with its sub-accounts), inclusive days, a ref; each may be left out."""

    account: str | None = None
    date_from: date | None = None
    date_to: date | None = None
    ref: str | None = None


def trial_balance(until: date | None = None, currency: str = "JPY") -> TrialBalance:
    """Return all accounts of a currency as booked up to and including a day, by code."""
    amount = LedgerEntry.amount_minor
    query = (
        select(
            LedgerAccount.code,
            LedgerAccount.kind,
            LedgerAccount.currency,
            func.coalesce(func.sum(case((amount > 0, amount), else_=0)), 0).label("debit"),
            func.coalesce(func.sum(case((amount < 0, -amount), else_=0)), 0).label("credit"),
        )
        .join(LedgerEntry, LedgerEntry.account_id == LedgerAccount.id)
        .where(LedgerEntry.currency == currency)
        .group_by(LedgerAccount.code, LedgerAccount.kind, LedgerAccount.currency)
        .order_by(LedgerAccount.code)
    )
    if until is not None:
        query = query.join(LedgerTxn, LedgerTxn.id == LedgerEntry.txn_id).where(LedgerTxn.effective_on <= until)
    rows = db.session.execute(query)
    return TrialBalance(
        currency,
        [AccountBalance(row.code, row.kind, row.currency, int(row.debit), int(row.credit)) for row in rows],
    )


def balance_of(account: str) -> int:
    """Return debit less credit of one account in minor units; 0 for an account never moved."""
    query = (
        select(func.coalesce(func.sum(LedgerEntry.amount_minor), 0))
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(LedgerAccount.code == account)
    )
    return int(db.session.execute(query).scalar_one())


def find_currency(account: str) -> str | None:
    """Return the currency of an account; None for one that was never named."""
    return db.session.scalar(select(LedgerAccount.currency).where(LedgerAccount.code == account))


def list_transactions(
    cursor: str | None = None,
    size: int = pages.SIZE_DEFAULT,
    chosen: TransactionFilter | None = None,
) -> Page[Transaction]:
    """Return booked transactions, newest first, each with all its entries."""
    after = pages.decode_cursor(cursor, 1)
    query = select(LedgerTxn).where(*_conditions(chosen or TransactionFilter()))
    if after:
        query = query.where(LedgerTxn.id < _txn_id(after[0]))
    heads = db.session.scalars(query.order_by(LedgerTxn.id.desc()).limit(size + 1)).all()
    page = pages.cut(heads, size, lambda head: [head.id])
    lines = _lines_of([head.id for head in page.items])
    return Page([_view(head, lines.get(head.id, [])) for head in page.items], page.next_cursor)


def list_of(refs: Collection[str], txn_ids: Collection[int]) -> Sequence[Transaction]:
    """Return what is booked under some names, and some transactions beside, oldest first, each with all its entries."""
    wanted = or_(LedgerTxn.ref.in_(refs), LedgerTxn.id.in_(txn_ids))
    heads = db.session.scalars(select(LedgerTxn).where(wanted).order_by(LedgerTxn.id)).all()
    lines = _lines_of([head.id for head in heads])
    return [_view(head, lines.get(head.id, [])) for head in heads]


def _conditions(chosen: TransactionFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if chosen.account is not None:
        found.append(LedgerTxn.id.in_(_moving(chosen.account)))
    if chosen.date_from is not None:
        found.append(LedgerTxn.effective_on >= chosen.date_from)
    if chosen.date_to is not None:
        found.append(LedgerTxn.effective_on <= chosen.date_to)
    if chosen.ref is not None:
        found.append(LedgerTxn.ref == chosen.ref)
    return found


def _moving(account: str) -> Select[int]:
    within = or_(
        LedgerAccount.code == account,
        LedgerAccount.code.startswith(f"{account}:", autoescape=True),
    )
    return select(LedgerEntry.txn_id).join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id).where(within)


def _txn_id(part: object) -> int:
    if isinstance(part, bool) or not isinstance(part, int) or not 0 < part < 2**63:
        raise Invalid(
            "The cursor is not one that this list handed out.",
            errors=[{"pointer": "/cursor", "detail": "use next_cursor of the page before, unchanged"}],
        )
    return part


def _lines_of(txn_ids: Sequence[int]) -> dict[int, list[TransactionLine]]:
    query = (
        select(LedgerEntry.txn_id, LedgerAccount.code, LedgerEntry.amount_minor, LedgerEntry.currency)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(LedgerEntry.txn_id.in_(txn_ids))
        .order_by(LedgerEntry.txn_id, LedgerEntry.seq)
    )
    lines: dict[int, list[TransactionLine]] = {}
    for row in db.session.execute(query):
        lines.setdefault(row.txn_id, []).append(TransactionLine(row.code, row.amount_minor, row.currency))
    return lines


def _view(head: LedgerTxn, lines: Sequence[TransactionLine]) -> Transaction:
    return Transaction(head.id, head.kind, head.ref, head.idem, head.effective_on, head.reverses, head.posted_at, lines)
