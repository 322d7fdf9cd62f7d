"""Usage, quota and record change together or not at all, also where the last step fails."""

import pytest
from sqlalchemy import func, select

from marketplace.audit import service as audit
from marketplace.audit.models import Entry
from marketplace.identity.actors import SYSTEM
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering import corrections, queries
from marketplace.metering import service as metering
from marketplace.metering.corrections import Correction
from marketplace.metering.models import Coverage, Delivery, UsageEvent, UsageKey
from tests.factories.metering import entitlement_of


class NoPlace(Exception):
    """The disk of the record is full."""


def everything(right):
    db.session.rollback()
    quota = queries.get_quota(right.grant_id)
    counts = [
        db.session.scalar(select(func.count()).select_from(model)) for model in (UsageEvent, UsageKey, Entry, Coverage)
    ]
    states = db.session.scalars(select(Delivery.state)).all()
    return (quota.used_bytes, quota.reserved_bytes, quota.used_requests, quota.open_deliveries), counts, states


@pytest.mark.parametrize("step", ["opening", "closing", "correcting"])
def test_where_the_record_cannot_be_written_nothing_is_counted(own_database, monkeypatch, step):
    with transaction():
        right = entitlement_of(size_bytes=100)
    opened = None
    if step != "opening":
        with transaction():
            opened = metering.open_delivery(right, 0, 100, None)
    if step == "correcting":
        with transaction():
            metering.close_delivery(opened.id, 100, 100, "complete")
    before = everything(right)

    def fail(*_args, **_facts):
        raise NoPlace

    deeds = {
        "opening": lambda: metering.open_delivery(right, 0, 100, None),
        "closing": lambda: metering.close_delivery(opened.id, 100, 100, "complete"),
        "correcting": lambda: corrections.correct(
            SYSTEM, db.session.get_one(Delivery, opened.id), Correction("c-1", "訂正", bytes=-1)
        ),
    }
    with monkeypatch.context() as patched, pytest.raises(NoPlace), transaction():
        patched.setattr(audit, "record", fail)
        deeds[step]()
    assert everything(right) == before
    with transaction():
        deeds[step]()
    assert everything(right) != before
