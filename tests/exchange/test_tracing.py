"""Copies that differ by grant, from the terms to the leak."""

import base64
import hashlib
import json
import random

import pytest
from sqlalchemy import func, select, text

from marketplace.access import copies, queries
from marketplace.access import service as access
from marketplace.access.errors import CopyInTheMaking
from marketplace.access.models import TracedCopy
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.delivery.tracing.reading import NoTable
from marketplace.exchange import download, facilities, tracing
from marketplace.exchange.download import Wanted
from marketplace.identity.actors import SYSTEM
from marketplace.identity.models import Organization
from marketplace.kit import clock, jobs
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.metering import receipts
from marketplace.metering import service as metering
from marketplace.metering.rules import Allowance
from tests.factories.access import (
    AcceptanceOfFactory,
    OfferOnFactory,
    PaidOrderFactory,
    SoldDatasetFactory,
    TermsOfFactory,
    draft_of,
    release_with,
)
from tests.factories.identity import OrganizationFactory, actor_of

NAME = "人流.csv"
ROWS = [f"2026-11-{n % 28 + 1:02},{n % 97}丁目,{n * 7919 % 4801},{n * 31 % 997}" for n in range(1000)]
CONTENT = "\n".join(["日時,地点,人数,気温", *ROWS, ""]).encode()


@pytest.fixture
def sold(session):
    """Sell one table under terms with this tracing to so many buyers; returns their grants."""

    def sell(method, buyers=3, files=None):
        files = files or {NAME: CONTENT}
        for content in files.values():
            facilities.current().store.receive([content], len(content))
        provider = OrganizationFactory(provider=True)
        dataset = SoldDatasetFactory(provider=provider)
        sha256 = sha256_hex(f"{method} {dataset.id}".encode())
        document = {} if method is None else {"tracing": method}
        TermsOfFactory(organization_id=provider.id, document=document, sha256=sha256)
        offer = OfferOnFactory(dataset=dataset, terms_sha256=sha256)
        release = release_with(dataset.id, files)
        return [_granted(offer, release, sha256) for _ in range(buyers)]

    return sell


def _granted(offer, release, sha256):
    buyer = OrganizationFactory(buyer=True)
    accepted = AcceptanceOfFactory(organization_id=buyer.id, terms_sha256=sha256)
    order = PaidOrderFactory(offer=offer, buyer=buyer, terms_sha256=sha256, acceptance_id=accepted.id)
    grant = access.issue(SYSTEM, draft_of(order, release_ids=(release,)))
    metering.open_quota(grant.id, Allowance())
    return grant


def owner_of(grant):
    return actor_of(db.session.get_one(Organization, grant.organization_id))


def fetched(grant, **headers):
    """The answer to a download and its bytes."""
    answer = download.open_delivery(owner_of(grant), Wanted(grant.id, NAME, None, "GET", headers))
    with answer.file as file:
        file.seek(answer.start)
        body = file.read(answer.length)
    download.close_delivery(answer.delivery_id, answer.length, answer.length, "complete")
    return answer, body


def made():
    jobs.run_pending(copies.COPY_JOB)


@pytest.mark.parametrize("method", ["row_order", "canary"])
def test_each_grant_gets_a_copy_of_its_own_the_same_each_time_and_in_parts(sold, method):
    grants = sold(method)
    made()
    bodies = []
    for grant in grants:
        answer, body = fetched(grant)
        sha256 = hashlib.sha256(body).hexdigest()
        assert answer.headers["ETag"] == f'"{sha256}"'
        assert fetched(grant)[1] == body
        part, rest = fetched(grant, Range="bytes=1000-1999", **{"If-Range": f'"{sha256}"'})
        assert (part.status, rest) == (206, body[1000:2000])
        (listed,) = queries.list_entitled_files(owner_of(grant), grant.id)
        assert (listed.sha256, listed.size_bytes) == (sha256, len(body))
        bodies.append(body)
    assert len(set(bodies)) == 3
    assert all(set(CONTENT.splitlines()) <= set(body.splitlines()) for body in bodies)


def test_without_a_word_in_the_terms_everybody_gets_the_file_byte_for_byte(sold, session):
    for grant in sold(None):
        assert fetched(grant)[1] == CONTENT
    assert session.scalar(select(func.count()).select_from(TracedCopy)) == 0


def test_nothing_is_delivered_before_the_copy_is_made(sold):
    (grant,) = sold("row_order", buyers=1)
    with pytest.raises(CopyInTheMaking):
        fetched(grant)
    with pytest.raises(CopyInTheMaking):
        queries.list_entitled_files(owner_of(grant), grant.id)
    made()
    assert sorted(fetched(grant)[1].splitlines()) == sorted(CONTENT.splitlines())


def test_a_copy_that_was_given_up_is_ordered_again(sold, session):
    (grant,) = sold("row_order", buyers=1)
    db.session.execute(text("DELETE FROM procrastinate_jobs"))
    tracing.make_left()
    made()
    assert session.get_one(TracedCopy, (grant.id, sha256_hex(CONTENT)), populate_existing=True).sha256 is None
    with clock.stopped(clock.now() + 2 * tracing.LEFT_AFTER):
        tracing.make_left()
    made()
    assert fetched(grant)[1] != CONTENT


def test_what_is_no_table_is_delivered_as_it_is(sold, session):
    picture = b"\x89PNG\r\n" + bytes(range(256))
    (grant,) = sold("canary", buyers=1, files={NAME: picture, "二.csv": b"a\n1\n2\n"})
    made()
    assert fetched(grant)[1] == picture
    assert {copy.sha256 == copy.source_sha256 for copy in session.scalars(select(TracedCopy))} == {True}
    assert copies.list_traced() == []


def test_the_receipt_tells_source_and_copy(sold):
    (grant,) = sold("row_order", buyers=1)
    made()
    answer, body = fetched(grant)
    segment = receipts.get_receipt(owner_of(grant), answer.delivery_id).jws.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    assert claims["file_sha256"] == sha256_hex(CONTENT)
    assert claims["content"] == {"sha256": sha256_hex(body), "size_bytes": len(body)}


def test_a_leaked_part_names_its_grant_and_the_record_says_that_it_was_asked(sold, session):
    by_order, by_markers = sold("row_order"), sold("canary")
    made()
    lines = fetched(by_order[1])[1].splitlines(keepends=True)
    outcome = tracing.trace(b"".join(lines[:101]))
    assert [one.grant_id for one in outcome.named] == [by_order[1].id]
    shuffled = fetched(by_markers[2])[1].splitlines(keepends=True)[1:]
    random.Random(1).shuffle(shuffled)
    assert [one.grant_id for one in tracing.trace(lines[0] + b"".join(shuffled)).named] == [by_markers[2].id]
    entries = session.scalars(select(Entry).where(Entry.verb == Verb.LEAK_TRACED).order_by(Entry.id)).all()
    assert [entry.facts["grant_ids"] for entry in entries] == [[by_order[1].id], [by_markers[2].id]]


def test_the_source_and_strange_tables_name_nobody(sold):
    grants = sold("row_order")
    made()
    assert tracing.trace(CONTENT).named == []
    strange = tracing.trace(b"a,b\n1,2\n3,4\n")
    assert (strange.named, strange.rows) == ([], 0)
    lines = fetched(grants[0])[1].splitlines(keepends=True)
    assert tracing.trace(b"".join(lines), dataset_id="ds_" + "0" * 32).comparisons == 0
    with pytest.raises(NoTable):
        tracing.trace(b"")
