"""The invariants: each is broken by somebody with rights over the tables, and named."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from marketplace.billing import invoices, ledger, ledger_checks, ledger_exports, ledger_proof, postings, sales
from marketplace.billing.payouts.models import Payout
from marketplace.billing.refunds.models import Refund
from marketplace.billing.states import Via
from marketplace.exchange import bookkeeping
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, jobs
from tests.factories import payouts
from tests.factories.access import GrantFactory
from tests.factories.billing import InvoiceDraftFactory, InvoiceLineFactory
from tests.factories.sales import Trade, give_back

DAY = date(2026, 11, 22)


class Tamperer:
    """Somebody who may alter tables: whatever stands in the way is switched off first."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def do(self, table: str, statement: str) -> None:
        self.session.flush()
        self.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        self.session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        self.session.execute(text(statement))
        self.session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER ALL"))


@pytest.fixture
def trade(session: Session) -> Trade:
    made = Trade()
    made.book()
    made.book(ref="ord_2")
    give_back(1100)
    ledger.post("refund_settled", "re_1", "refund_settled:ref_1", DAY, postings.refund_settled(1100))
    sales.release_due(SYSTEM, date(2026, 12, 31))
    return made


@pytest.fixture
def tamper(session: Session, trade: Trade) -> Tamperer:
    return Tamperer(session)


def issue(net=105):
    return invoices.issue(SYSTEM, InvoiceDraftFactory(lines=(InvoiceLineFactory(amount_net_yen=net),)))


def drawn(trade: Trade) -> Payout:
    """A payout of all that the provider may draw, which is enough for one."""
    trade.book(trade.sale(50_000, 5_000, 5_000, 500), ref="ord_9")
    sales.release_due(SYSTEM, date(2026, 12, 31))
    payouts.account_of(trade.provider)
    return payouts.drawn(SYSTEM, trade.provider)


def found() -> list[str]:
    return [f"{finding.invariant} {finding.subject}: {finding.trouble}" for finding in bookkeeping.check()]


def test_sound_books_have_no_findings(trade: Trade) -> None:
    assert found() == []
    assert set(bookkeeping.programs()) == {"bean-check", "hledger"}


LAST = "(SELECT max(id) FROM ledger_txn)"
TAMPERINGS = {
    "one yen more": (
        "ledger_entry", "UPDATE ledger_entry SET amount_minor = amount_minor + 1 WHERE seq = 1 AND txn_id = " + LAST,
        "does not balance: 1 JPY too much",
    ),
    "both legs more": (
        "ledger_entry",
        "UPDATE ledger_entry SET amount_minor = amount_minor + sign(amount_minor)::int WHERE txn_id = " + LAST,
        "is not what was posted",
    ),
    "another account": (
        "ledger_entry",
        "UPDATE ledger_entry SET account_id = (SELECT id FROM ledger_account WHERE code = 'Income:MarketplaceFee')"
        " WHERE seq = 2 AND txn_id = " + LAST,
        "is not what was posted",
    ),
    "an entry removed": (
        "ledger_entry", "DELETE FROM ledger_entry WHERE seq = 1 AND txn_id = " + LAST, "its seal says 2",
    ),
    "a seal removed": ("ledger_seal", "DELETE FROM ledger_seal WHERE txn_id = " + LAST, "has no seal"),
    "another day": ("ledger_txn", "UPDATE ledger_txn SET effective_on = '2020-01-01'", "is not what was posted"),
    "another order": ("ledger_txn", "UPDATE ledger_txn SET ref = 'ord_x' WHERE id = " + LAST, "is not what was posted"),
    "another currency": (
        "ledger_account", "UPDATE ledger_account SET currency = 'USD' WHERE code = 'Assets:Clearing:Stripe'",
        "which is of USD",
    ),
    "another key": ("ledger_txn", "UPDATE ledger_txn SET idem = 'x' WHERE id = " + LAST, "that is gone"),
}  # fmt: skip


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_i1_names_every_transaction_that_is_not_as_it_was_posted(tamper: Tamperer, tampering: str) -> None:
    table, statement, named = TAMPERINGS[tampering]
    tamper.do(table, statement)
    assert any(line.startswith("I1 ") and named in line for line in found()), found()


