"""The books as plain-text accounting, so that an auditor's own program adds them up: beancount and hledger."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import groupby
from typing import Any, Protocol

from sqlalchemy import text

from marketplace.identity import queries as identity
from marketplace.kit.db import db
from marketplace.kit.money import decimal_text, decimals

# One statement is one snapshot: heads, closing balances and entries fit each other whatever is posted meanwhile.
_BOOKS = text("""
SELECT 0 AS part, NULL::bigint AS txn_id, NULL::integer AS seq, min(effective_on) AS day, max(effective_on) AS last_day,
       NULL AS kind, NULL AS ref, NULL AS idem, NULL AS code, NULL AS currency, NULL::numeric AS amount FROM ledger_txn
UNION ALL
SELECT 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, a.code, a.currency, coalesce(sums.total, 0)
FROM ledger_account a
LEFT JOIN (SELECT account_id, sum(amount_minor) AS total FROM ledger_entry GROUP BY account_id) sums
  ON sums.account_id = a.id
UNION ALL
SELECT 2, e.txn_id, e.seq, t.effective_on, NULL, t.kind, t.ref, t.idem, a.code, e.currency, e.amount_minor
FROM ledger_entry e JOIN ledger_txn t ON t.id = e.txn_id JOIN ledger_account a ON a.id = e.account_id
ORDER BY part, txn_id, seq, code
""")
_ROWS_AT_ONCE = 2000
_NAMES_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Closing:
    """An account as it stands at the end, and whose it is."""

    code: str
    currency: str
    total: int
    owner: str


class Form(Protocol):
    """How one program wants to read the books."""

    def opening(self, accounts: list[Closing], day: date) -> Iterator[str]:
        """Say which currencies and accounts there are."""
        ...

    def transaction(self, head: Any, entries: Iterable[Any]) -> Iterator[str]:
        """Write one transaction."""
        ...

    def closing(self, accounts: list[Closing], day: date) -> Iterator[str]:
        """State what every account must come to."""
        ...


def export(form: Form) -> Iterator[str]:
    """Yield the whole ledger line by line, with closing balances that the reading program must arrive at.

    Memory holds the accounts, never the entries. Raises ValueError if two accounts had one name there.
    """
    with db.session.execute(_BOOKS, execution_options={"yield_per": _ROWS_AT_ONCE}) as rows:
        parts = groupby(rows, key=lambda row: row.part)
        _part, [span] = next(parts)
        if span.day is None:  # nothing was ever booked, so no account has anything to come to
            return
        accounts = _closings(next(parts)[1])
        yield from form.opening(accounts, span.day)
        for _part, entries in parts:
            for _txn_id, group in groupby(entries, key=lambda row: row.txn_id):
                booked = list(group)
                yield from form.transaction(booked[0], booked)
        yield from form.closing(accounts, span.last_day + timedelta(days=1))


@cache
def account_name(code: str) -> str:
    """Return an account's code as both programs take it: every part begins with a capital or digit, no underscores."""
    return ":".join(part[:1].upper() + part[1:].replace("_", "-") for part in code.split(":"))


class Beancount:
    """The form of beancount 2 and 3."""

    def opening(self, accounts: list[Closing], day: date) -> Iterator[str]:
        """Say which currencies and accounts there are."""
        yield 'option "title" "Musubi"\n'
        for currency in sorted({account.currency for account in accounts}):
            yield f'option "operating_currency" "{currency}"\n{day} commodity {currency}\n'
        for account in accounts:
            yield f'{day} open {account_name(account.code)} {account.currency}\n  code: "{account.code}"\n'
            if account.owner:
                yield f'  name: "{_quoted(account.owner)}"\n'

    def transaction(self, head: Any, entries: Iterable[Any]) -> Iterator[str]:
        """Write one transaction; its reference stands where a payee would."""
        yield f'\n{head.day} * "{_quoted(head.ref)}" "{_quoted(head.kind)}"\n'
        yield f'  txn: "{head.txn_id}"\n  idem: "{_quoted(head.idem)}"\n'
        for entry in entries:
            yield f"  {account_name(entry.code)}  {decimal_text(int(entry.amount), entry.currency)} {entry.currency}\n"

    def closing(self, accounts: list[Closing], day: date) -> Iterator[str]:
        """State what every account must come to, exactly; beancount counts sub-accounts in."""
        yield "\n"
        totals = _with_sub_accounts(accounts)
        for account in accounts:
            total = decimal_text(totals[account.code, account.currency], account.currency)
            # Without "~ 0" beancount lets the last decimal differ.
            yield f"{day} balance {account_name(account.code)}  {total} ~ 0 {account.currency}\n"


