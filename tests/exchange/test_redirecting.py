"""Redirecting: the buyer is sent to the bucket for what the grant opens, and the bucket's log is charged once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.access import service as access
from marketplace.access.errors import GrantRevoked
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.delivery import access_log
from marketplace.delivery.stores.presigned import Keys, Links
from marketplace.exchange import download, facilities, redirecting
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from marketplace.metering import queries as metering
from marketplace.metering.edge import Noted
from marketplace.metering.models import Delivery, EdgeRequest
from tests.factories import market

SIZE = len(market.CONTENT)
LINKS = Links("https://musubi.s3.example.jp/exchange", "ap-northeast-1", Keys("AKIATEST", "secret"), 60)


@pytest.fixture
def buyer(app: Flask) -> Iterator[Actor]:
    """A buyer at an exchange that sends its buyers to the bucket."""
    before = facilities.current()
    facilities.install(replace(before, links=LINKS))
    yield market.buyer()
    facilities.install(before)


@pytest.fixture
def on(buyer: Actor) -> market.Listed:
    """A listed dataset of one file."""
    return market.listed()


def granted(on: market.Listed, buyer: Actor, **limits: int) -> str:
    """A grant under a free offer."""
    return market.ordered(buyer, market.offered(on, PriceKind.FREE, **limits)).grant_id


def answered(buyer: Actor, grant_id: str, **wanted: str) -> download.Answer:
    """What a request is answered with; a file that we would send is closed."""
    with transaction():
        answer = download.open_delivery(buyer, market.wanted(grant_id, **wanted))
    if answer.file is not None:
        answer.file.close()
    return answer


def asked(answer: download.Answer) -> dict[str, str]:
    """The query of the address that the buyer is sent to."""
    return {name: value for name, [value] in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def used(grant_id: str) -> tuple[int, int, int]:
    """Bytes used, bytes held, downloads used."""
    quota = metering.get_quota(grant_id)
    return quota.used_bytes, quota.reserved_bytes, quota.used_downloads


def line(answer: download.Answer, sent: int, request_id: str = "REQ1", status: int = 206) -> bytes:
    """The line that the bucket writes for one request at the address of an answer."""
    parts = urlsplit(answer.headers["Location"])
    key = parts.path.removeprefix("/")
    return (
        f"owner musubi [{clock.now():%d/%b/%Y:%H:%M:%S} +0000] 192.0.2.3 - {request_id} REST.GET.OBJECT {key}"
        f' "GET {parts.path}?{parts.query} HTTP/1.1" {status} - {sent} {SIZE} 7 7 "-" "curl" - - SigV4 - - - - -\n'
    ).encode()


def delivery_of(answer: download.Answer) -> Delivery:
    """The delivery of an answer, as it stands."""
    return db.session.get_one(Delivery, asked(answer)[access_log.DELIVERY], populate_existing=True)


def test_a_download_is_held_and_sent_to_the_bucket_for_seconds(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    answer = answered(buyer, grant_id)
    assert (answer.status, answer.file) == (307, None)
    assert asked(answer)[access_log.DELIVERY] == answer.delivery_id
    assert answer.headers["Location"].startswith(f"{LINKS.base_url}/")
    assert urlsplit(answer.headers["Location"]).path.endswith(f"/{market.opened_sha256()}")
    assert asked(answer)["X-Amz-Expires"] == "60"
    assert asked(answer)["X-Amz-SignedHeaders"] == "host"
    assert asked(answer)["response-content-disposition"].startswith("attachment; ")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert used(grant_id) == (0, SIZE, 1)
    assert (delivery_of(answer).meter, delivery_of(answer).state) == ("edge-log", "open")


def test_a_range_holds_its_bytes_and_is_signed(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    answer = answered(buyer, grant_id, Range="bytes=5-9")
    assert asked(answer)["X-Amz-SignedHeaders"] == "host;range"
    assert used(grant_id)[1] == 5


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (206, {"Range": "bytes=0-1, 2-4"}),
        (206, {"Range": "bytes=0-1", "If_Range": f'"{market.opened_sha256()}"'}),
        (200, {"If_Match": "*"}),
        (200, {"If_None_Match": '"other"'}),
        (200, {"Musubi_Redirect": "no"}),
        (200, {"method": "HEAD"}),
        (416, {"Range": f"bytes={SIZE}-"}),
    ],
    ids=["several ranges", "a condition on a range", "if-match", "if-none-match", "no redirects", "head", "beyond"],
)
def test_what_the_bucket_would_answer_otherwise_is_answered_here(
    on: market.Listed, buyer: Actor, status: int, wanted: dict[str, str]
) -> None:
    answer = answered(buyer, granted(on, buyer), **wanted)
    assert answer.status == status
    assert "Location" not in answer.headers


def test_streams_that_are_limited_are_our_own(on: market.Listed, buyer: Actor) -> None:
    answer = answered(buyer, granted(on, buyer, quota_streams=1))
    assert (answer.status, "Location" in answer.headers) == (200, False)


def test_a_revoked_grant_gets_no_address_and_holds_nothing(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    with transaction():
        access.revoke(on.provider, grant_id, "規約違反")
    with pytest.raises(GrantRevoked):
        answered(buyer, grant_id)
    assert used(grant_id) == (0, 0, 0)


def test_a_complete_fetch_is_charged_when_the_log_tells_of_it_and_never_again(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    answer = answered(buyer, grant_id)
    log = [b"what: is this?\n", line(answer, SIZE)]
    assert redirecting.import_log(log) == {Noted.NEW: 1}
    assert used(grant_id) == (SIZE, 0, 1)
    assert delivery_of(answer).state == "complete"
    assert redirecting.import_log(log) == {Noted.KNOWN: 1}
    assert redirecting.import_log([line(answer, SIZE - 1)]) == {Noted.CONTRADICTED: 1}
    assert redirecting.import_log([line(answer, SIZE, "REQ2")]) == {Noted.LATE: 1}
    assert used(grant_id) == (SIZE, 0, 1)
    assert set(db.session.scalars(select(EdgeRequest.request_id))) == {"REQ1", "REQ2"}


def test_of_several_broken_fetches_the_longest_counts_once_the_log_is_waited_for_no_more(
    on: market.Listed, buyer: Actor
) -> None:
    grant_id = granted(on, buyer)
    answer = answered(buyer, grant_id)
    log = [line(answer, 7), line(answer, 12, "REQ2"), line(answer, 9, "REQ3"), line(answer, 999, "REQ4", 403)]
    assert redirecting.import_log(log) == {Noted.NEW: 4}
    with clock.stopped(clock.now() + timedelta(hours=47)):
        download.sweep()
    assert used(grant_id) == (0, SIZE, 1)
    with clock.stopped(clock.now() + timedelta(hours=49)):
        download.sweep()
    assert used(grant_id) == (12, 0, 1)
    assert delivery_of(answer).state == "swept"


def test_an_address_that_nobody_used_costs_nothing_in_the_end(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    answered(buyer, grant_id)
    with clock.stopped(clock.now() + timedelta(hours=49)):
        download.sweep()
    assert used(grant_id)[:2] == (0, 0)


def test_lines_of_our_own_deliveries_and_of_other_contents_count_for_nothing(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    ours = answered(buyer, grant_id, Musubi_Redirect="no")
    answer = answered(buyer, grant_id)
    delivery_id = asked(answer)[access_log.DELIVERY].encode()
    forged = line(answer, SIZE).replace(delivery_id, ours.delivery_id.encode())
    other = line(answer, SIZE).replace(market.opened_sha256().encode(), b"0" * 64)
    assert redirecting.import_log([forged, other]) == {Noted.FOREIGN: 2}
    assert used(grant_id)[0] == 0
    assert delivery_of(answer).state == "open"


def test_the_record_tells_of_each_log_and_by_whose_word_a_delivery_was_charged(on: market.Listed, buyer: Actor) -> None:
    answer = answered(buyer, granted(on, buyer))
    redirecting.import_log([line(answer, SIZE)])
    closed = told(Verb.DELIVERY_CLOSED)
    assert (closed["meter"], closed["served_at"]) == ("edge-log", clock.text(delivery_of(answer).opened_at))
    assert told(Verb.EDGE_LOG_IMPORTED) == {"new": 1, "known": 0, "contradicted": 0, "foreign": 0, "late": 0}


def told(verb: Verb) -> dict[str, object]:
    """The facts of the one entry of a verb."""
    return db.session.scalars(select(Entry).where(Entry.verb == verb.value)).one().facts
