"""Origins: a permit says exactly what was held, and what a provider reports is charged once and never beyond it."""

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from joserfc import jws
from joserfc.jwk import KeySet
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from marketplace.access.models import TracedCopy
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog import queries
from marketplace.catalog import service as catalog
from marketplace.catalog.models import File
from marketplace.exchange import download, listing, origins
from marketplace.exchange.origins import OriginDraft
from marketplace.identity.actors import Actor
from marketplace.identity.oauth import keys
from marketplace.kit import clock, logs, outbound, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.outbound import OutboundRefused
from marketplace.kit.transaction import transaction
from marketplace.licensing import service as licensing
from marketplace.licensing.offers import OfferDraft, Price
from marketplace.licensing.rules import TermsDraft
from marketplace.licensing.states import PriceKind
from marketplace.metering import queries as metering
from marketplace.metering.edge import Noted
from marketplace.metering.models import Delivery, EdgeRequest
from tests.factories import market
from tests.factories.catalog import DatasetDraftFactory

HOST = "https://93.184.216.34"
SIZE = 1000
NAME = "flow.csv"


def draft(url: str = f"{HOST}/2026/flow.csv", sha256: str = "0f" * 32) -> OriginDraft:
    return OriginDraft(url, sha256, SIZE, "text/csv")


@pytest.fixture
def buyer(app: Flask) -> Actor:
    return market.buyer()


@pytest.fixture
def on(buyer: Actor) -> market.Listed:
    """A listed dataset of one file that its provider holds."""
    return listed(draft())


def listed(said: OriginDraft) -> market.Listed:
    provider = market.seller()
    with transaction():
        dataset_id = catalog.register_dataset(provider, DatasetDraftFactory()).id
        release_id = catalog.open_release(provider, dataset_id, "2026-11").id
    origins.declare(provider, release_id, NAME, said)
    with transaction():
        listing.publish(provider, release_id)
    return market.Listed(provider, dataset_id, release_id)


def granted(on: market.Listed, buyer: Actor, **limits: int) -> str:
    return market.ordered(buyer, market.offered(on, PriceKind.FREE, **limits)).grant_id


def answered(buyer: Actor, grant_id: str, **headers: str) -> download.Answer:
    with transaction():
        return download.open_delivery(buyer, market.wanted(grant_id, NAME, **headers))