class Hledger:
    """The form of hledger 1.25 and later."""

    def opening(self, accounts: list[Closing], day: date) -> Iterator[str]:  # noqa: ARG002 - accounts have no day here
        """Say which currencies and accounts there are, for ``hledger check --strict``."""
        yield "decimal-mark .\n"
        for currency in sorted({account.currency for account in accounts}):
            yield f"commodity 1000.{'0' * decimals(currency)} {currency}\n"
        for account in accounts:
            yield f"account {account_name(account.code)}  ; {_plain(f'{account.code} {account.owner}'.strip())}\n"

    def transaction(self, head: Any, entries: Iterable[Any]) -> Iterator[str]:
        """Write one transaction; its number stands where a cheque's would."""
        yield f"\n{head.day} * ({head.txn_id}) {_plain(head.ref)} | {_plain(head.kind)}  ; idem: {_plain(head.idem)}\n"
        for entry in entries:
            amount = decimal_text(int(entry.amount), entry.currency)
            yield f"    {account_name(entry.code)}  {amount} {entry.currency}\n"

    def closing(self, accounts: list[Closing], day: date) -> Iterator[str]:
        """State what every account must come to, in its one currency."""
        yield f"\n{day} * closing balances\n"
        for account in accounts:
            total = decimal_text(account.total, account.currency)
            yield f"    {account_name(account.code)}  0 {account.currency} == {total} {account.currency}\n"


FORMS: Mapping[str, Form] = {"beancount": Beancount(), "hledger": Hledger()}


def _closings(rows: Iterable[Any]) -> list[Closing]:
    read = [(row.code, row.currency, int(row.amount)) for row in rows]
    if len({account_name(code) for code, _currency, _total in read}) < len(read):
        raise ValueError("two account codes have one name in the export")
    owners = _owners({part for code, *_rest in read for part in code.split(":") if part.startswith("org_")})
    return [
        Closing(code, currency, total, next((owners[part] for part in code.split(":") if part in owners), ""))
        for code, currency, total in read
    ]


def _owners(organization_ids: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    wanted = sorted(organization_ids)
    for start in range(0, len(wanted), _NAMES_AT_ONCE):
        for one in identity.find_organizations(wanted[start : start + _NAMES_AT_ONCE]).values():
            found[one.id] = one.name_ja or one.name_en
    return found


def _with_sub_accounts(accounts: Iterable[Closing]) -> dict[tuple[str, str], int]:
    totals: dict[tuple[str, str], int] = {}
    for account in accounts:
        parts = account.code.split(":")
        for depth in range(1, len(parts) + 1):
            key = ":".join(parts[:depth]), account.currency
            totals[key] = totals.get(key, 0) + account.total
    return totals


def _quoted(free: str) -> str:
    return _line(free).replace("\\", "\\\\").replace('"', '\\"')


def _plain(free: str) -> str:
    # ";" begins a comment, "|" ends a payee, "[" and "date:" would move a posting to another day.
    return _line(free).translate(str.maketrans(";|[],", "     ")).replace("date:", "date ").replace("date2:", "date2 ")


def _line(free: str) -> str:
    return "".join(character if character.isprintable() else " " for character in free)
