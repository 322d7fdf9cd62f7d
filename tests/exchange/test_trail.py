"""The trail of a trade: from any of its ends to all others, shown to whom it concerns, and what is missing named."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from flask import Flask
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from marketplace.audit import queries as record
from marketplace.audit.models import Entry
from marketplace.audit.queries import Search
from marketplace.audit.verbs import Verb
from marketplace.exchange import settlement, trail
from marketplace.exchange.trail import MACHINE, Trail
from marketplace.exchange.trail_nodes import Part
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.states import Capacity
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind
from marketplace.metering import receipts
from tests.factories import market, money, payouts

CONTENT = bytes(range(256)) * 4


@dataclass
class Traded:
    """A trade with everything in it, and both of its parties."""

    order_id: str
    buyer: Actor
    provider: Actor
    grant_id: str


@pytest.fixture
def bought(app: Flask) -> Traded:
    """A paid order, fetched twice, a part given back, the rest paid out."""
    on, buyer = market.listed(content=CONTENT), market.buyer()
    made = money.sold(app, 20_000, buyer, on)
    market.fetched(buyer, made.grant_id)
    market.fetched(buyer, made.grant_id, acked=10)
    money.refunded(made, 1_100)
    payouts.account_of(on.provider.organization_id)
    payouts.released()
    payouts.paid(payouts.operator(), on.provider.organization_id)
    delivery = one(whole(made.order.id), Part.DELIVERY)
    with transaction():
        receipts.get_receipt(buyer, delivery)
    return Traded(made.order.id, buyer, on.provider, str(made.grant_id))


@pytest.fixture
def metered(app: Flask) -> Traded:
    """Usage that was fetched, settled and invoiced."""
    on, buyer = market.listed(content=CONTENT), market.buyer()
    made = market.bought(app, buyer, market.offered(on, PriceKind.PER_UNIT, 3 * 2**20))
    market.fetched(buyer, made.grant_id)
    settlement.settle(SYSTEM)
    return Traded(made.order.id, buyer, on.provider, str(made.grant_id))


def whole(asked: str, actor: Actor = MACHINE, size: int = 100) -> Trail:
    """The trail of the one trade that an id leads to."""
    with transaction():
        found = trail.trace(actor, asked, size=size).trail
    assert found is not None
    return found


def ids(of: Trail) -> list[tuple[str, str]]:
    return [(node.kind.value, node.id) for node in of.nodes]


def one(of: Trail, kind: Part) -> str:
    return next(node.id for node in of.nodes if node.kind is kind)


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


def test_usage_is_followed_through_its_settlement_to_its_invoice(metered: Traded) -> None:
    found = whole(metered.order_id)
    assert found.missing == []
    kinds = {node.kind: node for node in found.nodes}
    assert kinds[Part.SETTLEMENT].id in kinds[Part.USAGE].leads_to
    assert kinds[Part.INVOICE].id in kinds[Part.RATED_LINE].leads_to
    assert kinds[Part.SETTLEMENT].amounts["bytes_new"] == len(CONTENT)
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
    monthly = market.offered(market.listed(), price=Price(PriceKind.SUBSCRIPTION, 3_000, term_months=1))
    made = market.bought(app, market.buyer(), monthly)
    found = whole(str(made.order.subscription_id))
    assert found.order_id == made.order.id
    assert found.missing == []


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


LINKS = [
    ("terms", "true", Part.ORDER, Part.TERMS),
    ("acceptance", "true", Part.ORDER, Part.ACCEPTANCE),
    ("offer", "true", Part.ORDER, Part.OFFER),
    ("payment", "true", Part.ORDER, Part.PAYMENT),
    ("invoice", "true", Part.ORDER, Part.INVOICE),
    ("access_grant", "true", Part.ORDER, Part.GRANT),
    ("earning", "kind = 'sale'", Part.ORDER, Part.EARNING),
    ("earning", "kind = 'reversal'", Part.REFUND, Part.EARNING),
    ("document", "kind = 'invoice'", Part.INVOICE, Part.DOCUMENT),
    ("document", "kind = 'credit_note'", Part.REFUND, Part.DOCUMENT),
    ("document", "kind IN ('purchase_statement', 'commission_invoice')", Part.PAYOUT, Part.DOCUMENT),
    ("ledger_txn", "kind = 'sale'", Part.EARNING, Part.POSTING),
    ("ledger_txn", "kind = 'refund_settled'", Part.REFUND, Part.POSTING),
    ("ledger_txn", "kind = 'payout_paid'", Part.PAYOUT, Part.POSTING),
    ("payout", "true", Part.EARNING, Part.PAYOUT),
    ("usage_event", "true", Part.DELIVERY, Part.USAGE),
    ("delivery", "true", Part.USAGE, Part.DELIVERY),
    ("audit_entry", "verb = 'billing.order.placed'", Part.ORDER, Part.ENTRY),
    ("audit_entry", "verb = 'billing.ledger.posted'", Part.POSTING, Part.ENTRY),
    ("audit_entry", "verb = 'access.grant.issued'", Part.GRANT, Part.ENTRY),
    ("audit_entry", "verb = 'metering.delivery.opened'", Part.DELIVERY, Part.ENTRY),
    ("audit_entry", "verb = 'billing.document.issued'", Part.DOCUMENT, Part.ENTRY),
    ("purchase_order", "true", Part.ORDER, Part.ORDER),
]


def taken_away(session: Session, table: str, which: str) -> None:
    """Delete rows as somebody does whom no trigger and no key stops."""
    session.execute(text("SET LOCAL session_replication_role = replica"))
    assert session.execute(text(f"DELETE FROM {table} WHERE {which}")).rowcount > 0
    session.execute(text("SET LOCAL session_replication_role = DEFAULT"))
    session.expire_all()


@pytest.mark.parametrize(("table", "which", "kind", "missing"), LINKS)
def test_a_link_that_was_taken_away_is_named(
    bought: Traded, session: Session, table: str, which: str, kind: Part, missing: Part
) -> None:
    asked = bought.order_id if table == "access_grant" else bought.grant_id
    taken_away(session, table, which)
    found = whole(asked)
    assert not found.closes
    assert (kind, missing) in {(gap.kind, gap.missing) for gap in found.missing}


@pytest.mark.parametrize("table", ["rated_line", "invoice"])
def test_settled_usage_without_its_line_or_its_invoice_is_named(metered: Traded, session: Session, table: str) -> None:
    taken_away(session, table, "true")
    named = {"rated_line": (Part.GRANT, Part.RATED_LINE), "invoice": (Part.RATED_LINE, Part.INVOICE)}
    assert named[table] in {(gap.kind, gap.missing) for gap in whole(metered.order_id).missing}


@pytest.mark.parametrize(
    ("table", "kind"), [("payment", Part.PAYMENT), ("access_grant", Part.GRANT), ("refund", Part.REFUND)]
)
def test_what_is_gone_is_found_by_what_the_record_tells_of_it(
    bought: Traded, session: Session, table: str, kind: Part
) -> None:
    asked = one(whole(bought.order_id), kind)
    taken_away(session, table, "true")
    found = whole(asked)
    assert found.order_id == bought.order_id
    assert (kind, asked, kind) in {(gap.kind, gap.id, gap.missing) for gap in found.missing}
    with pytest.raises(NotFound), transaction():
        trail.trace(bought.buyer, asked)


def test_parties_are_told_of_gaps_that_concern_them_alone(bought: Traded, session: Session) -> None:
    taken_away(session, "access_grant", "true")
    taken_away(session, "ledger_txn", "kind = 'sale'")
    for party in (bought.buyer, bought.provider):
        assert {gap.missing for gap in whole(bought.order_id, party).missing} == {Part.GRANT}


def test_nothing_of_another_trade_is_in_a_trail(bought: Traded, metered: Traded) -> None:
    mine, other = whole(bought.order_id), whole(metered.order_id)
    assert not set(ids(mine)) & set(ids(other))
    entries = {entry.id for node in mine.nodes for entry in node.entries}
    told = db.session.scalars(select(Entry.subject).where(Entry.id.in_(entries)))
    assert not set(told) & {node.id for node in other.nodes}