def test_i1_names_what_was_slipped_in_past_the_record(tamper: Tamperer, session: Session) -> None:
    session.execute(
        text(
            "SELECT ledger_post('x', 'x', 'x:1', '2026-11-22', NULL, now(), ARRAY['Assets:Bank', 'Equity:Opening'],"
            " ARRAY['JPY', 'JPY'], ARRAY[1, -1]::bigint[])"
        )
    )
    assert any("is not on the record" in line for line in found())


def test_i2_names_what_left_transit_without_having_entered_it(trade: Trade) -> None:
    ledger.post("refund_settled", "re_1", "refund_settled:ref_2", DAY, postings.refund_settled(5))
    assert found() == ["I2 Liabilities:RefundsInTransit of ref_2: more came out than went in: 5 JPY"]


def test_i2_names_a_refund_that_ended_and_is_still_in_transit(trade: Trade, session: Session) -> None:
    give_back(100, idem="refund:ref_3")
    assert found() == []
    invoice = issue()
    session.add(
        Refund(
            id="ref_3", request="k", number=0, sale_ref="ord_1", invoice_id=invoice.id, payment_id=None,
            organization_id=trade.buyer, provider_organization_id=trade.provider, amount_yen=100, way="bank",
            reason="requested", note="", ends_access=False, state="succeeded", idempotency_key="k",
            gateway_refund_id=None, failure=None, created_at=clock.now(), settled_at=clock.now(),
        )
    )  # fmt: skip
    session.flush()
    assert "I2 refund ref_3: is succeeded, yet 100 are in transit" in found()


def test_i3_names_a_movement_booked_with_another_amount(trade: Trade, session: Session) -> None:
    session.execute(
        text(
            "INSERT INTO balance_transaction (id, type, refs, amount_minor, fee_minor, net_minor, currency, created_at,"
            " available_at, state, ledger_txn_id) SELECT 'txn_1', 'charge', '[]', 5501, 0, 5501, 'JPY', now(), now(),"
            " 'matched', min(id) FROM ledger_txn"
        )
    )
    assert found() == ["I3 movement txn_1: moved 5501 JPY at the gateway and 5500 in the books"]


LATER = ledger_checks.MOVEMENT_PATIENCE + timedelta(minutes=1)


def tied(session: Session, txn: str, identifier: str = "txn_1", state: str = "matched") -> None:
    """A movement of 777 yen that is this transaction."""
    session.execute(
        text(
            "INSERT INTO balance_transaction (id, type, source_id, refs, amount_minor, fee_minor, net_minor, currency,"
            " created_at, available_at, state, ledger_txn_id)"
            " VALUES (:id, 'charge', 'ch_1', '[]', 777, 0, 777, 'JPY', now(), now(), :state,"
            " (SELECT id FROM ledger_txn WHERE idem = :txn))"
        ),
        {"id": identifier, "state": state, "txn": txn},
    )


def clearing() -> list[str]:
    """What I3 says once every movement should have been read."""
    with clock.stopped(clock.now() + LATER):
        return [f"{finding.subject.split()[0]}: {finding.trouble}" for finding in ledger_checks.check_clearing()]


def cleared(idem: str, yen: int, reverses: int | None = None) -> int | None:
    entries = [("Assets:Clearing:Stripe", yen), ("Assets:Suspense", -yen)]
    return ledger.post("x", "x", idem, DAY, entries, reverses=reverses)


