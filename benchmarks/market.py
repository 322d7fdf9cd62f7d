"""A market that never was: as many entries of the record as wanted, in the proportions of a market, and their archive.

A trade is twenty entries: an order, its payment, its posting in the ledger, its invoice, its grant, and seven downloads
of it, each opened and closed, and a look of the city at it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace.audit import rules
from marketplace.audit.verbs import Verb
from marketplace.exchange import archiving
from marketplace.kit import merkle, notes
from marketplace.kit.canonical import canonical_json

ORIGIN = "data.city.example/audit"
A_TRADE, DOWNLOADS = 20, 7
SIGNED_EACH = 100
_START, _STEP = datetime(2026, 1, 1, tzinfo=UTC), timedelta(milliseconds=20)
_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def entries(count: int) -> Iterator[dict[str, Any]]:
    """Yield the columns of so many entries, all of it whole trades."""
    position = 0
    for trade in range(count // A_TRADE):
        for entry in _trade(trade):
            columns = dict.fromkeys(rules.FIELDS) | {"organization_id": "system"} | entry
            columns |= {"id": _id("aud", position), "occurred_at": _START + position * _STEP}
            yield columns | {"canonical": rules.canonical_entry(columns)}
            position += 1


class Archive:
    """An archive of such entries, sound in all its parts, with a checkpoint every so often."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._leaves: list[bytes] = []
        self._signed: list[bytes] = []
        self._nodes: dict[tuple[int, int], bytes] = {}

    def write(self, path: Path) -> None:
        """Write it; memory grows with the hashes alone."""
        written = path.with_suffix(".ndjson")
        with written.open("wb") as spool:
            for entry in entries(self._count):
                line = entry["canonical"].encode()
                self._grow(merkle.leaf_hash(line))
                spool.write(line + b"\n")
        with path.open("wb") as out, written.open("rb") as lines:
            size = len(self._leaves)
            archiving.write(out, size, merkle.root(size, self._node), self._files(line[:-1] for line in lines))
        written.unlink()

    def _files(self, lines: Iterable[bytes]) -> Iterator[tuple[str, Iterable[bytes]]]:
        trades = range(self._count // A_TRADE)
        yield "entries.ndjson", lines
        yield "leaves.txt", (leaf.hex().encode() for leaf in self._leaves)
        yield "pending.ndjson", []
        yield "checkpoints.ndjson", self._signed
        yield "keys.txt", [notes.key_of(ORIGIN, _PRIVATE).text.encode()]
        yield "ledger.ndjson", (canonical_json(_booked(trade)) for trade in trades)
        yield "grants.ndjson", (canonical_json(_grant(trade)) for trade in trades)
        yield "usage.ndjson", (canonical_json(_used(trade)) for trade in trades)

    def _grow(self, leaf: bytes) -> None:
        self._leaves.append(leaf)
        size = len(self._leaves)
        for level, position, value in merkle.grow(size - 1, leaf, self._node):
            self._nodes[level, position] = value
        if size % SIGNED_EACH == 0:
            text = notes.Checkpoint(ORIGIN, size, merkle.root(size, self._node)).text
            note = notes.Note(text, (notes.sign(ORIGIN, _PRIVATE, text),)).written
            self._signed.append(canonical_json({"note": note}))

    def _node(self, level: int, position: int) -> bytes:
        return self._nodes[level, position]


def _trade(trade: int) -> Iterator[dict[str, Any]]:
    order, grant = _id("ord", trade), _grant(trade)
    by_buyer = {"organization_id": grant["organization_id"], "client_id": _id("cli", trade % 500)}
    by_buyer |= {"counterparty_id": grant["provider_organization_id"], "dataset_id": _id("ds", trade % 3000)}
    yield by_buyer | _deed(Verb.ORDER_PLACED, order, 5500, offer_id=_id("ofr", trade % 4000), terms=_sha256(trade % 40))
    yield _deed(Verb.ORDER_PAID, order, 5500, gateway="stripe", payment_id=_id("pay", trade))
    booked = _booked(trade)
    yield _deed(Verb.LEDGER_POSTED, order, 5500, idem=booked["idem"], kind="sale", sha256=_digest(booked))
    yield _deed(Verb.DOCUMENT_ISSUED, _id("doc", trade), number=f"INV-2026-{trade:07d}", sha256=_sha256(-trade))
    parties = {"order_id": order, "organization_id": grant["organization_id"]}
    provider = {"counterparty_id": grant["provider_organization_id"]}
    yield provider | _deed(Verb.GRANT_ISSUED, grant["id"], **parties, release_ids=[_id("rel", trade % 3000)])
    for number in range(trade * DOWNLOADS, (trade + 1) * DOWNLOADS):
        fetched = {"grant_id": grant["id"], "usage_event_id": _id("use", number), "sha256": _sha256(trade % 3000)}
        yield by_buyer | _deed(Verb.DELIVERY_OPENED, _id("dlv", number), **fetched, start=0, end=10240)
        new = {"bytes_new": 0 if number % DOWNLOADS else 10240, "rows_new": 0, "requests": 1}
        yield by_buyer | _deed(Verb.DELIVERY_CLOSED, _id("dlv", number), **fetched, **new, bytes_acked=10240)
    yield _deed(Verb.RECORD_EXPORTED, order, rows=A_TRADE)


def _deed(verb: Verb, subject: str, amount_minor: int | None = None, **facts: Any) -> dict[str, Any]:
    return {"verb": verb.value, "subject": subject, "amount_minor": amount_minor, "facts": facts}


def _booked(trade: int) -> dict[str, Any]:
    seller = f"Liabilities:Provider:{_id('org', 1000 + trade % 50)}:Pending"
    lines = [["Assets:Clearing:Stripe", "JPY", 5500], [seller, "JPY", -4950]]
    lines += [["Income:MarketplaceFee", "JPY", -500], ["Liabilities:ConsumptionTax:Output", "JPY", -50]]
    order = _id("ord", trade)
    told = {"kind": "sale", "ref": order, "idem": f"sale:{order}", "effective_on": "2026-01-01", "reverses": None}
    return told | {"entries": lines}


def _digest(booked: dict[str, Any]) -> str:
    lines = [booked["kind"], booked["ref"], booked["idem"], booked["effective_on"], ""]
    lines += [f"{code} {currency} {amount}" for code, currency, amount in booked["entries"]]
    return hashlib.sha256("\n".join([*lines, ""]).encode()).hexdigest()


def _grant(trade: int) -> dict[str, Any]:
    parties = {"organization_id": _id("org", trade % 400), "provider_organization_id": _id("org", 1000 + trade % 50)}
    return {"id": _id("grt", trade), "order_id": _id("ord", trade), "state": "active"} | parties


def _used(trade: int) -> dict[str, Any]:
    return {"grant_id": _id("grt", trade), "bytes": 10240, "rows": 0, "requests": DOWNLOADS}


def _id(prefix: str, number: int) -> str:
    return f"{prefix}_{number:012x}{_sha256(number)[:20]}"


def _sha256(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()
