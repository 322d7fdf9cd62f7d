"""The trail of a trade: from any of its ends to all others, shown to whom it concerns, and what is missing named."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import event, select

from marketplace.audit import queries as record
from marketplace.audit.models import Entry
from marketplace.audit.queries import Search
from marketplace.audit.verbs import Verb
from marketplace.exchange import trail
from marketplace.exchange.trail import MACHINE
from marketplace.exchange.trail_nodes import Part
from marketplace.identity.states import Capacity
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from tests.exchange import trails
from tests.exchange.trails import Traded, ids, one, whole
from tests.factories import market, money


@pytest.fixture
def bought(app: Flask) -> Traded:
    return trails.paid_out(app)


@pytest.fixture
def metered(app: Flask) -> Traded:
    return trails.settled(app)


def test_a_trade_closes_from_its_terms_to_its_payout(bought: Traded) -> None:
    found = whole(bought.order_id)
    assert found.missing == []
    kinds = Counter(node.kind for node in found.nodes)
    expected = set(Part) - {
        Part.SUBSCRIPTION, Part.BANK_LINE, Part.SETTLEMENT, Part.RATED_LINE, Part.DISPUTE, Part.ENTRY,
    }  # fmt: skip
    assert set(kinds) == expected
    assert (kinds[Part.DELIVERY], kinds[Part.USAGE], kinds[Part.RECEIPT]) == (2, 2, 1)
    silent = {node.kind for node in found.nodes if not node.entries}
    assert silent == {Part.EARNING}


def test_every_end_of_a_trade_leads_to_the_same_trade(bought: Traded, metered: Traded) -> None:
    for traded in (bought, metered):
        found = whole(traded.order_id)
        sha256 = next(node.facts["sha256"] for node in found.nodes if node.kind is Part.TERMS)
        entries = {entry.id for node in found.nodes for entry in node.entries}
        for asked in [sha256, *entries, *(node.id for node in found.nodes)]:
            assert ids(whole(asked)) == ids(found), asked


def test_usage_is_followed_through_its_correction_and_settlement_to_its_invoice(metered: Traded) -> None:
    found = whole(metered.order_id)
    assert found.missing == []
    kinds = {node.kind: node for node in found.nodes}
    counted, corrected = (node for node in found.nodes if node.kind is Part.USAGE)
    assert corrected.leads_to == [*counted.leads_to[:1], counted.id, *counted.leads_to[1:]]
    assert kinds[Part.SETTLEMENT].id in counted.leads_to
    assert kinds[Part.INVOICE].id in kinds[Part.RATED_LINE].leads_to
    assert kinds[Part.SETTLEMENT].amounts["bytes_new"] == len(trails.CONTENT) - 24
    assert kinds[Part.INVOICE].amounts["amount_net_yen"] == kinds[Part.EARNING].amounts["net_yen"]
    assert [entry.verb for entry in kinds[Part.SETTLEMENT].entries] == [Verb.USAGE_SETTLED.value]


def test_parties_see_their_side_and_no_entries_of_the_record(bought: Traded) -> None:
    buyers, providers = whole(bought.order_id, bought.buyer), whole(bought.order_id, bought.provider)
    assert not {Part.EARNING, Part.PAYOUT, Part.POSTING} & {node.kind for node in buyers.nodes}
    assert not {Part.PAYMENT, Part.POSTING} & {node.kind for node in providers.nodes}
    assert {Part.EARNING, Part.PAYOUT} <= {node.kind for node in providers.nodes}
    assert Part.PAYMENT in {node.kind for node in buyers.nodes}
    kinds = {node.facts["kind"] for node in buyers.nodes if node.kind is Part.DOCUMENT}
    assert not kinds & {"commission_invoice", "purchase_statement"}
    assert all(not node.entries for node in (*buyers.nodes, *providers.nodes))


def test_whatever_is_not_ones_own_does_not_exist(bought: Traded) -> None:
    found = whole(bought.order_id)
    entry = next(entry.id for node in found.nodes for entry in node.entries)
    hidden = [one(found, kind) for kind in (Part.PAYOUT, Part.EARNING, Part.POSTING)]
    newest = record.search_entries(Search()).items[0].entry.id
    stranger = market.buyer()
    for asked in [node.id for node in found.nodes]:
        with pytest.raises(NotFound), transaction():
            trail.trace(stranger, asked)
    for asked in [*hidden, entry]:
        with pytest.raises(NotFound), transaction():
            trail.trace(bought.buyer, asked)
    for asked in (one(found, Part.PAYMENT), entry):
        with pytest.raises(NotFound), transaction():
            trail.trace(bought.provider, asked)
    for asked in (new_id("ord"), new_id("aud"), "0" * 64, "9" * 17, "nothing", "ord_", "\0"):
        with pytest.raises(NotFound), transaction():
            trail.trace(MACHINE, asked)
    assert record.search_entries(Search()).items[0].entry.id == newest


def test_the_look_of_an_overseer_is_recorded_and_that_of_a_party_is_not(bought: Traded) -> None:
    auditor = replace(market.party(auditor=True), capacities=frozenset({Capacity.AUDITOR}))
    whole(bought.grant_id, auditor)
    whole(bought.grant_id, bought.buyer)
    looked = record.search_entries(Search(verb=Verb.TRADE_TRACED.value, organization_id=auditor.organization_id)).items
    assert [placed.entry.facts for placed in looked] == [{"asked": bought.grant_id}]
    assert not record.search_entries(
        Search(verb=Verb.TRADE_TRACED.value, organization_id=bought.buyer.organization_id)
    ).items


def test_what_several_trades_share_lists_them(app: Flask) -> None:
    on = market.listed()
    offer = market.offered(on)
    buyers = [market.buyer() for _ in range(3)]
    made = [market.bought(app, buyer, offer).order.id for buyer in buyers]
    for asked in (offer.terms_sha256, offer.terms_id, offer.id):
        with transaction():
            first = trail.trace(on.provider, asked, size=2)
            rest = trail.trace(on.provider, asked, first.trades.next_cursor, size=2)
        assert first.trail is None
        assert [line.order_id for line in (*first.trades.items, *rest.trades.items)] == sorted(made, reverse=True)
        assert ids(whole(asked, buyers[0])) == ids(whole(made[0], buyers[0]))


def test_terms_of_a_subscription_are_one_trade(app: Flask) -> None:
    monthly = trails.subscribed(app)
    subscription = one(whole(monthly.order_id), Part.SUBSCRIPTION)
    assert whole(subscription).order_id == monthly.order_id


def test_many_deliveries_come_in_pages_and_the_asked_one_among_them(bought: Traded) -> None:
    for _ in range(5):
        market.fetched(bought.buyer, bought.grant_id)
    with transaction():
        first = trail.trace(MACHINE, bought.order_id, size=3).trail
        assert first is not None
        second = trail.trace(MACHINE, bought.order_id, first.deliveries.next_cursor, size=3).trail
        assert second is not None
        oldest = trail.trace(MACHINE, bought.grant_id, second.deliveries.next_cursor, size=3).trail
        assert oldest is not None
    pages = [[node.id for node in page.nodes if node.kind is Part.DELIVERY] for page in (first, second, oldest)]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert len({name for page in pages for name in page}) == first.deliveries.count == 7
    asked = whole(pages[2][0], bought.buyer, size=3)
    assert [node.id for node in asked.nodes if node.kind is Part.DELIVERY].count(pages[2][0]) == 1


@contextmanager
def counted() -> Iterator[list[str]]:
    """What is asked of the database."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_more_deliveries_and_refunds_take_no_more_questions(app: Flask) -> None:
    buyer = market.buyer()
    made = money.sold(app, 20_000, buyer)
    market.fetched(buyer, made.grant_id)
    money.refunded(made, 100)
    with counted() as few:
        whole(made.order.id)
    for _ in range(4):
        market.fetched(buyer, made.grant_id)
        money.refunded(made, 100)
    with counted() as many:
        whole(made.order.id)
    assert 10 < len(few) == len(many) < 40


def test_nothing_of_another_trade_is_in_a_trail(bought: Traded, metered: Traded) -> None:
    mine, other = whole(bought.order_id), whole(metered.order_id)
    assert not set(ids(mine)) & set(ids(other))
    entries = {entry.id for node in mine.nodes for entry in node.entries}
    told = db.session.scalars(select(Entry.subject).where(Entry.id.in_(entries)))
    assert not set(told) & {node.id for node in other.nodes}
