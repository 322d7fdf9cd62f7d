"""One started exchange for all journeys of a module, with everybody in it."""

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from marketplace.demo.party import Party
from tests import live

TITLES = {
    "title_ja": "札幌市の人流",
    "title_en": "Footfall in Sapporo",
    "description_ja": "試験のための合成データ。",
    "description_en": "Synthetic data for tests.",
}


@dataclass
class Market:
    """A running exchange, its parties, and ways to trade there."""

    exchange: live.Exchange
    parties: dict[str, Party]
    folder: Path
    made: int = 0

    @property
    def base_url(self) -> str:
        return self.exchange.base_url

    def file(self, content: bytes, name: str = "人流.csv") -> Path:
        """Write a file into a folder of its own."""
        self.made += 1
        path = self.folder / str(self.made) / name
        path.parent.mkdir()
        path.write_bytes(content)
        return path

    def listed(self, *paths: Path) -> dict:
        """Publish files as a new dataset and return its release."""
        return live.publish(self.parties["provider"], list(paths), TITLES)

    def sold(self, kind: str = "free", amount_yen: int = 0, size_bytes: int = 200_000, **more) -> "Sold":
        """List a file of random bytes, offer it, and let the buyer buy it."""
        content = random.Random(f"{kind}{self.made}").randbytes(size_bytes)
        release = self.listed(self.file(content, "人流.bin"))
        offer = live.offer(self.parties["provider"], release["dataset_id"], kind, amount_yen, **more)
        order = live.buy(self.parties["buyer"], offer)
        return Sold(self, content, release, offer, order)


@dataclass
class Sold:
    """A dataset of one file that the buyer has bought."""

    market: Market
    content: bytes
    release: dict
    offer: dict
    order: dict

    @property
    def grant_id(self) -> str:
        return self.order["grant_id"]

    @property
    def path(self) -> str:
        return f"/v1/grants/{self.grant_id}/files/人流.bin"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def fetch(self, **kwargs):
        return self.market.parties["buyer"].call("GET", self.path, **kwargs)

    def metered(self, expected: int) -> bool:
        """Wait until so many bytes are metered; more than that fails."""

        def total() -> int:
            return self.market.parties["buyer"].get("/v1/usage", grant_id=self.grant_id)["total_bytes"]

        live.wait_until(f"{expected} metered bytes", lambda: total() >= expected)
        return total() == expected


@pytest.fixture(scope="module")
def market(tmp_path_factory, clone):
    with live.exchange(tmp_path_factory.mktemp("market"), clone()) as exchange:
        yield Market(exchange, exchange.assemble(), tmp_path_factory.mktemp("files"))
