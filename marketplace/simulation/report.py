"""The report of a quarter: tables that a finance officer reads from top to bottom."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from marketplace.billing import ledger_queries
from marketplace.billing.documents import queries as documents
from marketplace.billing.documents.queries import Wanted
from marketplace.billing.documents.states import DocumentKind
from marketplace.identity import queries as identity
from marketplace.kit.ids import is_id
from marketplace.kit.transaction import transaction
from marketplace.simulation.network import Network
from marketplace.simulation.proof import Verdict
from marketplace.simulation.world import World

PAGE = 100


def lines(world: World, network: Network, verdict: Verdict) -> Iterator[str]:
    """Yield the whole report, line by line."""
    with transaction():
        tables = (
            ("WHAT HAPPENED", ("rail", "event", "count", "yen"), _happened(world)),
            ("WHAT WAS BOOKED", ("kind of transaction", "count", "yen"), _booked()),
            ("DOCUMENTS ISSUED", ("kind", "count", "net", "tax", "total"), _papers(world)),
            ("TRIAL BALANCE", ("account", "debit", "credit", "balance"), _trial()),
        )
        for title, head, rows in tables:
            yield from _table(title, head, rows)
    with transaction():
        standing = [(_named(code), f"{yen:,}", why) for code, yen, why in verdict.standing]
    yield from _table("WHAT STANDS AT THE END, AND WHY", ("account", "yen", "reason"), standing)
    yield ""
    yield f"webhooks: {network.events} events, {network.lost} lost, posted {network.posted} times in shuffled order"
    yield from verdict.asked


def _happened(world: World) -> list[tuple[str, ...]]:
    rows = [
        (rail, what, f"{world.told[rail, what]:,}", world.told_yen[rail, what]) for rail, what in sorted(world.told)
    ]
    return [(rail, what, count, f"{yen:,}" if yen else "") for rail, what, count, yen in rows]


def _booked() -> list[tuple[str, ...]]:
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    cursor = None
    while True:
        page = ledger_queries.list_transactions(cursor, PAGE)
        for one in page.items:
            counts[one.kind] += 1
            sums[one.kind] += sum(entry.amount_minor for entry in one.entries if entry.amount_minor > 0)
        cursor = page.next_cursor
        if cursor is None:
            return [(kind, f"{counts[kind]:,}", f"{sums[kind]:,}") for kind in sorted(counts)]


def _papers(world: World) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for kind in DocumentKind:
        found, cursor = [], None
        while True:
            page = documents.search(world.operator, Wanted(kind=kind.value), cursor=cursor, size=PAGE)
            found += [one.content for one in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        net, tax, gross = (sum(int(said[f"amount_{part}_yen"]) for said in found) for part in ("net", "tax", "gross"))
        if found:
            rows.append((kind.value, f"{len(found):,}", f"{net:,}", f"{tax:,}", f"{gross:,}"))
    return rows


def _trial() -> list[tuple[str, ...]]:
    balance = ledger_queries.trial_balance()
    rows = [
        (_named(row.code), f"{row.debit_minor:,}", f"{row.credit_minor:,}", f"{row.balance_minor:,}")
        for row in balance.accounts
    ]
    return [*rows, ("total", "", "", f"{balance.total_minor:,}")]


def _named(code: str) -> str:
    """Return an account with the name of the organization it is of, instead of its id."""
    parts = [identity.get_organization(part).name_en if is_id(part) else part for part in code.split(":")]
    return ":".join(parts)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(_columns(row[place]) for row in (head, *rows)) for place in range(len(head))]
    yield ""
    yield title
    for row in (head, *rows):
        yield "  ".join(_cell(text, width) for text, width in zip(row, widths, strict=True)).rstrip()


def _cell(text: str, width: int) -> str:
    filling = " " * (width - _columns(text))
    is_amount = text.replace(",", "").lstrip("-").isdigit()
    return filling + text if is_amount else text + filling


def _columns(text: str) -> int:
    # Full-width characters take two columns of a terminal.
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
