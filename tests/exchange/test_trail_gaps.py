"""What a trail says once somebody has taken a row away from its trade: which link is missing, whatever row it was."""

from collections.abc import Callable

import pytest
from flask import Flask

from marketplace.exchange import trail
from marketplace.exchange.trail import MACHINE
from marketplace.exchange.trail_nodes import Gap, Node, Part
from marketplace.identity.actors import Actor
from marketplace.kit.errors import NotFound
from tests.exchange import trails
from tests.exchange.trails import Traded, one, taken_away, whole

TABLES = {
    Part.TERMS: "terms", Part.OFFER: "offer", Part.ACCEPTANCE: "acceptance", Part.SUBSCRIPTION: "subscription",
    Part.ORDER: "purchase_order", Part.PAYMENT: "payment", Part.BANK_LINE: "bank_line", Part.INVOICE: "invoice",
    Part.POSTING: "ledger_txn", Part.DOCUMENT: "document", Part.GRANT: "access_grant", Part.DELIVERY: "delivery",
    Part.RECEIPT: "receipt", Part.USAGE: "usage_event", Part.SETTLEMENT: "usage_claim", Part.RATED_LINE: "rated_line",
    Part.REFUND: "refund", Part.DISPUTE: "dispute", Part.EARNING: "earning", Part.PAYOUT: "payout",
}  # fmt: skip
KEYS = {Part.RECEIPT: "delivery_id", Part.SETTLEMENT: "claimed_by", Part.POSTING: "id::text"}
TRADES: list[Callable[[Flask], Traded]] = [
    trails.paid_out, trails.settled, trails.disputed, trails.subscribed, trails.on_credit, trails.given,
]  # fmt: skip


def missing(asked: str, actor: Actor = MACHINE) -> list[Gap]:
    """What a trail lacks, in the open transaction."""
    found = trail.trace(actor, asked).trail
    assert found is not None
    return found.missing


def without(node: Node, asked: str) -> list[Gap]:
    """What a trail lacks once one of its parts is taken away."""
    with taken_away(TABLES[node.kind], f"{KEYS.get(node.kind, 'id')} = :id", id=node.id):
        return missing(asked)


@pytest.mark.parametrize("made", TRADES, ids=[made.__name__ for made in TRADES])
def test_every_part_that_is_taken_away_is_named(app: Flask, made: Callable[[Flask], Traded]) -> None:
    found = whole(made(app).order_id)
    assert found.missing == []
    for node in found.nodes:
        assert node.kind in {gap.missing for gap in without(node, found.order_id)}, node
    assert whole(found.order_id) == found


def test_every_entry_that_is_taken_away_is_named(app: Flask) -> None:
    found = whole(trails.paid_out(app).order_id)
    for node in found.nodes:
        for entry in node.entries:
            with taken_away("audit_entry", "id = :id", id=entry.id):
                assert Part.ENTRY in {gap.missing for gap in missing(found.order_id)}, (node.kind, entry.verb)


def test_rows_beside_the_parts_are_missed_as_well(app: Flask) -> None:
    by_bank, used = trails.on_credit(app), trails.settled(app)
    beside = [
        (by_bank, "invoice_payment", "true", Part.PAYMENT),
        (by_bank, "ledger_entry", "amount_minor > 0", Part.POSTING),
        (used, "usage_key", "reference = ''", Part.USAGE),
        (used, "usage_claim", "event_id = (SELECT min(event_id) FROM usage_claim)", Part.USAGE),
    ]
    for traded, table, which, part in beside:
        with taken_away(table, which):
            assert part in {gap.missing for gap in missing(traded.order_id)}, table


def test_what_is_gone_is_found_by_what_the_record_tells_of_it(app: Flask) -> None:
    traded = trails.paid_out(app)
    found = whole(traded.order_id)
    for kind in (Part.PAYMENT, Part.GRANT, Part.REFUND):
        asked = one(found, kind)
        with taken_away(TABLES[kind], "id = :id", id=asked):
            told = trail.trace(MACHINE, asked).trail
            assert told is not None
            assert told.order_id == traded.order_id
            assert (kind, asked, kind) in {(gap.kind, gap.id, gap.missing) for gap in told.missing}
            with pytest.raises(NotFound):
                trail.trace(traded.buyer, asked)


def test_parties_are_told_of_gaps_in_what_both_of_them_see(app: Flask) -> None:
    traded = trails.paid_out(app)
    taken = [("access_grant", "true"), ("ledger_txn", "kind = 'sale'"), ("payment", "true"), ("payout", "true")]
    for table, which in taken:
        told = {Part.GRANT} if table == "access_grant" else set()
        with taken_away(table, which):
            for party in (traded.buyer, traded.provider):
                assert {gap.missing for gap in missing(traded.order_id, party)} == told, table