def test_i3_names_money_on_the_gateways_account_that_never_moved_there(session: Session) -> None:
    cleared("x:1", 777)
    wrong = "transaction: moves 777 JPY on Assets:Clearing:Stripe, and no movement of the gateway is that"
    assert clearing() == [wrong]
    with clock.stopped(clock.now() + LATER - timedelta(minutes=2)):
        assert list(ledger_checks.check_clearing()) == []
    tied(session, "x:1")
    assert clearing() == []
    # The same money once more, under a name of its own.
    cleared("x:2", 777)
    assert clearing() == [wrong]


def test_i3_names_foreign_money_that_never_moved_there(session: Session) -> None:
    entries = [("Assets:Clearing:Stripe:USD", 777), ("Assets:Suspense:USD", -777)]
    ledger.post("x", "x", "x:1", DAY, entries, currency="USD")
    assert clearing() == [
        "transaction: moves 777 USD on Assets:Clearing:Stripe:USD, and no movement of the gateway is that"
    ]


@pytest.mark.parametrize("about", ["txn_1", "ch_1"])
def test_i3_takes_a_fee_for_part_of_its_movement_and_of_no_other(session: Session, about: str) -> None:
    cleared("x:1", 777)
    tied(session, "x:1")
    for name in (about, "txn_9"):
        ledger.post("processing_fee", "x", f"fee:{name}", DAY, postings.processing_fee(28))
    assert clearing() == [
        "movement: moved 777 JPY at the gateway and 749 in the books",
        "transaction: moves -28 JPY on Assets:Clearing:Stripe, and no movement of the gateway is that",
    ]


def test_i3_lets_suspense_pass_that_was_cleared_whole(session: Session) -> None:
    suspended = cleared("suspense:txn_1", 777)
    tied(session, "suspense:txn_1", state="suspense")
    assert clearing() == []
    cleared("x:1", 777)
    session.execute(
        text(
            "UPDATE balance_transaction SET state = 'matched',"
            " ledger_txn_id = (SELECT id FROM ledger_txn WHERE idem = 'x:1')"
        )
    )
    with clock.stopped(clock.now() + LATER):
        cleared("suspense_cleared:txn_1", -776, suspended)
        # The pair is as old as its last half.
        assert list(ledger_checks.check_clearing()) == []
        assert clearing() == [
            "transaction: moves 1 JPY on Assets:Clearing:Stripe, and no movement of the gateway is that"
        ]


def test_i4_names_a_sale_of_which_more_went_back_than_came(tamper: Tamperer) -> None:
    tamper.do("earning", "UPDATE earning SET tax_yen = tax_yen - 500, net_yen = net_yen + 500 WHERE kind = 'sale'")
    assert any(line.startswith("I4 sale ord_1: more was taken back") for line in found())


def test_i4_names_a_commission_that_nobody_earned(tamper: Tamperer) -> None:
    tamper.do("earning", "UPDATE earning SET commission_yen = 501, net_yen = 5001 WHERE ref = 'ord_2'")
    assert any("books another commission than its earnings: 500" in line for line in found())


def test_i4_names_access_to_what_was_given_back(trade: Trade, session: Session) -> None:
    grant = GrantFactory()
    session.flush()
    trade.book(ref=grant.order_id)
    assert found() == []
    give_back(5500, ref=grant.order_id, idem="refund:ref_9")
    assert found() == [f"I4 grant {grant.id}: is active, and all of order {grant.order_id} was given back"]


def test_i5_names_providers_whose_earnings_are_not_what_is_owed(tamper: Tamperer, trade: Trade) -> None:
    trade.book(ref="ord_3")
    tamper.do("earning", "UPDATE earning SET payable_yen = 4951, net_yen = 5001 WHERE ref = 'ord_3'")
    assert f"I5 provider {trade.provider}: has 4950 yen pending in the books, its earnings say 4951" in found()


