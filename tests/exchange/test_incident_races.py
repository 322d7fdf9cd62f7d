"""An incident that is opened while orders are fulfilled: locks decide, and no grant slips through."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

from flask import Flask
from sqlalchemy import select, text

from marketplace.access import service as access
from marketplace.access.models import Grant
from marketplace.exchange import incident as stories
from marketplace.exchange import purchase
from marketplace.identity.actors import Actor
from marketplace.incidents.rules import IncidentDraft
from marketplace.incidents.states import IncidentKind, Target
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from tests.factories import market
from tests.live import wait_until

BUYERS = 6


def open_one(operator: Actor, **scope: Any) -> None:
    now = clock.now()
    said = IncidentDraft(
        IncidentKind.LEAK, "漏えい", "A leak", now - timedelta(days=1), now, suspends=(Target.GRANTS,), **scope
    )
    stories.open_incident(operator, said)


def holds_up() -> bool:
    """Whether another connection waits for what this one holds."""
    mine = "NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    return bool(db.session.scalar(text(f"SELECT EXISTS (SELECT FROM pg_locks WHERE {mine})")))


def test_no_order_fulfilled_while_an_incident_is_opened_gives_a_grant_that_is_open(own_database: Flask) -> None:
    operator, on = market.party(operator=True), market.listed()
    offer = market.offered(on, kind=PriceKind.FREE)
    (offer_id, terms), buyers = (offer.id, offer.terms_sha256), [market.buyer() for _ in range(BUYERS)]
    start = Barrier(BUYERS + 1)

    def act(number: int) -> None:
        with own_database.app_context():
            start.wait()
            with transaction():
                if number == BUYERS:
                    open_one(operator, dataset_ids=(on.dataset_id,))
                else:
                    purchase.place_order(buyers[number], offer_id, terms)

    with ThreadPoolExecutor(BUYERS + 1) as pool:
        list(pool.map(act, range(BUYERS + 1)))
    db.session.expire_all()
    assert list(db.session.scalars(select(Grant.state))) == ["suspended"] * BUYERS


def test_an_incident_that_names_no_dataset_waits_for_grants_that_are_being_issued(own_database: Flask) -> None:
    operator, who = market.party(operator=True), market.buyer()
    offer = market.offered(market.listed(), kind=PriceKind.FREE)

    def act() -> None:
        with own_database.app_context(), transaction():
            open_one(operator, sha256s=(market.opened_sha256(),))

    with ThreadPoolExecutor(1) as pool:
        with transaction():
            purchase.place_order(who, offer.id, offer.terms_sha256)
            opening = pool.submit(act)
            wait_until(
                "the incident to wait for the grant, or to be there without it", lambda: holds_up() or opening.done()
            )
        opening.result()
    db.session.expire_all()
    assert list(db.session.scalars(select(Grant.state))) == ["suspended"]


def test_an_incident_that_names_no_dataset_has_issuing_wait_and_locks_no_dataset(own_database: Flask) -> None:
    on = market.listed()
    who, offer = market.buyer(), market.offered(on, kind=PriceKind.FREE)
    wanted, asked = (who, offer.id, offer.terms_sha256), {"id": on.dataset_id}

    def act() -> None:
        with own_database.app_context(), transaction():
            purchase.place_order(*wanted)

    with ThreadPoolExecutor(1) as pool:
        with transaction():
            access.hold_issuing([])
            with db.engine.connect() as other:
                held = other.scalar(text("SELECT id FROM dataset WHERE id = :id FOR UPDATE NOWAIT"), asked)
            order = pool.submit(act)
            wait_until("the order to wait, or to be through", lambda: holds_up() or order.done())
            assert (held, order.done()) == (on.dataset_id, False)
        order.result()
