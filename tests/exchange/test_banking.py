"""Banking: transfers land in the right account, once, and money that nobody was named for waits in suspense."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from marketplace.audit import queries as record
from marketplace.billing import ledger_queries, queries
from marketplace.billing.bank import accounts, service
from marketplace.billing.bank import queries as bank
from marketplace.billing.bank.errors import (
    BankFileUnreadable,
    BankLineNotFound,
    BankLineSettled,
    VirtualAccountsUsedUp,
)
from marketplace.billing.bank.models import BankLine
from marketplace.billing.errors import InvoiceNotFound
from marketplace.billing.models import Invoice
from marketplace.billing.receivables import queries as receivables
from marketplace.billing.receivables.errors import NothingUnapplied
from marketplace.exchange import banking
from marketplace.exchange.banking import Imported
from marketplace.exchange.ordering import OrderWish
from marketplace.exchange.purchase import place_order
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import Rail
from tests.factories import market
from tests.factories.receivables import paid_in

HEAD = "日付,入金額,振込依頼人名,摘要,仮想口座番号\n"


def statement(*rows: tuple[int, str, str, str]) -> bytes:
    """Lines of (yen, payer, reference, account), all of one day."""
    lines = [f'R8.11.22,"{yen:,}",{payer},{reference},{account}' for yen, payer, reference, account in rows]
    return (HEAD + "\n".join(lines) + "\n").encode("cp932")


def took(*rows: tuple[int, str, str, str]) -> Imported:
    return banking.import_statement(SYSTEM, statement(*rows))


def lines() -> list[BankLine]:
    return list(reversed(bank.list_lines(size=100).items))


def billed(buyer: Actor, amount_yen: int = 5_000) -> Invoice:
    """An open invoice over an order on credit."""
    offer = market.offered(market.listed(), amount_yen=amount_yen, said={"rails": (Rail.INVOICE,)})
    with transaction():
        order_id = place_order(buyer, offer.id, offer.terms_sha256, OrderWish())
    invoice = queries.find_invoice_of_order(order_id)
    assert invoice is not None
    return invoice


def account_of(buyer: Actor) -> str:
    with transaction():
        accounts.add(["0010000001", "0010000002", "0010000003"])
        return banking.own_account(buyer).number


def balance(code: str, of: Actor | None = None) -> int:
    return ledger_queries.balance_of(f"{code}:{of.organization_id}" if of else code)


def test_a_virtual_account_is_the_lowest_free_one_and_stays(app: Flask) -> None:
    first, second = market.buyer(), market.buyer()
    assert [account_of(first), account_of(second), account_of(first)] == ["0010000001", "0010000002", "0010000001"]
    assert bank.find_account(second.organization_id).number == "0010000002"
    assert bank.count_free_accounts() == 1
    with transaction():
        assert accounts.add(["0010000003", "0010000004"]) == 1


def test_an_empty_pool_is_said(app: Flask) -> None:
    buyer = market.buyer()
    with pytest.raises(VirtualAccountsUsedUp), transaction():
        banking.own_account(buyer)


def test_an_exact_transfer_pays_the_invoice_of_just_that_amount(app: Flask) -> None:
    buyer = market.buyer()
    older, invoice = billed(buyer), billed(buyer, 3_000)
    assert took((3_300, "ｻﾂﾎﾟﾛｼﾖｳｼﾞ", "", account_of(buyer))) == Imported(matched=1, yen=3_300)
    assert (queries.require_invoice(invoice.id).state, queries.require_invoice(older.id).state) == ("paid", "open")
    (line,) = lines()
    assert (line.rule, line.state, line.organization_id) == ("exact_amount", "matched", buyer.organization_id)
    assert (balance("Assets:Bank"), balance("Assets:Receivable", buyer)) == (3_300, 5_500)


def test_a_short_transfer_leaves_the_rest_open(app: Flask) -> None:
    buyer = market.buyer()
    invoice = billed(buyer)
    took((5_000, "ヤマダ", invoice.number.replace("-", ""), ""))
    assert (invoice.state, receivables.rest_of(invoice)) == ("open", 500)
    took((500, "ヤマダ", f"残金 {invoice.number}", ""))
    assert (invoice.state, receivables.rest_of(invoice)) == ("paid", 0)
    assert (balance("Assets:Bank"), balance("Assets:Receivable", buyer)) == (5_500, 0)


def test_what_is_over_stays_the_payers_and_pays_the_next_invoice_when_told(app: Flask) -> None:
    buyer = market.buyer()
    invoice = billed(buyer)
    took((6_000, "ヤマダ", invoice.number, ""))
    assert (invoice.state, balance("Liabilities:Unapplied", buyer)) == ("paid", -500)
    assert (lines()[0].applied_yen, lines()[0].unapplied_yen) == (5_500, 500)
    following = billed(buyer, 3_000)
    with pytest.raises(NothingUnapplied), transaction():
        banking.apply_unapplied(SYSTEM, following.id, 501)
    with transaction():
        assert banking.apply_unapplied(SYSTEM, following.id, 500) == 500
    assert (receivables.rest_of(following), balance("Liabilities:Unapplied", buyer)) == (2_800, 0)


def test_a_transfer_made_twice_is_owed_back_though_another_invoice_is_open(app: Flask) -> None:
    buyer = market.buyer()
    invoice, other = billed(buyer), billed(buyer)
    row = (5_500, "ヤマダ", invoice.number, "")
    assert took(row, row) == Imported(matched=1, unapplied=1, yen=11_000)
    assert (invoice.state, queries.require_invoice(other.id).paid_yen) == ("paid", 0)
    assert balance("Liabilities:Unapplied", buyer) == -5_500
    assert [line.rule for line in lines()] == ["invoice_number", "paid_already"]


def test_one_transfer_pays_several_invoices_the_oldest_first(app: Flask) -> None:
    buyer = market.buyer()
    first, second = billed(buyer), billed(buyer, 3_000)
    took((8_000, "ヤマダ", "", account_of(buyer)))
    assert [first.state, second.state] == ["paid", "open"]
    assert receivables.rest_of(second) == 800


def test_a_strangers_money_lies_in_suspense_and_its_name_is_a_hint_only(app: Flask) -> None:
    buyer = market.buyer()
    invoice = billed(buyer)
    took((5_500, "ﾔﾏﾀﾞ ﾀﾛｳ", "", ""))
    (line,) = lines()
    assert (line.state, line.rule, line.organization_id) == ("suspense", "unknown_payer", None)
    assert (balance("Assets:Suspense"), invoice.state) == (-5_500, "open")
    with transaction():
        banking.assign_line(SYSTEM, line.id, organization_id=buyer.organization_id)
    assert (line.state, line.rule, invoice.state) == ("matched", "operator", "paid")
    assert (balance("Assets:Suspense"), balance("Assets:Bank"), balance("Assets:Receivable", buyer)) == (0, 5_500, 0)
    again = billed(buyer)
    took((5_500, "ヤマダ タロウ", "2回目", ""))
    assert (lines()[1].state, lines()[1].hint_organization_id) == ("suspense", buyer.organization_id)
    assert again.state == "open"
    found = record.search_entries(record.Search(subject=line.id), size=10)
    assert [placed.entry.verb for placed in reversed(found.items)] == [
        "billing.ledger.posted",
        "billing.bank_line.received",
        "billing.bank_line.assigned",
    ]


def test_an_account_and_an_invoice_of_different_buyers_decide_nothing(app: Flask) -> None:
    buyer, other = market.buyer(), market.buyer()
    invoice = billed(other)
    operator = market.party(operator=True)
    took((5_500, "ヤマダ", invoice.number, account_of(buyer)))
    (line,) = lines()
    assert (line.state, line.rule, invoice.state) == ("suspense", "contradiction", "open")
    with pytest.raises(Invalid), transaction():
        banking.assign_line(operator, line.id, organization_id=buyer.organization_id, invoice_id=invoice.id)
    assert (line.state, line.rule, invoice.state) == ("suspense", "contradiction", "open")
    with transaction():
        banking.assign_line(operator, line.id, invoice_id=invoice.id)
    assert (line.state, invoice.state) == ("matched", "paid")


def test_what_pays_nothing_can_be_sent_back_once(app: Flask) -> None:
    buyer = market.buyer()
    invoice = billed(buyer)
    took((100, "スズキ", "", ""), (6_000, "ヤマダ", invoice.number, ""), (5_500, "ヤマダ", f"{invoice.number} 再", ""))
    unknown, over, double = lines()
    for line in (unknown, over, double):
        with transaction():
            service.send_back(SYSTEM, line.id, "組戻し依頼")
        with pytest.raises(BankLineSettled), transaction():
            service.send_back(SYSTEM, line.id, "組戻し依頼")
    assert [line.state for line in (unknown, over, double)] == ["returned", "matched", "returned"]
    assert [line.returned_yen for line in (unknown, over, double)] == [100, 500, 5_500]
    assert (balance("Assets:Suspense"), balance("Liabilities:Unapplied", buyer), balance("Assets:Bank")) == (
        0,
        0,
        5_500,
    )
    with pytest.raises(BankLineSettled), transaction():
        banking.assign_line(SYSTEM, unknown.id, organization_id=buyer.organization_id)


def test_money_that_paid_something_since_cannot_be_sent_back(app: Flask) -> None:
    buyer = market.buyer()
    invoice = billed(buyer)
    took((6_000, "ヤマダ", invoice.number, ""))
    following = billed(buyer)
    with transaction():
        banking.apply_unapplied(SYSTEM, following.id, 300)
    with pytest.raises(NothingUnapplied), transaction():
        service.send_back(SYSTEM, lines()[0].id, "組戻し依頼")


def test_overlapping_files_bring_each_line_once(app: Flask) -> None:
    buyer = market.buyer()
    invoice = billed(buyer)
    first, second = (5_500, "ヤマダ", invoice.number, ""), (100, "スズキ", "", "")
    took(first)
    assert took(first, second) == Imported(known=1, suspense=1, yen=100)
    assert took(first, second) == Imported(known=2)
    assert balance("Assets:Bank") == 5_600


def test_an_unclear_file_brings_nothing(app: Flask) -> None:
    with pytest.raises(BankFileUnreadable):
        banking.import_statement(SYSTEM, statement((100, "スズキ", "", "")) + "R8.11.31,5,,,\n".encode("cp932"))
    assert lines() == []


def test_unknown_things_are_not_found(app: Flask) -> None:
    operator = market.party(operator=True)
    took((100, "スズキ", "", ""))
    (line,) = lines()
    with pytest.raises(BankLineNotFound), transaction():
        banking.assign_line(operator, new_id("bnk"), organization_id=operator.organization_id)
    with pytest.raises(NotFound), transaction():
        banking.assign_line(SYSTEM, line.id, organization_id=new_id("org"))
    with pytest.raises(InvoiceNotFound), transaction():
        banking.assign_line(operator, line.id, invoice_id=new_id("inv"))
    assert line.state == "suspense"


def test_two_imports_at_once_take_in_each_line_once(own_database: Flask) -> None:
    buyer = market.buyer()
    invoices = [billed(buyer, net).number for net in (1_000, 2_000, 3_000)]
    rows = [(net, "ヤマダ", number, "") for net, number in zip((1_100, 2_200, 3_300), invoices, strict=True)]
    content = statement(*rows, (50, "スズキ", "", ""))

    def take(_number: int) -> Imported:
        with own_database.app_context():
            return banking.import_statement(SYSTEM, content)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(take, range(4)))
    assert (sum(one.yen for one in done), sum(one.known for one in done)) == (6_650, 12)
    with transaction():
        assert (balance("Assets:Bank"), receivables.owed_yen(buyer.organization_id)) == (6_650, 0)


def test_a_transfer_and_a_payment_beside_it_never_pay_more_than_is_owed(own_database: Flask) -> None:
    buyer = market.buyer()
    invoice = billed(buyer)
    invoice_id, number = invoice.id, invoice.number
    db.session.expunge(invoice)

    def take(turn: int) -> None:
        with own_database.app_context():
            if turn % 2:
                banking.import_statement(SYSTEM, statement((3_000, f"ヤマダ{turn}", number, "")))
            else:
                with transaction():
                    paid_in(SYSTEM, invoice_id, 1_000, f"src_{turn}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, range(8)))
    with transaction():
        assert queries.require_invoice(invoice_id).paid_yen == 5_500
        card, transferred = balance("Assets:Clearing:Stripe"), balance("Assets:Bank")
        assert card + transferred + balance("Liabilities:Unapplied", buyer) == 5_500
        assert transferred == 12_000


def test_unapplied_money_is_not_spent_twice(own_database: Flask) -> None:
    buyer = market.buyer()
    number = billed(buyer).number
    took((6_500, "ヤマダ", number, ""))
    following = [billed(buyer).id for _ in range(4)]

    def use(invoice_id: str) -> int:
        with own_database.app_context():
            try:
                with transaction():
                    return banking.apply_unapplied(SYSTEM, invoice_id, 600)
            except NothingUnapplied:
                return 0

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(use, following)) == [0, 0, 0, 600]
    with transaction():
        assert balance("Liabilities:Unapplied", buyer) == -400


def test_eight_buyers_at_once_get_eight_accounts_and_one_buyer_gets_one(own_database: Flask) -> None:
    buyers = [market.buyer() for _ in range(4)]
    with transaction():
        accounts.add([f"001{number:07d}" for number in range(10)])

    def ask(turn: int) -> str:
        with own_database.app_context(), transaction():
            return banking.own_account(buyers[turn % 4]).number

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(ask, range(8)))
    assert len(set(given)) == 4
    assert given[:4] == given[4:]
