"""Orders: who sees them, how they move, and that only one caller moves them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace.audit.models import Entry as AuditEntry
from marketplace.billing import orders, queries
from marketplace.billing.errors import OrderNotFound
from marketplace.billing.models import Order
from marketplace.billing.states import ORDER_MOVES, OrderState
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.pages import encode_cursor
from marketplace.kit.transaction import transaction
from tests.factories.billing import OrderDraftFactory, OrderFactory
from tests.factories.identity import OrganizationFactory, actor_of

MARKS = {
    OrderState.PAID: orders.mark_paid,
    OrderState.FULFILLED: orders.mark_fulfilled,
    OrderState.FAILED: orders.mark_failed,
    OrderState.EXPIRED: orders.mark_expired,
}


def verbs(session: Session, subject: str) -> list[str]:
    return list(session.scalars(select(AuditEntry.verb).where(AuditEntry.subject == subject).order_by(AuditEntry.id)))


def in_state(state: OrderState) -> Order:
    paid = state in {OrderState.PAID, OrderState.FULFILLED}
    rail = "invoice" if state is OrderState.CREDITED else "card"
    return OrderFactory(state=state.value, rail=rail, paid_at=clock.now() if paid else None)


def test_an_order_is_placed_at_the_quoted_price_and_recorded(session: Session) -> None:
    buyer = OrganizationFactory(buyer=True)
    draft = OrderDraftFactory()
    order = orders.open_order(actor_of(buyer), draft)
    assert order.id.startswith("ord_")
    assert (order.state, order.paid_at) == ("placed", None)
    assert (order.amount_net_yen, order.amount_tax_yen, order.amount_gross_yen) == (5000, 500, 5500)
    assert (order.organization_id, order.provider_organization_id) == (buyer.id, draft.provider_organization_id)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.subject == order.id)).one()
    assert (entry.verb, entry.amount_minor, entry.counterparty_id, entry.dataset_id) == (
        "billing.order.placed",
        5500,
        draft.provider_organization_id,
        draft.dataset_id,
    )
    assert entry.facts == {
        "offer": draft.offer_id,
        "acceptance": draft.acceptance_id,
        "terms_sha256": draft.terms_sha256,
    }


@pytest.mark.parametrize("state", OrderState)
@pytest.mark.parametrize("to", MARKS)
def test_an_order_moves_only_as_the_table_says(session: Session, state: OrderState, to: OrderState) -> None:
    OrderFactory()
    order = in_state(state)
    allowed = state in ORDER_MOVES[to]
    assert MARKS[to](SYSTEM, order.id) is allowed
    session.refresh(order)
    assert order.state == (to if allowed else state)
    assert verbs(session, order.id) == ([f"billing.order.{to}"] if allowed else [])


def test_a_paid_order_says_when(session: Session) -> None:
    order = OrderFactory()
    at = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
    with clock.stopped(at):
        orders.mark_paid(SYSTEM, order.id)
    assert order.paid_at == at


def test_the_counterparty_of_a_deed_by_the_provider_is_the_buyer(session: Session) -> None:
    order = OrderFactory()
    provider = session.get(type(OrganizationFactory()), order.provider_organization_id)
    orders.mark_failed(actor_of(provider), order.id)
    assert session.scalars(select(AuditEntry.counterparty_id)).one() == order.organization_id


@pytest.mark.parametrize("mark", MARKS.values())
def test_an_unknown_order_is_not_moved(session: Session, mark) -> None:
    with pytest.raises(OrderNotFound):
        mark(SYSTEM, "ord_unknown")


@pytest.mark.parametrize(
    "change",
    [
        "state = 'shipped'",
        "amount_gross_yen = 1",
        "amount_tax_yen = -1, amount_gross_yen = 4999",
        "state = 'paid'",
        "price_kind = 'gift'",
        "tax_rate_basis_points = 10000",
    ],
)
def test_the_database_refuses_impossible_orders(session: Session, change: str) -> None:
    order = OrderFactory()
    with pytest.raises(DBAPIError, match="ck_purchase_order"), session.begin_nested():
        session.execute(text(f"UPDATE purchase_order SET {change} WHERE id = :id"), {"id": order.id})


def test_parties_see_their_orders_overseers_all_and_strangers_none(session: Session) -> None:
    order, other = OrderFactory(), OrderFactory()
    buyer = session.get(type(OrganizationFactory()), order.organization_id)
    provider = session.get(type(buyer), order.provider_organization_id)
    for actor in (actor_of(buyer), actor_of(provider)):
        assert queries.get_order(actor, order.id) is order
        assert [found.id for found in queries.list_orders(actor).items] == [order.id]
        with pytest.raises(OrderNotFound):
            queries.get_order(actor, other.id)
    for kind in ("operator", "auditor"):
        overseer = actor_of(OrganizationFactory(**{kind: True}))
        assert queries.get_order(overseer, other.id) is other
        assert {found.id for found in queries.list_orders(overseer).items} == {order.id, other.id}
    stranger = actor_of(OrganizationFactory())
    assert not queries.list_orders(stranger).items
    with pytest.raises(OrderNotFound):
        queries.get_order(stranger, order.id)


def test_orders_are_listed_newest_first_by_page_and_state(session: Session) -> None:
    overseer = actor_of(OrganizationFactory(operator=True))
    made = [OrderFactory(**({"paid": True} if number == 1 else {})).id for number in range(4)]
    first = queries.list_orders(overseer, size=3)
    second = queries.list_orders(overseer, first.next_cursor, 3)
    assert [order.id for order in [*first.items, *second.items]] == made[::-1]
    assert second.next_cursor is None
    assert [order.id for order in queries.list_orders(overseer, state=OrderState.PAID).items] == [made[1]]


@pytest.mark.parametrize("part", [5, "a\0b"])
def test_a_made_up_cursor_is_refused(session: Session, part) -> None:
    with pytest.raises(Invalid):
        queries.list_orders(SYSTEM, encode_cursor([part]))


def test_reading_for_the_exchange_itself_knows_no_unknown_orders(session: Session) -> None:
    order = OrderFactory()
    assert queries.require_order(order.id) is order
    assert queries.lock_order(order.id) is order
    for read in (queries.require_order, queries.lock_order):
        with pytest.raises(OrderNotFound):
            read("ord_unknown")


def test_of_eight_threads_one_marks_the_order_paid(own_database: Flask) -> None:
    with transaction():
        order_id = OrderFactory().id

    def work(_n: int) -> bool:
        with own_database.app_context(), transaction():
            return orders.mark_paid(SYSTEM, order_id)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(work, range(8))) == [False] * 7 + [True]
    assert verbs(db.session(), order_id) == ["billing.order.paid"]


def test_payment_and_expiry_at_once_leave_a_paid_order_paid(own_database: Flask) -> None:
    with transaction():
        order_id = OrderFactory().id

    def work(mark) -> bool:
        with own_database.app_context(), transaction():
            return mark(SYSTEM, order_id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [orders.mark_paid, orders.mark_expired] * 4))
    assert queries.require_order(order_id).state == "paid"
