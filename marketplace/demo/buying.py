"""The buyer's part: ordering, paying on the hosted page, fetching."""

import hashlib
import re
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import quote, urljoin

import requests

from marketplace.demo.narration import Narrator
from marketplace.demo.party import TIMEOUT_SECONDS, DemoFailed, Party, wait_for

FORM_ACTION = re.compile(r'<form[^>]*action="([^"]*pay[^"]*)"[^>]*>')


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the buyer holds after fetching: the bytes counted by itself, and their hash."""

    name: str
    size_bytes: int
    sha256: str


def order(buyer: Party, offer: dict[str, Any]) -> Any:
    """Accept the offer's terms by their hash and order it."""
    return buyer.post("/v1/orders", {"offer_id": offer["id"], "accept_terms_sha256": offer["terms_sha256"]})


def pay_on_page(checkout_url: str) -> None:
    """Open the hosted payment page, as a person in a browser would, and press the button that pays."""
    page = requests.get(checkout_url, timeout=TIMEOUT_SECONDS)
    action = next((found for found in FORM_ACTION.findall(page.text) if "decline" not in found), None)
    if page.status_code != 200 or action is None:
        raise DemoFailed(f"the payment page is not one: {page.status_code} {page.text[:500]}")
    target = urljoin(checkout_url, unescape(action))
    answer = requests.post(target, allow_redirects=False, timeout=TIMEOUT_SECONDS)
    if answer.status_code != 303:
        raise DemoFailed(f"the payment was not taken: {answer.status_code} {answer.text[:500]}")


def wait_for_grant(buyer: Party, order_id: str) -> Any:
    """Return the order once it is paid and its grant is there."""

    def granted() -> Any:
        found = buyer.get(f"/v1/orders/{order_id}")
        return found if found["grant_id"] else None

    return wait_for("the grant", granted)


def fetch(buyer: Party, narrator: Narrator, grant_id: str, name: str, size: int) -> Fetched:
    """Fetch a whole file with a bearer token and count what came."""
    response = buyer.call("GET", f"/v1/grants/{grant_id}/files/{quote(name)}", stream=True)
    digest, count = hashlib.sha256(), 0
    for piece in narrator.progress(f"fetching {name}", response.iter_content(2**18), size):
        digest.update(piece)
        count += len(piece)
    return Fetched(name, count, digest.hexdigest())


def fetch_broken_and_resumed(buyer: Party, grant_id: str, name: str) -> tuple[Fetched, int]:
    """Break a download off in the middle and resume it; returns the file and the byte it broke at."""
    path = f"/v1/grants/{grant_id}/files/{quote(name)}"
    first = buyer.call("GET", path, stream=True, headers={"Accept-Encoding": "identity"})
    size = int(first.headers["Content-Length"])
    half = first.raw.read(size // 2)
    first.close()
    condition = {"Range": f"bytes={len(half)}-", "If-Range": first.headers["ETag"]}
    rest = buyer.call("GET", path, headers=condition)
    if rest.status_code != 206 and size > 1:
        raise DemoFailed(f"the download could not be resumed: {rest.status_code}")
    content = half + rest.content if rest.status_code == 206 else rest.content
    return Fetched(name, len(content), hashlib.sha256(content).hexdigest()), len(half)
