"""Ordering once: the key of an order is kept from before it is sent until it has come to its end."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketplace.client import keeping, pauses
from marketplace.client.exchange import Exchange
from marketplace.client.keeping import troubled
from marketplace.client.troubles import Denied, Unreachable
from marketplace.client.wire import json_of, new_key
from marketplace.client.wording import say
from marketplace.kit import secret_files

KEPT_SECONDS = 29 * 86_400
"""An exchange forgets keys after thirty days: a key older than this could make another order."""

POLL_SECONDS = 2
OVER = {"failed", "expired"}
UNDECIDED = {401, 403, 408, 429}
"""Answers that do not tell whether an order was placed under the same key before."""

LATER = {"konbini", "bank_transfer"}
"""Ways to pay where the money comes days after the order."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is ordered, as the API takes it (POST /v1/orders)."""

    offer_id: str
    accept_terms_sha256: str
    rail: str | None = None
    coupon_code: str | None = None
    eligibility_id: str | None = None

    def body(self) -> dict[str, str]:
        """Return the body of the request."""
        named = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in named.items() if value is not None}


def is_begun(exchange: Exchange, wish: Wish) -> bool:
    """Tell whether this was ordered before by a command that did not come to the end of it."""
    return _key(_file(exchange, wish)) is not None


def place(exchange: Exchange, wish: Wish) -> dict[str, Any]:
    """Return the order of a wish; called again after whatever happened, it returns the same order.

    Raises Unreachable where nobody knows whether the order was taken: the next call finds out.
    """
    file = _file(exchange, wish)
    with _alone(file):
        key = _key(file)
        if key is None:
            key = new_key()
            keeping.write(file, {"key": key, "since": time.time(), "wish": wish.body()})
    headers = {"Idempotency-Key": key}
    response = exchange.ask("POST", "/v1/orders", json=wish.body(), headers=headers)
    if 400 <= response.status_code < 500 and response.status_code not in UNDECIDED:
        _forget(file)  # it was refused: there is no order under this key
    order: dict[str, Any] = json_of(response)
    return _noted(file, order)


def follow(exchange: Exchange, wish: Wish, order: dict[str, Any], wait_seconds: int) -> dict[str, Any]:
    """Return the order once its grant is there, or as it is when nothing more comes by waiting.

    Raises Denied where it has failed or expired, Unreachable where the time is over.
    """
    file, until = _file(exchange, wish), time.monotonic() + wait_seconds
    while order["grant_id"] is None and not _comes_later(order):
        if order["state"] in OVER:
            raise _over(order)
        if time.monotonic() >= until:
            raise _too_long(order)
        pauses.pause(POLL_SECONDS)
        order = _noted(file, exchange.read(f"/v1/orders/{order['id']}"))
    return order


def _comes_later(order: dict[str, Any]) -> bool:
    if order["rail"] == "outside":
        return True
    return order["rail"] in LATER and order["payment_state"] == "processing"


def _noted(file: Path, order: dict[str, Any]) -> dict[str, Any]:
    if order["grant_id"] is not None or order["state"] in OVER:
        _forget(file)
    return order


def _file(exchange: Exchange, wish: Wish) -> Path:
    """Return where the key of a wish is kept: a file of its own for each buyer and each way to order."""
    buyer = keeping.get(exchange.origin)
    named = [exchange.origin, buyer.organization_id or buyer.client_id, wish.body()]
    name = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()
    folder = keeping.home() / "orders"
    with troubled(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{name}.json"


def _key(file: Path) -> str | None:
    kept = keeping.read(file) or {}
    key, since = kept.get("key"), kept.get("since")
    if not isinstance(key, str) or not isinstance(since, int | float) or time.time() - since > KEPT_SECONDS:
        return None
    return key


def _forget(file: Path) -> None:
    with troubled(file):
        file.unlink(missing_ok=True)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with troubled(file), secret_files.locked(file.parent / "keys"):
        yield


def _over(order: dict[str, Any]) -> Denied:
    return Denied(
        say(f"注文 {order['id']} は支払われずに終わりました。", f"The order {order['id']} ended without being paid."),
        say("もう一度実行すると、新しく注文します。", "Run the command again to order anew."),
    )


def _too_long(order: dict[str, Any]) -> Unreachable:
    return Unreachable(
        say(
            f"注文 {order['id']} の支払いはまだ確認されていません。",
            f"The order {order['id']} is not known to be paid yet.",
        ),
        say(
            "同じコマンドを実行すると、同じ注文の続きを待ちます。",
            "Run the same command again: it goes on with the same order.",
        ),
    )
