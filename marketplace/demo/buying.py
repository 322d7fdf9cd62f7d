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

CHUNK = 2**18
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


def fetch_paper(buyer: Party, invoice_id: str) -> tuple[str, bytes]:
    """Return an invoice's number and its PDF; what it says must have the hash under which it is registered."""
    [paper] = buyer.get("/v1/documents", kind="invoice", about=invoice_id)["items"]
    said = buyer.call("GET", f"/v1/documents/{paper['id']}.json").content
    printed = buyer.call("GET", f"/v1/documents/{paper['id']}.pdf").content
    if hashlib.sha256(said).hexdigest() != paper["content_sha256"] or not printed.startswith(b"%PDF-"):
        raise DemoFailed(f"the paper {paper['number']} is not what was registered")
    return str(paper["number"]), printed


def path_of(grant_id: str, name: str) -> str:
    """Return where a file of a grant is fetched; its name may hold signs that mean something in an address."""
    return f"/v1/grants/{grant_id}/files/{quote(name, safe='')}"


def fetch(buyer: Party, narrator: Narrator, grant_id: str, name: str, size: int) -> Fetched:
    """Fetch a whole file with a bearer token and count what came."""
    response = buyer.call("GET", path_of(grant_id, name), stream=True)
    digest, count = hashlib.sha256(), 0
    for piece in narrator.progress(f"fetching {name}", response.iter_content(CHUNK), size):
        digest.update(piece)
        count += len(piece)
    return Fetched(name, count, digest.hexdigest())


def fetch_broken_and_resumed(buyer: Party, grant_id: str, name: str) -> tuple[Fetched, int]:
    """Break a download off in the middle and resume it; returns the file and the byte it broke at."""
    path, digest = path_of(grant_id, name), hashlib.sha256()
    first = buyer.call("GET", path, stream=True, headers={"Accept-Encoding": "identity"})
    half, at = int(first.headers["Content-Length"]) // 2, 0
    while at < half and (piece := first.raw.read(min(CHUNK, half - at))):
        digest.update(piece)
        at += len(piece)
    first.close()
    condition = {"Range": f"bytes={at}-", "If-Range": first.headers["ETag"]}
    rest = buyer.call("GET", path, headers=condition, stream=True)
    if rest.status_code != 206:
        raise DemoFailed(f"the download could not be resumed: {rest.status_code}")
    count = at
    for piece in rest.iter_content(CHUNK):
        digest.update(piece)
        count += len(piece)
    return Fetched(name, count, digest.hexdigest()), at
