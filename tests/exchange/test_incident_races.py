"""An incident that is opened while orders are fulfilled: the row of the dataset decides, and no grant slips through."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

from flask import Flask
from sqlalchemy import select

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


def test_no_order_fulfilled_while_an_incident_is_opened_gives_a_grant_that_is_open(own_database: Flask) -> None:
    operator, on = market.party(operator=True), market.listed()
    offer = market.offered(on, kind=PriceKind.FREE)
    (offer_id, terms), buyers = (offer.id, offer.terms_sha256), [market.buyer() for _ in range(BUYERS)]
    began_at, start = clock.now() - timedelta(days=1), Barrier(BUYERS + 1)

    def act(number: int) -> None:
        with own_database.app_context():
            start.wait()
            with transaction():
                if number == BUYERS:
                    said = IncidentDraft(IncidentKind.LEAK, "漏えい", "A leak", began_at, clock.now())
                    stories.open_incident(
                        operator, replace(said, dataset_ids=(on.dataset_id,), suspends=(Target.GRANTS,))
                    )
                else:
                    purchase.place_order(buyers[number], offer_id, terms)

    with ThreadPoolExecutor(BUYERS + 1) as pool:
        list(pool.map(act, range(BUYERS + 1)))
    db.session.expire_all()
    assert list(db.session.scalars(select(Grant.state))) == ["suspended"] * BUYERS
