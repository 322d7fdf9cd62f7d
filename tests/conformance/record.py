"""A record that outsiders look at: a started exchange with enough deeds for several tiles, in two checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from psycopg.types.json import Jsonb

from marketplace.audit import service
from marketplace.audit.verbs import Verb
from marketplace.demo.party import Party
from marketplace.identity.actors import SYSTEM
from marketplace.kit import notes, postgres
from tests import live

MANY = 300
TITLES = {
    "title_ja": "大通地区の人流", "title_en": "Footfall in Odori",
    "description_ja": "1時間ごとの通行量。", "description_en": "Passers-by by the hour.",
}  # fmt: skip


@dataclass
class Record:
    """What the outsiders are told: where the log is, its key, a checkpoint that was kept, receipts of deeds."""

    exchange: live.Exchange
    parties: dict[str, Party]
    older: str = ""
    receipts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def log(self) -> str:
        return f"{self.exchange.base_url}/audit"

    @cached_property
    def key(self) -> str:
        """The key of the log, as its operator prints it."""
        return self.exchange.command("audit", "keys", "list").stdout.strip()

    @property
    def authorization(self) -> str:
        return f"Bearer {self.parties['auditor'].token()}"

    def checkpoint(self) -> str:
        return requests.get(f"{self.log}/checkpoint", timeout=60).text

    def grow(self, count: int = MANY) -> str:
        """Have as many deeds done, past all stories, and return the first checkpoint that holds them."""
        before, given = size_of(self.checkpoint()), [_deed(number) for number in range(count)]
        names = ", ".join(given[0])
        marks = ", ".join(["%s"] * len(given[0]))
        url = postgres.libpq_url(str(self.exchange.database_url))
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO audit_entry ({names}) VALUES ({marks})", [list(one.values()) for one in given]
            )
        return live.wait_until("a checkpoint", lambda: self._signed(before + count))

    def _signed(self, size: int) -> str:
        note = self.checkpoint()
        return note if size_of(note) >= size else ""

    def forked(self, size: int) -> str:
        """Return a checkpoint of another tree, under the log's own key."""
        private = load_pem_private_key((self.exchange.data_dir / "keys" / "log-ed25519.pem").read_bytes(), None)
        assert isinstance(private, Ed25519PrivateKey)
        origin = notes.read_key(self.key).name
        text = notes.Checkpoint(origin, size, bytes(range(32))).text
        return notes.Note(text, (notes.sign(origin, private, text),)).written


def size_of(note: str) -> int:
    """Return the size that a checkpoint says."""
    return int(note.split("\n")[1])


def _deed(number: int) -> dict[str, Any]:
    facts = {"grant_id": "grt_0", "file": "人流.csv", "acked": number}
    entry = service.entry_of(SYSTEM, Verb.DELIVERY_CLOSED, subject=f"dlv_{number}", facts=facts)
    return entry | {"facts": Jsonb(entry["facts"])}


@contextmanager
def kept(folder: Path, database_url: str) -> Iterator[Record]:
    """Run an exchange on which something was bought between two checkpoints."""
    with live.exchange(folder, database_url) as exchange:
        record = Record(exchange, exchange.assemble())
        live.wait_until("a checkpoint", lambda: requests.get(f"{record.log}/checkpoint", timeout=60).ok)
        record.older = record.grow()
        path = folder / "人流.csv"
        path.write_text("地点,人数\n大通,120\n", encoding="utf-8")
        dataset_id = live.publish(record.parties["provider"], [path], TITLES)["dataset_id"]
        order = live.buy(record.parties["buyer"], live.offer(record.parties["provider"], dataset_id, "free"))
        record.grow()
        record.receipts = _receipts(record.parties["buyer"], order["id"])
        yield record


def _receipts(buyer: Party, order_id: str) -> list[dict[str, Any]]:
    deeds = buyer.get("/v1/audit/receipts", subject=order_id)["items"]
    assert deeds
    return [buyer.get(f"/v1/audit/receipts/{deed['id']}") for deed in deeds]
