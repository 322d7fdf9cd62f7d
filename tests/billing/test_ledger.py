"""The ledger: balanced, sealed, never changed, and each key booked once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace.audit.models import Entry as AuditEntry
from marketplace.billing import ledger, ledger_queries, postings, shares
from marketplace.billing.errors import LedgerConflict
from marketplace.billing.ledger_models import LedgerAccount, LedgerEntry, LedgerTxn
from marketplace.billing.ledger_queries import TransactionFilter
from marketplace.billing.postings import Sale
from marketplace.billing.states import SellerRole
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.pages import encode_cursor
from marketplace.kit.transaction import transaction

DAY = date(2026, 11, 22)
SALE = Sale(shares.alone("org_p"), net=5000, tax=500, commission=500, commission_tax=50)
SOLD = postings.sold(shares.owed(SALE), postings.CLEARING, SellerRole.AGENT)
BALANCED = [("Assets:Bank", 700), ("Equity:Opening", -700)]


def book(ref: str = "ord_1", entries=None, *, idem: str | None = None, day: date = DAY, **more) -> int | None:
    return ledger.post("sale", ref, idem or f"sale:{ref}", day, entries or SOLD, **more)


def test_a_sale_is_booked_with_all_its_legs(session: Session) -> None:
    book("ord_noise", BALANCED)
    txn_id = book()
    [found] = ledger_queries.list_transactions(chosen=TransactionFilter(ref="ord_1")).items
    assert (found.id, found.kind, found.ref, found.idem, found.effective_on) == (
        txn_id,
        "sale",
        "ord_1",
        "sale:ord_1",
        DAY,
    )
    assert [(line.account, line.amount_minor, line.currency) for line in found.entries] == [
        ("Assets:Clearing:Stripe", 5500, "JPY"),
        ("Liabilities:Provider:org_p:Pending", -4950, "JPY"),
        ("Income:MarketplaceFee", -500, "JPY"),
        ("Liabilities:ConsumptionTax:Output", -50, "JPY"),
    ]
    kinds = {row.code: row.kind for row in session.execute(select(LedgerAccount.code, LedgerAccount.kind))}
    assert kinds["Assets:Clearing:Stripe"] == "asset"
    assert kinds["Income:MarketplaceFee"] == "income"
    assert kinds["Liabilities:ConsumptionTax:Output"] == "liability"


def test_a_booking_is_on_the_record(session: Session) -> None:
    txn_id = book()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.verb == "billing.ledger.posted")).one()
    assert (entry.subject, entry.amount_minor, entry.facts["idem"]) == ("ord_1", 5500, "sale:ord_1")
    assert entry.facts["sha256"] == session.scalar(text("SELECT ledger_digest(:txn)"), {"txn": txn_id})


def test_nothing_to_book_books_nothing(session: Session) -> None:
    assert ledger.post("sale", "ord_0", "sale:ord_0", DAY, []) is None
    assert session.scalar(select(func.count()).select_from(LedgerTxn)) == 0


def test_the_same_key_with_the_same_content_is_one_transaction(session: Session) -> None:
    assert book() == book()
    assert session.scalar(select(func.count()).select_from(LedgerTxn)) == 1
    assert session.scalar(select(func.count()).select_from(LedgerEntry)) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"entries": BALANCED},
        {"day": date(2026, 11, 23)},
        {"ref": "ord_2"},
        {"entries": [("Assets:Clearing:Stripe", 5501), ("Income:MarketplaceFee", -5501)]},
    ],
)
def test_the_same_key_with_other_content_is_refused(session: Session, change) -> None:
    book(idem="one-key")
    with pytest.raises(LedgerConflict):
        book(**({"ref": "ord_1"} | change), idem="one-key")
    assert session.scalar(select(func.count()).select_from(LedgerTxn)) == 1


@pytest.mark.parametrize(
    "entries",
    [
        [("Assets:Bank", 1)],
        [("Assets:Bank", 5), ("Equity:Opening", -4)],
        [("Assets:Bank", 0), ("Equity:Opening", 0)],
        [("Assets:Bank", 2.5), ("Equity:Opening", -2.5)],
        [("Assets:Bank", True), ("Equity:Opening", -1)],
        [("Assets:Bank", 2**53 + 1), ("Equity:Opening", -(2**53) - 1)],
        [("Assets:Bank", 5, "JPY"), ("Assets:Bank:USD", -5, "USD")],
        [("Assets:Bank:XXX", 5, "XXX"), ("Equity:Opening:XXX", -5, "XXX")],
        [("Wallet:Bank", 5), ("Equity:Opening", -5)],
        [("", 5), ("Equity:Opening", -5)],
    ],
)
def test_what_cannot_be_booked_is_refused_before_the_database_is_asked(session: Session, entries) -> None:
    with pytest.raises(ValueError, match=r"bookable|account code|balance|ISO 4217"):
        book("bad", entries)
    assert session.scalar(select(func.count()).select_from(LedgerTxn)) == 0


def test_a_transaction_is_reversed_once(session: Session) -> None:
    first = book()
    back = [(account, -amount) for account, amount in SOLD]
    book("ord_1", back, idem="reverse:ord_1", reverses=first)
    assert ledger_queries.balance_of("Assets:Clearing:Stripe") == 0
    with pytest.raises(DBAPIError, match="uq_ledger_txn_reverses"):
        book("ord_1", back, idem="reverse:ord_1:again", reverses=first)


# Each line is one way to falsify the books with plain SQL; :txn is a booked transaction.
ATTACKS = {
    "change an amount": "UPDATE ledger_entry SET amount_minor = 1 WHERE txn_id = :txn AND seq = 1",
    "move an entry": "UPDATE ledger_entry SET account_id = account_id + 1 WHERE txn_id = :txn AND seq = 1",
    "delete an entry": "DELETE FROM ledger_entry WHERE txn_id = :txn",
    "delete a transaction": "DELETE FROM ledger_txn WHERE id = :txn",
    "date back": "UPDATE ledger_txn SET effective_on = '2020-01-01' WHERE id = :txn",
    "free the key": "UPDATE ledger_txn SET idem = 'other' WHERE id = :txn",
    "lift the seal": "DELETE FROM ledger_seal WHERE txn_id = :txn",
    "loosen the seal": "UPDATE ledger_seal SET entries = 5 WHERE txn_id = :txn",
    "rename an account": "UPDATE ledger_account SET code = 'Assets:Mine' WHERE code = 'Assets:Bank'",
    "delete an account": "DELETE FROM ledger_account",
    "late entry": "INSERT INTO ledger_entry (txn_id, seq, account_id, currency, amount_minor)"
    " SELECT :txn, 9, id, 'JPY', 1 FROM ledger_account WHERE code = 'Assets:Bank'",
    "second seal": "INSERT INTO ledger_seal (txn_id, entries) VALUES (:txn, 2)",
    "seal of nothing": "INSERT INTO ledger_seal (txn_id, entries) VALUES (999999, 2)",
    "seal of no entries": "INSERT INTO ledger_seal (txn_id, entries) VALUES (999999, 0)",
    "empty the entries": "TRUNCATE ledger_entry",
    "empty everything": "TRUNCATE ledger_entry, ledger_txn, ledger_seal, ledger_account, rated_line",
    "empty with cascade": "TRUNCATE ledger_seal CASCADE",
    "account of no kind": "INSERT INTO ledger_account (code, kind, currency) VALUES ('Wallet:Me', 'asset', 'JPY')",
    "account of the wrong kind": "INSERT INTO ledger_account (code, kind, currency) VALUES ('Assets:X', 'income', 'JPY')",
    "account twice": "INSERT INTO ledger_account (code, kind, currency) VALUES ('Assets:Bank', 'asset', 'JPY')",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_database_refuses_to_falsify_the_books(session: Session, attack: str) -> None:
    txn_id = book("ord_a", BALANCED)
    statement = ATTACKS[attack]
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(text(statement), {"txn": txn_id} if ":txn" in statement else {})
    assert ledger_queries.balance_of("Assets:Bank") == 700
    assert ledger_queries.trial_balance().total_minor == 0


OPEN_TXN = (
    "INSERT INTO ledger_txn (kind, ref, idem, effective_on, posted_at)"
    " VALUES ('x', 'x', 'x', '2026-11-22', now()) RETURNING id"
)
ENTRY = (
    "INSERT INTO ledger_entry (txn_id, seq, account_id, currency, amount_minor)"
    " SELECT :txn, :seq, id, :currency, :amount FROM ledger_account WHERE code = :code"
)


def raw(entries, *, seal: int | None) -> None:
    """Book with plain SQL, past all Python, up to what COMMIT would check."""
    with db.session.begin_nested():
        txn_id = db.session.execute(text(OPEN_TXN)).scalar_one()
        for seq, (code, amount, currency) in enumerate(entries):
            values = {"txn": txn_id, "seq": seq, "code": code, "amount": amount, "currency": currency}
            db.session.execute(text(ENTRY), values)
        if seal is not None:
            seal_it = text("INSERT INTO ledger_seal (txn_id, entries) VALUES (:txn, :entries)")
            db.session.execute(seal_it, {"txn": txn_id, "entries": seal})
        db.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


@pytest.mark.parametrize(
    ("entries", "seal", "why"),
    [
        ([("Assets:Bank", 5, "JPY"), ("Equity:Opening", -4, "JPY")], 2, "does not balance"),
        ([("Assets:Bank", 5, "JPY"), ("Assets:Dollars", -5, "USD")], 2, "does not balance"),
        ([("Assets:Bank", 5, "USD"), ("Equity:Opening", -5, "USD")], 2, "another currency"),
        ([("Assets:Bank", 5, "JPY"), ("Equity:Opening", -5, "JPY")], None, "fk_ledger_txn_id"),
        ([("Assets:Bank", 5, "JPY"), ("Equity:Opening", -5, "JPY")], 3, "number of entries"),
        ([("Assets:Bank", 5, "JPY")], 1, "does not balance"),
        ([], 0, "ck_ledger_seal_entries"),
        ([], None, "fk_ledger_txn_id"),
        ([("Assets:Bank", 0, "JPY"), ("Equity:Opening", 0, "JPY")], 2, "ck_ledger_entry_amount"),
    ],
)
def test_the_database_refuses_what_does_not_balance(session: Session, entries, seal, why) -> None:
    book("ord_a", BALANCED)
    book("ord_d", [("Assets:Dollars", 3), ("Equity:Dollars", -3)], currency="USD")
    with pytest.raises(DBAPIError, match=why):
        raw(entries, seal=seal)
    assert session.scalar(select(func.count()).select_from(LedgerTxn)) == 2


@pytest.mark.parametrize("first", ["seal", "entry"])
def test_seal_and_surplus_entry_in_one_statement_are_refused(session: Session, first: str) -> None:
    book("ord_a", BALANCED)
    txn_id = session.execute(text(OPEN_TXN)).scalar_one()
    for seq, (code, amount) in enumerate(BALANCED):
        session.execute(text(ENTRY), {"txn": txn_id, "seq": seq, "code": code, "amount": amount, "currency": "JPY"})
    seal = "INSERT INTO ledger_seal (txn_id, entries) VALUES (:txn, 2)"
    surplus = (
        ENTRY.replace(":seq", "9")
        .replace(":currency", "'JPY'")
        .replace(":amount", "1")
        .replace(":code", "'Assets:Bank'")
    )
    inner, outer = (seal, surplus) if first == "seal" else (surplus, seal)
    with pytest.raises(DBAPIError, match=r"sealed|number of entries"), session.begin_nested():
        session.execute(text(f"WITH inner_deed AS ({inner} RETURNING 1) {outer}"), {"txn": txn_id})


def test_an_unsealed_transaction_cannot_be_committed(own_database: Flask) -> None:
    with pytest.raises(DBAPIError, match="fk_ledger_txn_id"), transaction():
        db.session.execute(text(OPEN_TXN))
    assert not ledger_queries.list_transactions().items


def test_an_account_keeps_its_currency(session: Session) -> None:
    book("ord_a", BALANCED)
    with pytest.raises(DBAPIError, match="another currency"), session.begin_nested():
        book("ord_b", BALANCED, currency="USD")


def test_the_trial_balance_adds_up_by_account_and_in_total(session: Session) -> None:
    book("ord_1")
    book("ord_2", day=date(2026, 11, 30))
    book("fee", postings.processing_fee(198))
    book("usd", [("Assets:Dollars", 3), ("Equity:Dollars", -3)], currency="USD")
    balance = ledger_queries.trial_balance()
    assert {account.code: account.balance_minor for account in balance.accounts} == {
        "Assets:Clearing:Stripe": 10_802,
        "Expenses:PaymentProcessing": 198,
        "Income:MarketplaceFee": -1000,
        "Liabilities:ConsumptionTax:Output": -100,
        "Liabilities:Provider:org_p:Pending": -9900,
    }
    clearing = balance.accounts[0]
    assert (clearing.kind, clearing.debit_minor, clearing.credit_minor) == ("asset", 11_000, 198)
    assert balance.total_minor == 0
    until = ledger_queries.trial_balance(until=DAY)
    assert {account.code: account.balance_minor for account in until.accounts}["Assets:Clearing:Stripe"] == 5302
    assert [account.code for account in ledger_queries.trial_balance(currency="USD").accounts] == [
        "Assets:Dollars",
        "Equity:Dollars",
    ]
    assert ledger_queries.balance_of("Assets:Never") == 0


def test_transactions_are_found_by_account_day_and_ref(session: Session) -> None:
    book("ord_1")
    book("ord_2", day=date(2026, 12, 1))
    book("fee", postings.processing_fee(198))
    book("bank", BALANCED)

    def refs(**chosen) -> list[str]:
        return [found.ref for found in ledger_queries.list_transactions(chosen=TransactionFilter(**chosen)).items]

    assert refs() == ["bank", "fee", "ord_2", "ord_1"]
    assert refs(account="Liabilities:Provider") == ["ord_2", "ord_1"]
    assert refs(account="Liabilities:Provider:org_p:Pending") == ["ord_2", "ord_1"]
    assert refs(account="Liabilities:Prov") == []
    assert refs(account="Assets:%") == []
    assert refs(date_from=date(2026, 12, 1)) == ["ord_2"]
    assert refs(date_to=DAY, account="Assets") == ["bank", "fee", "ord_1"]
    assert refs(ref="fee") == ["fee"]


def test_pages_of_transactions_hold_each_once(session: Session) -> None:
    ids = [book(f"ord_{n}") for n in range(5)]
    seen, cursor = [], None
    while True:
        page = ledger_queries.list_transactions(cursor, 2)
        seen += [found.id for found in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ids[::-1]


@pytest.mark.parametrize("part", ["x", 0, -1, 2**63])
def test_a_made_up_cursor_is_refused(session: Session, part) -> None:
    with pytest.raises(Invalid):
        ledger_queries.list_transactions(encode_cursor([part]))


def test_bookings_are_stamped_with_our_clock(session: Session) -> None:
    at = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)
    with clock.stopped(at):
        book()
    assert ledger_queries.list_transactions().items[0].posted_at == at


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=25)
@given(
    sales=st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 5000), st.sampled_from(["org_p", "org_q"])), max_size=4
    )
)
def test_any_sales_leave_the_books_balanced(session: Session, sales) -> None:
    from marketplace.billing import tax

    with session.begin_nested() as savepoint:
        for number, (net, commission, provider) in enumerate(sales):
            sale = postings.sale_of(
                shares.alone(provider), tax.quote(net, DAY, seller_registered=True), commission, 1000
            )
            entries = postings.sold(shares.owed(sale), postings.CLEARING, SellerRole.AGENT)
            ledger.post("sale", f"h{number}", f"h{number}", DAY, entries)
        session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        assert ledger_queries.trial_balance().total_minor == 0
        savepoint.rollback()


def test_eight_threads_with_one_key_book_once(own_database: Flask) -> None:
    def work(_n: int) -> int | None:
        with own_database.app_context(), transaction():
            return book()

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(work, range(16)))
    assert len(ids) == 1
    assert len(ledger_queries.list_transactions().items) == 1
    assert ledger_queries.balance_of("Assets:Clearing:Stripe") == 5500


def test_eight_threads_that_name_new_accounts_in_all_orders_neither_clash_nor_deadlock(own_database: Flask) -> None:
    codes = [f"Assets:Receivable:org_{n}" for n in range(6)]

    def work(number: int) -> None:
        order = codes if number % 2 else codes[::-1]
        with own_database.app_context(), transaction():
            for step, code in enumerate(order):
                book(f"n{number}.{step}", [(code, 10), ("Income:MarketplaceFee", -10)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    balance = ledger_queries.trial_balance()
    assert {account.code: account.balance_minor for account in balance.accounts} == dict.fromkeys(codes, 80) | {
        "Income:MarketplaceFee": -480
    }
    assert balance.total_minor == 0


def test_one_key_with_two_contents_at_once_is_booked_once_and_refused_once(own_database: Flask) -> None:
    def work(amount: int) -> str:
        try:
            with own_database.app_context(), transaction():
                book("ord_1", [("Assets:Bank", amount), ("Equity:Opening", -amount)])
        except LedgerConflict:
            return "refused"
        return "booked"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(work, [1, 2]))
    assert outcomes == ["booked", "refused"]
    assert ledger_queries.trial_balance().total_minor == 0


def test_several_currencies_stand_in_one_transaction_each_summing_to_zero(session: Session) -> None:
    book("fx_1", postings.exchanged(12_345, "USD", 1_851_750))
    assert ledger_queries.balance_of("Assets:Clearing:Stripe:USD") == -12_345
    assert {code.total_minor for code in map(ledger_queries.trial_balance, [None, None], ["JPY", "USD"])} == {0}
    assert book("fx_1", postings.exchanged(12_345, "USD", 1_851_750)) is not None
    with pytest.raises(LedgerConflict):
        book("fx_1", postings.exchanged(12_345, "EUR", 1_851_750))


@pytest.mark.parametrize("yen", [1, 2**53 - 1, 2**53])
def test_one_yen_and_as_many_as_a_double_can_count_are_booked(session: Session, yen: int) -> None:
    entries = [("Assets:Bank", yen), ("Equity:Opening", -yen)]
    for number in range(3):
        book(f"ord_{number}", entries)
    assert ledger_queries.balance_of("Assets:Bank") == 3 * yen
    [first, *_rest] = session.scalars(select(AuditEntry).where(AuditEntry.verb == "billing.ledger.posted"))
    assert (first.amount_minor, first.facts.get("amount_minor")) == (
        (yen, None) if yen < 2**53 else (None, "9007199254740992")
    )


def test_sums_beyond_bigint_are_sums_still(session: Session) -> None:
    many = [("Assets:Bank", 2**53), ("Equity:Opening", -(2**53))] * 600
    book("ord_1", many)
    book("ord_2", many)
    assert ledger_queries.balance_of("Assets:Bank") == 1200 * 2**53 > 2**63


def test_a_posting_with_its_entry_on_the_record_is_one_statement(session: Session) -> None:
    asked = []
    event.listen(session.connection(), "before_cursor_execute", lambda *given: asked.append(given[2]))
    book()
    assert len(asked) == 1


def test_names_that_would_blur_the_digest_are_refused(session: Session) -> None:
    with pytest.raises(ValueError, match="one line"):
        book("ord_1\nord_2", BALANCED)


def test_accounts_opened_beforehand_are_those_that_are_posted_to(session: Session) -> None:
    ledger.open_accounts(["Assets:Bank", "Assets:Bank", "Equity:Opening"])
    ledger.open_accounts(["Assets:Bank"])
    book("ord_1", BALANCED)
    assert session.scalar(select(func.count()).select_from(LedgerAccount)) == 2
