"""An incident that is opened while orders are fulfilled: locks decide, and no grant slips through."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import select, text

from marketplace.access import service as access
from marketplace.access.models import Grant
from marketplace.exchange import incident as stories
from marketplace.exchange import purchase
from marketplace.incidents.rules import IncidentDraft
from marketplace.incidents.states import IncidentKind, Target
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from tests.factories import market

BUYERS = 6


def test_an_incident_that_names_no_dataset_locks_none(own_database: Flask) -> None:
    on = market.listed()
    asked = {"id": on.dataset_id}
    with transaction(), db.engine.connect() as other:
        access.hold_issuing([])
        assert other.scalar(text("SELECT id FROM dataset WHERE id = :id FOR UPDATE NOWAIT"), asked) == on.dataset_id


@pytest.mark.parametrize("named", ["dataset", "content"])
def test_no_order_fulfilled_while_an_incident_is_opened_gives_a_grant_that_is_open(
    own_database: Flask, named: str
) -> None:
    operator, on = market.party(operator=True), market.listed()
    offer = market.offered(on, kind=PriceKind.FREE)
    (offer_id, terms), buyers = (offer.id, offer.terms_sha256), [market.buyer() for _ in range(BUYERS)]
    scope = {"dataset": {"dataset_ids": (on.dataset_id,)}, "content": {"sha256s": (market.opened_sha256(),)}}[named]
    began_at, start = clock.now() - timedelta(days=1), Barrier(BUYERS + 1)

    def act(number: int) -> None:
        with own_database.app_context():
            start.wait()
            with transaction():
                if number == BUYERS:
                    said = IncidentDraft(IncidentKind.LEAK, "漏えい", "A leak", began_at, clock.now())
                    stories.open_incident(operator, replace(said, suspends=(Target.GRANTS,), **scope))
                else:
                    purchase.place_order(buyers[number], offer_id, terms)

    with ThreadPoolExecutor(BUYERS + 1) as pool:
        list(pool.map(act, range(BUYERS + 1)))
    db.session.expire_all()
    assert list(db.session.scalars(select(Grant.state))) == ["suspended"] * BUYERS