def test_i5_lets_a_provider_owe_what_was_refunded_after_it_drew_and_no_more(trade: Trade) -> None:
    made = drawn(trade)
    give_back(1100, idem="refund:ref_5")
    assert (found(), trade.available()) == ([], -990)
    ledger.post("payout", made.id, "payout_more:pyt_2", DAY, postings.payout_created(trade.provider, 2000))
    assert found() == [
        "I2 payout pyt_2: is none of ours, yet 2000 are in transit",
        f"I5 provider {trade.provider}: has -2990 yen available in the books, its earnings say -990",
    ]


def test_i6_names_a_payout_that_pays_something_else_or_holds_what_it_should_not(tamper: Tamperer, trade: Trade) -> None:
    trade.book(ref="ord_8", via=Via.OUTSIDE)
    made = drawn(trade)
    yen = made.amount_yen
    sums = f"nets 550, its earnings make {yen} and 550"
    assert (found(), made.offset_yen) == ([], 550)
    tamper.do("payout", "UPDATE payout SET amount_yen = amount_yen + 1")
    assert found() == [
        f"I2 payout {made.id}: is created, yet {yen} are in transit",
        f"I6 payout {made.id}: is of {yen + 1} yen and {sums}",
    ]
    tamper.do("payout", "UPDATE payout SET amount_yen = amount_yen - 1, offset_yen = 551")
    assert found() == [f"I6 payout {made.id}: is of {yen} yen and nets 551, {sums.split(', ')[1]}"]
    tamper.do("payout", "UPDATE payout SET offset_yen = 550")
    tamper.do("payout_item", "UPDATE payout_item SET freed = true")
    assert f"I6 payout {made.id}: is created, yet earnings of it are free" in found()


def test_i2_and_i6_name_a_payout_that_ended_and_left_its_money_in_transit(tamper: Tamperer, trade: Trade) -> None:
    made = drawn(trade)
    tamper.do("payout", "UPDATE payout SET state = 'failed'")
    assert found() == [
        f"I2 payout {made.id}: is failed, yet {made.amount_yen} are in transit",
        f"I6 payout {made.id}: is failed, yet earnings of it are held",
    ]


def test_i5_names_an_earning_that_is_paid_out_while_it_is_held(tamper: Tamperer, trade: Trade) -> None:
    drawn(trade)
    tamper.do("earning", "UPDATE earning SET released_on = NULL")
    assert any(line.endswith("is paid out, and still held") for line in found())


def test_i7_names_an_invoice_whose_tax_is_not_rounded_once(tamper: Tamperer) -> None:
    invoice = issue(1158)
    assert found() == []
    tamper.do("invoice", "UPDATE invoice SET amount_tax_yen = 109, amount_gross_yen = amount_net_yen + 109")
    assert found() == [
        f"I7 invoice {invoice.number}: states net 1158 and tax 109, its lines make 1158 and 115",
        f"papers invoice {invoice.number}: is of 1267 yen, its document of 1273",
    ]


def test_i8_names_the_program_that_does_not_accept_the_export(trade: Trade, monkeypatch) -> None:
    whole = ledger_exports.Hledger.closing
    monkeypatch.setattr(
        ledger_exports.Hledger,
        "closing",
        lambda self, accounts, day: (line.replace("== 550 ", "== 551 ") for line in whole(self, accounts, day)),
    )
    monkeypatch.setattr(ledger_proof, "program_of", lambda _form: None)
    ledger.post("x", "x", "x:1", DAY, [("Assets:Bank", 550), ("Equity:Opening", -550)])
    assert found() == ["I8 hledger: Assets:Bank: the entries make 550, the books say 551"]


def test_the_nightly_job_logs_every_finding(trade: Trade, caplog) -> None:
    ledger.post("refund_settled", "re_1", "refund_settled:ref_2", DAY, postings.refund_settled(5))
    bookkeeping.check_nightly()
    assert "the books are wrong, I2" in caplog.text
    assert "ledger.check" in jobs._periodic


def test_the_checks_are_eight_invariants(trade: Trade) -> None:
    assert [check.__doc__[:2] for check in ledger_checks.CHECKS] == ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"]
