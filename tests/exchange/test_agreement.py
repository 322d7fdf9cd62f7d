"""Papers, earnings and books say the same: whoever alters one of them is contradicted by another."""

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from marketplace.exchange import agreement, bookkeeping
from tests.factories import money


@pytest.fixture
def made(app: Flask):
    """A paid order of 5,500 yen, of which 1,100 went back."""
    sold = money.sold(app, 5000)
    money.refunded(sold, 1100)
    return sold


def alter(session: Session, statement: str) -> None:
    session.flush()
    session.execute(text("SET LOCAL session_replication_role = replica"))
    session.execute(text(statement))
    session.execute(text("SET LOCAL session_replication_role = DEFAULT"))


def found() -> list[str]:
    return [finding.trouble for finding in agreement.check()]


def test_a_sale_and_a_refund_agree_on_paper_in_earnings_and_in_the_books(made) -> None:
    assert found() == []
    assert [one for one in bookkeeping.check() if one.invariant == agreement.PAPERS] == []


def test_a_document_whose_lines_do_not_make_its_amount_is_named(made, session: Session) -> None:
    alter(
        session,
        "UPDATE document SET content = jsonb_set(content, '{lines,0,amount_net_yen}', '\"4999\"') WHERE kind = 'invoice'",
    )
    assert found() == [
        "states net 5000, tax 500 and gross 5500; its lines make 4999, its totals 5000 and 500",
    ]


def test_an_invoice_of_another_amount_than_its_document_is_named(made, session: Session) -> None:
    alter(session, "UPDATE document SET amount_yen = 5501 WHERE kind = 'invoice'")
    assert "is of 5500 yen, its document of 5501" in found()


def test_an_invoice_over_another_sum_than_it_earned_is_named(made, session: Session) -> None:
    alter(session, "UPDATE earning SET tax_yen = 499, payable_yen = payable_yen - 1 WHERE kind = 'sale'")
    assert "states net 5000 and tax 500, its earnings make 5000 and 499" in found()


def test_a_sale_that_the_books_tell_otherwise_is_named(made, session: Session) -> None:
    alter(session, "UPDATE earning SET net_yen = 4999, payable_yen = payable_yen - 1 WHERE kind = 'sale'")
    assert "moves 5500 yen and owes providers 4950 more, its earnings say 5499 and 4949" in found()


def test_a_credit_note_over_another_sum_than_went_back_is_named(made, session: Session) -> None:
    alter(session, "UPDATE document SET amount_yen = -1101 WHERE kind = 'credit_note'")
    assert "has credit notes over 1101 yen, the books took back 1100, of which 0 under way" in found()


def test_a_refund_under_way_has_no_note_yet_and_is_no_contradiction(app: Flask) -> None:
    money.give_back(money.sold(app), 1100)
    assert found() == []


def test_a_receipt_over_another_sum_than_was_paid_is_named(made, session: Session) -> None:
    alter(session, "UPDATE document SET amount_yen = 5400 WHERE kind = 'receipt'")
    assert "has receipts over 5400 yen, 5500 were paid" in found()
