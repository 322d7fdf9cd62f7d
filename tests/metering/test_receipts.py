"""Receipts: what became of a delivery, signed once, for its two parties and overseers."""

import base64
import json
from dataclasses import replace

import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.identity.errors import InvalidToken
from marketplace.identity.oauth import access_tokens, keys, statements
from marketplace.identity.states import Capacity
from marketplace.kit import clock, merkle, settings
from marketplace.kit.errors import NotFound
from marketplace.metering import queries, receipts
from marketplace.metering import service as metering
from marketplace.metering.errors import DeliveryStillOpen
from marketplace.metering.receipt_models import Receipt, ReceiptKey
from tests.factories.access import TERMS_SHA256
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.metering import NAME, buyer_of, entitlement_of, fetch, granted, provider_of


@pytest.fixture
def entitlement(session):
    fetch(entitlement_of(b"noise"))
    return entitlement_of(size_bytes=100)


@pytest.fixture
def delivered(entitlement):
    """A download that broke off after 40 of the 60 bytes it had asked for."""
    return fetch(entitlement, 20, 60, acked=40, outcome="broken").delivery_id


def said(receipt):
    """What a receipt says, verified with the keys that are published."""
    header = json.loads(_decoded(receipt.jws.partition(".")[0]))
    (jwk,) = [one for one in receipts.key_set()["keys"] if one["kid"] == header["kid"]]
    claims = jws.deserialize_compact(receipt.jws, ECKey.import_key(jwk), algorithms=["ES256"]).payload
    return header, json.loads(claims)


def _decoded(segment):
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def count(session, table):
    return session.scalar(select(func.count()).select_from(table))


def test_a_receipt_says_what_was_delivered_to_whom_under_which_terms(session, entitlement, delivered):
    header, claims = said(receipts.get_receipt(buyer_of(entitlement), delivered))
    assert header == {"alg": "ES256", "typ": "musubi-receipt+jwt", "kid": keys.current().signing.kid}
    delivery = queries.get_delivery(buyer_of(entitlement), delivered)
    entry = session.scalars(select(Entry).where(Entry.subject == delivered, Entry.verb == Verb.DELIVERY_CLOSED)).one()
    assert claims["jti"] == delivered
    assert claims["iss"] == settings.current().base_url
    assert claims["buyer_organization_id"] == entitlement.organization_id
    assert claims["provider_organization_id"] == entitlement.provider_organization_id
    assert (claims["grant_id"], claims["dataset_id"], claims["file_name"]) == (
        entitlement.grant_id,
        entitlement.dataset_id,
        NAME,
    )
    assert claims["content"] == {"sha256": entitlement.sha256, "size_bytes": 100}
    assert claims["range"] == {"start_byte": 20, "length": 60, "bytes_acked": 40}
    assert claims["counted"] == {"bytes_new": 40, "rows_new": 0, "requests": 1, "downloads_new": 0}
    assert (claims["state"], claims["closed_at"]) == ("broken", clock.text(delivery.closed_at))
    assert claims["terms_sha256"] == TERMS_SHA256
    assert claims["order_id"].startswith("ord_")
    assert claims["record"] == {
        "entry_id": entry.id,
        "leaf_sha256": merkle.leaf_hash(entry.canonical.encode()).hex(),
    }


def test_it_is_signed_once_whoever_asks_and_whichever_key_signs_by_then(session, entitlement, delivered, tmp_path):
    first = receipts.get_receipt(buyer_of(entitlement), delivered).jws
    auditor = actor_of(OrganizationFactory(capacities=[Capacity.AUDITOR.value]))
    retired = keys.current().signing.kid
    keys.rotate()
    session.expunge_all()
    assert keys.current().signing.kid != retired
    assert receipts.get_receipt(provider_of(entitlement), delivered).jws == first
    assert receipts.get_receipt(auditor, delivered).jws == first
    signed = select(func.count()).select_from(Entry).where(Entry.verb == Verb.RECEIPT_SIGNED)
    assert session.scalar(signed) == 1


def test_a_receipt_can_be_verified_when_its_key_is_gone(session, entitlement, delivered):
    receipt = receipts.get_receipt(buyer_of(entitlement), delivered)
    keys.rotate()
    with clock.stopped(clock.now() + 2 * keys.GRACE):
        assert receipt.kid in keys.prune()
    assert receipt.kid not in {one["kid"] for one in keys.current().jwks()["keys"]}
    assert said(receipt)[1]["jti"] == delivered


def test_a_receipt_is_no_token_and_a_token_no_statement(entitlement, delivered):
    receipt = receipts.get_receipt(buyer_of(entitlement), delivered)
    assert keys.current().find(receipt.jws) is None
    with pytest.raises(InvalidToken):
        access_tokens.verify(receipt.jws)
    with pytest.raises(ValueError, match="no token"):
        statements.sign("at+jwt", {})


def test_a_delivery_that_runs_has_none(session, entitlement):
    opened = metering.open_delivery(entitlement, 0, 100, None)
    before = count(session, Entry)
    with pytest.raises(DeliveryStillOpen):
        receipts.get_receipt(buyer_of(entitlement), opened.id)
    assert (count(session, Receipt), count(session, ReceiptKey), count(session, Entry)) == (0, 0, before)


def test_to_strangers_and_to_tokens_for_other_grants_there_is_none(session, entitlement, delivered):
    narrowed = replace(buyer_of(entitlement), grant_ids=frozenset({granted().id}))
    for stranger in (actor_of(OrganizationFactory(buyer=True)), narrowed):
        for asked in (delivered, "dlv_" + "0" * 32, "nothing\0"):
            with pytest.raises(NotFound):
                receipts.get_receipt(stranger, asked)
    assert count(session, Receipt) == 0


@pytest.mark.parametrize("table", ["receipt", "receipt_key"])
@pytest.mark.parametrize("deed", ["UPDATE {} SET kid = kid", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_database_keeps_what_was_signed(session, entitlement, delivered, table, deed):
    receipts.get_receipt(buyer_of(entitlement), delivered)
    session.flush()
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(text(deed.format(table)))
    assert count(session, Receipt) == 1


def test_deliveries_are_listed_to_their_parties_newest_first_by_grant_and_state(session, entitlement, delivered):
    whole = fetch(entitlement).delivery_id
    buyer = buyer_of(entitlement)
    for party in (buyer, provider_of(entitlement)):
        page = queries.list_deliveries(party, size=1)
        assert [one.id for one in page.items] == [whole]
        rest = queries.list_deliveries(party, cursor=page.next_cursor)
        assert [one.id for one in rest.items] == [delivered]
    assert [one.id for one in queries.list_deliveries(buyer, state="broken").items] == [delivered]
    assert queries.list_deliveries(buyer, grant_id=granted().id).items == []
    assert queries.list_deliveries(actor_of(OrganizationFactory(buyer=True))).items == []
    auditor = actor_of(OrganizationFactory(capacities=[Capacity.AUDITOR.value]))
    assert len(queries.list_deliveries(auditor).items) == 3
