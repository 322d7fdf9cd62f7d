"""The ledger: balanced transactions that are never changed. One call of the database posts each."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg.types.json import Jsonb

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.errors import LedgerConflict
from marketplace.billing.postings import Entry
from marketplace.billing.states import ACCOUNT_ROOTS
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import money
from marketplace.kit.db import db

_JSON_MAX = 2**53 - 1
# Past the ORM and past SQLAlchemy's compiler: this is the hot path of every sale. The posting, its entry on the record
# and what stands beside it are one statement, since on a busy server a round trip costs more than any of them.
_POST = """
WITH posted AS MATERIALIZED (SELECT id, outcome FROM ledger_post(
    %(kind)s, %(ref)s, %(idem)s, %(effective_on)s, %(reverses)s::bigint, %(occurred_at)s,
    %(codes)s::text[], %(currencies)s::text[], %(amounts)s::bigint[])),
recorded AS (
    INSERT INTO audit_entry (id, occurred_at, organization_id, client_id, member_id, verb, subject, counterparty_id,
        dataset_id, amount_minor, facts, canonical)
    SELECT %(id)s, %(occurred_at)s, %(organization_id)s, %(client_id)s::text, %(member_id)s::text, %(verb)s,
        %(subject)s, %(counterparty_id)s::text, %(dataset_id)s::text, %(amount_minor)s::bigint, %(facts)s::jsonb,
        %(canonical)s
    FROM posted WHERE outcome = 'new'){beside}
SELECT id, outcome FROM posted
"""
_CODE = re.compile(rf"({'|'.join(ACCOUNT_ROOTS)})(:[A-Za-z0-9_-]+)+")
_OPEN = "SELECT ledger_open_accounts(%s::text[], %s::text[])"


@dataclass(frozen=True, slots=True)
class Beside:
    """An INSERT … SELECT FROM posted that is done where the transaction is new, with its values.

    It is part of the statement that posts: ``posted`` holds the transaction's ``id``.
    """

    insert: str
    values: Mapping[str, Any]


NOTHING = Beside("", {})


@dataclass(frozen=True, slots=True)
class _Txn:
    kind: str
    ref: str
    idem: str
    effective_on: date
    reverses: int | None
    entries: tuple[tuple[str, int, str], ...]


def post(  # noqa: PLR0913 - each names one fact of the posting, and a bundle would be built in every caller
    kind: str,
    ref: str,
    idem: str,
    effective_on: date,
    entries: Sequence[Entry],
    *,
    currency: str = "JPY",
    reverses: int | None = None,
    actor: Actor = SYSTEM,
    beside: Beside = NOTHING,
) -> int | None:
    """Book entries of (account code, minor units; debit positive) and return the transaction's id.

    An entry may name a currency of its own as third; each currency sums to zero. Posting the same content
    under the same ``idem`` again returns the first transaction; other content raises LedgerConflict.
    What stands ``beside`` it is done in the same statement, when the transaction is new.
    Nothing to book (no entries) returns None. Accounts come into being when first named, and keep the
    currency of that entry. Raises ValueError for entries that do not balance or are no whole numbers.
    """
    if not entries:
        return None
    txn = _Txn(kind, ref, idem, effective_on, reverses, tuple(_full(entry, currency) for entry in entries))
    _check(txn)
    statement = _POST.format(beside=beside.insert and f", beside AS ({beside.insert} WHERE outcome = 'new')")
    row = db.session.connection().exec_driver_sql(statement, {**_values(txn, actor), **beside.values}).one()
    if row.outcome == "other":
        raise LedgerConflict(f"The ledger key {idem} is booked with other content.")
    return int(row.id)


def open_accounts(codes: Iterable[str], currency: str = "JPY") -> None:
    """Make the accounts that are not there yet, for a story that will hold other locks when it posts."""
    named = sorted(set(codes))
    db.session.connection().exec_driver_sql(_OPEN, (named, [currency] * len(named)))


def is_code(code: str) -> bool:
    """Tell whether a text can be an account's code."""
    return _CODE.fullmatch(code) is not None


def _full(entry: Entry, currency: str) -> tuple[str, int, str]:
    return entry if len(entry) == 3 else (*entry, currency)


def _check(txn: _Txn) -> None:
    if "\n" in txn.kind + txn.ref + txn.idem:
        raise ValueError(f"{txn.ref!r}: what names a bookable transaction is of one line")
    sums: dict[str, int] = {}
    for code, amount, currency in txn.entries:
        if type(amount) is not int or amount == 0 or abs(amount) > money.BOOKABLE_MAX:
            raise ValueError(f"{code}: {amount!r} is not a bookable amount of minor units")
        if not is_code(code):
            raise ValueError(f"{code!r}: an account code is one of {', '.join(ACCOUNT_ROOTS)}, a colon, and names")
        if not money.is_known(currency):
            raise ValueError(f"{code}: {currency!r} is no currency of ISO 4217")
        sums[currency] = sums.get(currency, 0) + amount
    if any(sums.values()):
        raise ValueError(f"{txn.ref}: entries do not balance")


def _values(txn: _Txn, actor: Actor) -> dict[str, Any]:
    codes, amounts, currencies = map(list, zip(*txn.entries, strict=True))
    told = _entry(actor, txn)
    return told | {
        "kind": txn.kind,
        "ref": txn.ref,
        "idem": txn.idem,
        "effective_on": txn.effective_on,
        "reverses": txn.reverses,
        "codes": codes,
        "currencies": currencies,
        "amounts": amounts,
        "facts": Jsonb(told["facts"]),
    }


def _entry(actor: Actor, txn: _Txn) -> dict[str, Any]:
    """Put the transaction's digest on the record, whose Merkle tree thereby vouches for the ledger too."""
    moved = sum(amount for _code, amount, _currency in txn.entries if amount > 0)
    facts = {"idem": txn.idem, "kind": txn.kind, "sha256": _digest(txn)}
    if moved > _JSON_MAX:
        facts["amount_minor"] = str(moved)
    return audit.entry_of(
        actor,
        Verb.LEDGER_POSTED,
        subject=txn.ref,
        amount_minor=moved if moved <= _JSON_MAX else None,
        facts=facts,
    )


def _digest(txn: _Txn) -> str:
    """Return SHA-256 over the lines that ``ledger_digest`` of the database makes out of what it holds."""
    head = (txn.kind, txn.ref, txn.idem, txn.effective_on.isoformat(), "" if txn.reverses is None else txn.reverses)
    lines = [*map(str, head), *(f"{code} {currency} {amount}" for code, amount, currency in txn.entries), ""]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
