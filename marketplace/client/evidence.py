"""Fetching the receipts of what was just downloaded, to lie beside it."""

from itertools import takewhile
from pathlib import Path

from marketplace.client import pauses
from marketplace.client.downloads import Wanted
from marketplace.client.exchange import Exchange, part
from marketplace.client.files import written
from marketplace.client.troubles import Unreachable
from marketplace.client.wire import json_of
from marketplace.client.wording import say

TRIES = 10
"""A server may count the end of a download a moment after its last byte has come."""


def newest_delivery(exchange: Exchange, grant_id: str) -> str:
    """Return the id of the newest delivery under a grant, "" without any: later ones have greater ids."""
    page = exchange.read("/v1/deliveries", grant_id=grant_id, size=1)
    return next((str(one["id"]) for one in page["items"]), "")


def keep(exchange: Exchange, grant_id: str, after: str, wanted: Wanted) -> list[Path]:
    """Keep the receipt of each delivery of a file since another delivery; returns where they lie."""
    later = takewhile(lambda one: str(one["id"]) > after, exchange.walk("/v1/deliveries", grant_id=grant_id))
    ids = [str(one["id"]) for one in later if one["sha256"] == wanted.sha256]
    return [_kept(exchange, delivery_id, wanted.target) for delivery_id in ids]


def _kept(exchange: Exchange, delivery_id: str, target: Path) -> Path:
    place = target.with_name(f"{target.name}.{part(delivery_id)}.receipt")
    text = _receipt(exchange, delivery_id)
    with written(place):
        place.write_bytes(text)
    return place


def _receipt(exchange: Exchange, delivery_id: str) -> bytes:
    for attempt in range(TRIES):
        response = exchange.ask("GET", f"/v1/deliveries/{part(delivery_id)}/receipt")
        if response.status_code != 409:
            break
        pauses.pause(attempt + 1)
    else:
        raise Unreachable(
            say(f"{delivery_id} はまだ計量されていません。", f"{delivery_id} is not counted yet."),
            say(
                "しばらくしてから GET /v1/deliveries/{id}/receipt で取得してください。",
                "Fetch it later: GET /v1/deliveries/{id}/receipt",
            ),
        )
    if response.status_code >= 400:
        json_of(response)
    return bytes(response.content)
