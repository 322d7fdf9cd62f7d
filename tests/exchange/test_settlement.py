"""Settlement: each byte billed once, to the yen, whoever settles when and how often."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from flask import Flask
from sqlalchemy import text

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.billing import ledger_queries, queries
from marketplace.billing.models import Invoice
from marketplace.exchange import settlement
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.licensing.states import PriceKind, Rail
from marketplace.metering import queries as usage
from tests.factories import market

MIB = 2**20
SIZE = len(market.CONTENT)


def metered(on: market.Listed, who: Actor, amount_yen: int = MIB, included_mib: int = 0) -> str:
    """A grant of a metered offer; at 2**20 yen a MiB a byte costs a yen."""
    by_invoice = {"rails": (Rail.INVOICE,)}
    return market.ordered(
        who, market.offered(on, PriceKind.PER_UNIT, amount_yen, included_mib, said=by_invoice)
    ).grant_id


def settled(after: timedelta = timedelta(minutes=1)) -> list[Invoice]:
    """Settle a moment later, so that all that was fetched lies before."""
    with clock.stopped(clock.now() + after):
        return list(settlement.settle(SYSTEM))


def lines(invoice: Invoice) -> list[tuple[str, int, int]]:
    """Grant, quantity and yen of each line."""
    return sorted((line["grant_id"], int(line["quantity"]), line["amount_net_yen"]) for line in invoice.lines)


def test_one_invoice_per_seller_and_buyer_with_a_line_per_grant(app: Flask) -> None:
    sellers, buyers = [market.listed() for _ in range(2)], [market.buyer() for _ in range(2)]
    wanted = {}
    for on in sellers:
        for who in buyers:
            grants = [metered(on, who), metered(on, who)]
            for n, grant_id in enumerate(grants):
                market.fetched(who, grant_id, acked=10 * (n + 1))
            wanted[on.provider.organization_id, who.organization_id] = [
                (grant_id, 10 * (n + 1), 10 * (n + 1)) for n, grant_id in enumerate(grants)
            ]
    invoices = settled()
    found = {(one.issuer_organization_id, one.recipient_organization_id): lines(one) for one in invoices}
    assert found == {pair: sorted(of_pair) for pair, of_pair in wanted.items()}
    assert {(one.amount_net_yen, one.amount_tax_yen, one.state) for one in invoices} == {(30, 3, "open")}
    assert ledger_queries.trial_balance().total_minor == 0
    for on in sellers:
        pending = f"Liabilities:Provider:{on.provider.organization_id}:Pending"
        assert ledger_queries.balance_of(pending) == -2 * (33 - 3)


def test_what_was_billed_is_never_billed_again(app: Flask) -> None:
    on, who = market.listed(), market.buyer()
    grant_id = metered(on, who)
    market.fetched(who, grant_id, acked=10)
    (first,) = settled()
    assert settled(timedelta(minutes=2)) == []
    market.fetched(who, grant_id)
    (second,) = settled(timedelta(minutes=3))
    assert (lines(first), lines(second)) == ([(grant_id, 10, 10)], [(grant_id, SIZE - 10, SIZE - 10)])
    assert usage.claimed_bytes(grant_id) == SIZE


def test_a_fraction_of_a_yen_is_neither_lost_nor_billed_twice_however_often_it_is_settled(app: Flask) -> None:
    on, who = market.listed(content=bytes(100)), market.buyer()
    grant_id = metered(on, who, amount_yen=MIB // 3)  # a third of a yen for a byte, a little less
    invoices = []
    for n in range(10):
        market.fetched(who, grant_id, acked=10, Range=f"bytes={10 * n}-{10 * n + 9}")
        invoices += settled(timedelta(minutes=n + 1))
    assert sum(invoice.amount_net_yen for invoice in invoices) == 100 * (MIB // 3) // MIB == 33


def test_usage_below_one_yen_makes_no_invoice_but_is_remembered(app: Flask) -> None:
    on, who = market.listed(content=bytes(100)), market.buyer()
    grant_id = metered(on, who, amount_yen=MIB // 50)
    market.fetched(who, grant_id, acked=40)
    assert settled() == []
    assert queries.list_invoices(who).items == []
    market.fetched(who, grant_id)
    (invoice,) = settled(timedelta(minutes=2))
    assert lines(invoice) == [(grant_id, 60, 1)]


def test_the_included_amount_costs_nothing_and_the_rest_its_price(app: Flask) -> None:
    on, who = market.listed(content=bytes(MIB + 100)), market.buyer()
    grant_id = metered(on, who, included_mib=1)
    market.fetched(who, grant_id, acked=MIB)
    assert settled() == []
    market.fetched(who, grant_id, Range=f"bytes={MIB - 50}-")
    (invoice,) = settled(timedelta(minutes=2))
    assert lines(invoice) == [(grant_id, 100, 100)]


def test_free_and_one_off_usage_is_claimed_and_billed_nothing(app: Flask) -> None:
    on, who = market.listed(), market.buyer()
    free = market.ordered(who, market.offered(on, PriceKind.FREE)).grant_id
    once = market.bought(app, who, market.offered(on)).grant_id
    market.fetched(who, free)
    market.fetched(who, once)
    assert settled() == []
    assert (usage.claimed_bytes(free), usage.claimed_bytes(once)) == (SIZE, SIZE)
    found = record.search_entries(record.Search(verb=Verb.USAGE_SETTLED)).items
    assert {placed.entry.subject for placed in found} == {free, once}


def test_a_delivery_that_ends_after_the_period_is_billed_in_the_next(app: Flask) -> None:
    on, who = market.listed(), market.buyer()
    grant_id, until = metered(on, who), clock.now() + timedelta(hours=1)
    market.fetched(who, grant_id, acked=10)
    with clock.stopped(until):
        market.fetched(who, grant_id)
    (first,) = settlement.settle(SYSTEM, until)
    (second,) = settlement.settle(SYSTEM, until + timedelta(seconds=1))
    assert (lines(first), lines(second)) == ([(grant_id, 10, 10)], [(grant_id, SIZE - 10, SIZE - 10)])


def test_a_seller_without_registration_bills_usage_without_tax(app: Flask) -> None:
    on, who = market.listed(market.seller(registered=False)), market.buyer()
    market.fetched(who, metered(on, who))
    (invoice,) = settled()
    assert (invoice.amount_net_yen, invoice.amount_tax_yen, invoice.registration_number) == (SIZE, 0, None)


def test_tax_is_rounded_once_for_all_lines_of_an_invoice(app: Flask) -> None:
    on, who = market.listed(), market.buyer()
    for _ in range(3):
        market.fetched(who, metered(on, who), acked=9)
    (invoice,) = settled()
    assert (invoice.amount_net_yen, invoice.amount_tax_yen) == (27, 2)


def test_two_settlements_at_once_bill_each_byte_once(own_database: Flask) -> None:
    on, buyers = market.listed(), [market.buyer() for _ in range(3)]
    for who in buyers:
        for _ in range(2):
            market.fetched(who, metered(on, who))
    until = clock.now() + timedelta(minutes=1)

    def settle(_n: int) -> int:
        with own_database.app_context():
            return sum(invoice.amount_net_yen for invoice in settlement.settle(SYSTEM, until))

    with ThreadPoolExecutor(4) as pool:
        billed = sum(pool.map(settle, range(4)))
    assert billed == 3 * 2 * SIZE
    assert db.session.execute(text("SELECT count(*) FROM invoice")).scalar_one() == 3
    assert (
        db.session.execute(text("SELECT sum(quantity_to - quantity_from) FROM rated_line")).scalar_one() == 3 * 2 * SIZE
    )
    assert ledger_queries.trial_balance().total_minor == 0
