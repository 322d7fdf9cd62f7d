"""The ledger: balanced transactions that are never changed. Posting and reading, through Core."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import insert, select, text
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.errors import LedgerConflict
from marketplace.billing.ledger_models import LedgerAccount, LedgerEntry, LedgerSeal, LedgerTxn
from marketplace.billing.postings import Entry
from marketplace.billing.states import ACCOUNT_ROOTS
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
from marketplace.kit.money import AMOUNT_MAX

_ACCOUNTS_LOCK = 0x6C656467  # "ledg"


@dataclass(frozen=True, slots=True)
class _Txn:
    kind: str
    ref: str
    effective_on: date
    currency: str
    reverses: int | None
    entries: tuple[Entry, ...]


def post(
    kind: str,
    ref: str,
    idem: str,
    effective_on: date,
    entries: Sequence[Entry],
    *,
    currency: str = "JPY",
    reverses: int | None = None,
    actor: Actor = SYSTEM,
) -> int | None:
    """Book entries of (account code, minor units; debit positive) and return the transaction's id.

    Posting the same content under the same ``idem`` again returns the first transaction; other
    content raises LedgerConflict. Nothing to book (no entries) returns None. Accounts come into being
    when first named. Raises ValueError for entries that do not balance or are no whole numbers.
    """
    if not entries:
        return None
    txn = _Txn(kind, ref, effective_on, currency, reverses, tuple(entries))
    _check(txn)
    txn_id = _open(txn, idem)
    if txn_id is None:
        return _same_or_conflict(txn, idem)
    _fill_and_seal(txn_id, txn)
    _record(actor, txn_id, txn)
    return txn_id


def open_accounts(codes: Iterable[str], currency: str = "JPY") -> None:
    """Make the accounts that are not there yet, for a story that will hold other locks when it posts."""
    _account_ids(sorted(set(codes)), currency)


def _check(txn: _Txn) -> None:
    for code, amount in txn.entries:
        if isinstance(amount, bool) or not isinstance(amount, int) or amount == 0 or abs(amount) > AMOUNT_MAX:
            raise ValueError(f"{code}: {amount!r} is not a bookable amount of minor units")
        if code.partition(":")[0] not in ACCOUNT_ROOTS:
            raise ValueError(f"{code}: an account code starts with one of {', '.join(ACCOUNT_ROOTS)}")
    if sum(amount for _code, amount in txn.entries) != 0:
        raise ValueError(f"{txn.ref}: entries do not balance")


def _open(txn: _Txn, idem: str) -> int | None:
    # A second poster of the same key waits here for the first one's commit, then gets no row.
    statement = (
        postgresql.insert(LedgerTxn)
        .values(
            kind=txn.kind,
            ref=txn.ref,
            idem=idem,
            effective_on=txn.effective_on,
            reverses=txn.reverses,
            posted_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["idem"])
        .returning(LedgerTxn.id)
    )
    return db.session.execute(statement).scalar_one_or_none()


def _same_or_conflict(txn: _Txn, idem: str) -> int:
    head = db.session.execute(
        select(LedgerTxn.id, LedgerTxn.kind, LedgerTxn.ref, LedgerTxn.effective_on, LedgerTxn.reverses).where(
            LedgerTxn.idem == idem
        )
    ).one()
    rows = db.session.execute(
        select(LedgerAccount.code, LedgerEntry.amount_minor, LedgerEntry.currency)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(LedgerEntry.txn_id == head.id)
        .order_by(LedgerEntry.seq)
    ).all()
    booked = (head.kind, head.ref, head.effective_on, head.reverses, [tuple(row) for row in rows])
    asked = (txn.kind, txn.ref, txn.effective_on, txn.reverses, [(*entry, txn.currency) for entry in txn.entries])
    if booked != asked:
        raise LedgerConflict(f"The ledger key {idem} is booked with other content.")
    txn_id: int = head.id
    return txn_id


def _fill_and_seal(txn_id: int, txn: _Txn) -> None:
    accounts = _account_ids(sorted({code for code, _amount in txn.entries}), txn.currency)
    db.session.execute(
        insert(LedgerEntry),
        [
            {
                "txn_id": txn_id,
                "seq": seq,
                "account_id": accounts[code],
                "currency": txn.currency,
                "amount_minor": amount,
            }
            for seq, (code, amount) in enumerate(txn.entries, start=1)
        ],
    )
    db.session.execute(insert(LedgerSeal).values(txn_id=txn_id, entries=len(txn.entries)))


def _account_ids(codes: list[str], currency: str) -> dict[str, int]:
    found = _find_accounts(codes)
    missing = [code for code in codes if code not in found]
    if not missing:
        return found
    # One creator at a time: two stories that create the same accounts in different orders would deadlock.
    db.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ACCOUNTS_LOCK})
    rows = [{"code": code, "kind": ACCOUNT_ROOTS[code.partition(":")[0]], "currency": currency} for code in missing]
    db.session.execute(postgresql.insert(LedgerAccount).values(rows).on_conflict_do_nothing(index_elements=["code"]))
    return _find_accounts(codes)


def _find_accounts(codes: list[str]) -> dict[str, int]:
    query = select(LedgerAccount.code, LedgerAccount.id).where(LedgerAccount.code.in_(codes))
    return {row.code: row.id for row in db.session.execute(query)}


def _record(actor: Actor, txn_id: int, txn: _Txn) -> None:
    audit.record(
        actor,
        Verb.LEDGER_POSTED,
        subject=txn.ref,
        amount_minor=sum(amount for _code, amount in txn.entries if amount > 0),
        facts={
            "txn": str(txn_id),
            "kind": txn.kind,
            "sha256": digest_of([[code, amount] for code, amount in txn.entries]),
        },
    )