def permit_of(answer: download.Answer) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of the permit, verified with the published keys."""
    [token] = parse_qs(urlsplit(answer.headers["Location"]).query)["permit"]
    signed = jws.deserialize_compact(token, KeySet.import_key_set(keys.current().jwks()), algorithms=["ES256"])  # type: ignore[arg-type] # a JWK set
    return dict(signed.protected), json.loads(signed.payload)


def reported(on: market.Listed, answer: download.Answer, sent: int, *, complete: bool, name: str = "1") -> Noted:
    with transaction():
        return origins.take_report(on.provider, str(answer.delivery_id), name, sent, complete=complete).noted


def used(grant_id: str) -> tuple[int, int]:
    """Bytes used and bytes held."""
    quota = metering.get_quota(grant_id)
    return quota.used_bytes, quota.reserved_bytes


def delivery_of(answer: download.Answer) -> Delivery:
    return db.session.get_one(Delivery, answer.delivery_id, populate_existing=True)


def test_a_permit_is_a_statement_of_its_own_about_one_delivery(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    with clock.stopped(clock.now()):
        answer = answered(buyer, grant_id)
        now = int(clock.now().timestamp())
    header, claims = permit_of(answer)
    assert header["typ"] == "musubi-permit+jwt"
    assert claims == {
        "iss": settings.current().base_url,
        "aud": HOST,
        "jti": answer.delivery_id,
        "iat": now,
        "exp": now + 60,
        "grant_id": grant_id,
        "sha256": "0f" * 32,
        "size_bytes": SIZE,
        "path": "/2026/flow.csv",
        "range": None,
    }
    assert (answer.status, answer.file, used(grant_id)) == (307, None, (0, SIZE))
    assert (delivery_of(answer).meter, delivery_of(answer).state) == ("origin", "open")


@pytest.mark.parametrize(
    ("headers", "span"),
    [
        ({"Range": "bytes=5-9"}, (5, 5)),
        ({"Range": "bytes=-10"}, (990, 10)),
        ({"Range": "bytes=0-4, 5-9"}, None),
        ({"Range": "bytes=5-9", "If_Range": '"another"'}, None),
        ({"Range": "bytes=5-9", "If_Range": f'"{"0f" * 32}"'}, (5, 5)),
        ({"If_None_Match": '"another"'}, None),
    ],
)
def test_a_permit_says_what_is_held(
    on: market.Listed, buyer: Actor, headers: dict[str, str], span: tuple[int, int] | None
) -> None:
    grant_id = granted(on, buyer)
    _header, claims = permit_of(answered(buyer, grant_id, **headers))
    assert claims["range"] == (None if span is None else {"start_byte": span[0], "length": span[1]})
    assert used(grant_id) == (0, SIZE if span is None else span[1])


@pytest.mark.parametrize(
    ("sent", "complete", "charged", "state"),
    [
        (SIZE, True, SIZE, "complete"),
        (SIZE * 2, True, SIZE, "complete"),
        (SIZE - 1, True, SIZE - 1, "broken"),
        (SIZE, False, SIZE - 1, "broken"),
        (7, False, 7, "broken"),
        (0, False, 0, "broken"),
    ],
)
def test_a_report_is_cut_down_in_doubt_to_the_buyers_favour(
    on: market.Listed, buyer: Actor, sent: int, complete: bool, charged: int, state: str
) -> None:
    grant_id = granted(on, buyer)
    answer = answered(buyer, grant_id)
    assert reported(on, answer, sent, complete=complete) is Noted.NEW
    assert (used(grant_id), delivery_of(answer).state) == ((charged, 0), state)


def test_the_first_report_counts_and_later_ones_are_kept_as_evidence(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    answer = answered(buyer, grant_id)
    reported(on, answer, 7, complete=False)
    assert reported(on, answer, SIZE, complete=True, name="2") is Noted.LATE
    assert reported(on, answer, SIZE, complete=True, name="2") is Noted.KNOWN
    assert used(grant_id) == (7, 0)
    assert len(db.session.scalars(select(EdgeRequest)).all()) == 2


def test_the_record_has_the_hash_of_each_report(on: market.Listed, buyer: Actor) -> None:
    answer = answered(buyer, granted(on, buyer))
    reported(on, answer, 7, complete=False)
    [entry] = db.session.scalars(select(Entry).where(Entry.verb == Verb.DELIVERY_REPORTED.value))
    kept = db.session.scalars(select(EdgeRequest)).one()
    assert (entry.subject, entry.facts["report_sha256"]) == (answer.delivery_id, kept.report_sha256)
    assert (entry.facts["bytes_sent"], entry.facts["complete"], entry.facts["noted"]) == ("7", False, "new")


def test_two_providers_may_name_their_reports_alike(buyer: Actor) -> None:
    for said in (draft(), draft(f"{HOST}/other.csv", "1f" * 32)):
        on = listed(said)
        assert reported(on, answered(buyer, granted(on, buyer)), SIZE, complete=True) is Noted.NEW


def test_what_nobody_reports_is_swept_with_nothing_when_a_log_is_waited_for_no_more(
    on: market.Listed, buyer: Actor
) -> None:
    grant_id = granted(on, buyer)
    answer = answered(buyer, grant_id)
    with clock.stopped(clock.now() + timedelta(hours=47)):
        download.sweep()
    assert used(grant_id) == (0, SIZE)
    with clock.stopped(clock.now() + timedelta(hours=49)):
        download.sweep()
    assert (used(grant_id), delivery_of(answer).state) == ((0, 0), "swept")
    assert reported(on, answer, SIZE, complete=True) is Noted.LATE
    assert used(grant_id) == (0, 0)


def test_who_declares_the_hash_of_anothers_file_gets_no_byte_of_it(buyer: Actor) -> None:
    other = market.listed()
    sha256 = market.opened_sha256()
    on = listed(OriginDraft(f"{HOST}/a.csv", sha256, len(market.CONTENT), "text/csv"))
    answer = answered(buyer, granted(on, buyer))
    assert (answer.status, answer.file) == (307, None)
    assert other.dataset_id != on.dataset_id


def test_no_copy_is_made_of_what_the_exchange_does_not_hold(buyer: Actor) -> None:
    market.listed()
    on = listed(OriginDraft(f"{HOST}/a.csv", market.opened_sha256(), len(market.CONTENT), "text/csv"))
    with transaction():
        terms = licensing.write_terms(
            on.provider, TermsDraft({"template": "standard-commercial", "fee": "無償", "tracing": "canary"})
        )
        said = OfferDraft(on.dataset_id, terms.id, Price(PriceKind.FREE, 0))
        offer = listing.make_offer(on.provider, said)
    answer = answered(buyer, market.ordered(buyer, offer).grant_id)
    assert answer.status == 307
    assert db.session.scalars(select(TracedCopy)).all() == []


def test_what_a_name_points_to_is_looked_up_when_it_is_declared(
    on: market.Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inside(_host: str) -> outbound.Address:
        raise OutboundRefused("it does not lie on the open internet")

    monkeypatch.setattr(outbound, "_address_of", inside)
    with transaction():
        release_id = catalog.open_release(on.provider, on.dataset_id, "2026-12").id
    with pytest.raises(Invalid):
        origins.declare(on.provider, release_id, NAME, draft("https://inside.example.jp/a.csv"))
    assert queries.list_files(release_id) == []


def test_a_published_file_never_moves_to_another_origin(on: market.Listed) -> None:
    moved = update(File).where(File.release_id == on.release_id).values(origin_url=f"{HOST}/other.csv")
    with pytest.raises(IntegrityError, match="its files are sealed"), db.session.begin_nested():
        db.session.execute(moved)
    db.session.expire_all()
    assert queries.list_files(on.release_id)[0].origin_url == f"{HOST}/2026/flow.csv"


def test_the_catalogue_says_who_holds_a_file(app: Flask, on: market.Listed) -> None:
    said, fields = "Its provider holds this file", {"Accept": "text/html", "Accept-Language": "en"}
    page = app.test_client().get(f"/catalog/{on.dataset_id}", headers=fields).text
    assert said in page
    assert HOST not in page
    assert said not in app.test_client().get(f"/catalog/{market.listed().dataset_id}", headers=fields).text


def test_logs_mask_permits(on: market.Listed, buyer: Actor) -> None:
    location = answered(buyer, granted(on, buyer)).headers["Location"]
    token = location.partition("permit=")[2]
    assert base64.urlsafe_b64decode(token.partition(".")[0] + "==").startswith(b"{")
    for line in (f"307 {location}", f"permit={token}", f'{{"permit": "{token}"}}'):
        assert token not in logs.mask(line)
