"""The watch over incidents reads what the record has got since, finds all of it, and rewrites nothing else."""

from flask import Flask
from sqlalchemy import text

from marketplace.audit import sequencer
from marketplace.exchange import incident as stories
from marketplace.incidents import queries
from marketplace.incidents.states import Target
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from tests.factories import market
from tests.factories.incidents import opened, told


def rows_of(grant_id: str) -> list[str]:
    """Where the rows about a grant lie, which change their place with every change."""
    lying = "SELECT CAST(ctid AS text) FROM {} WHERE grant_id = :grant_id"
    both = " UNION ALL ".join(lying.format(table) for table in ("incident_grant", "incident_delivery"))
    return list(db.session.scalars(text(both), {"grant_id": grant_id}))


def lost(delivery_id: str) -> None:
    """Take a delivery off the lists, as the database's superuser can."""
    db.session.execute(text("SET LOCAL session_replication_role = replica"))
    db.session.execute(text("DELETE FROM incident_delivery WHERE delivery_id = :id"), {"id": delivery_id})
    db.session.execute(text("SET LOCAL session_replication_role = origin"))


def test_the_watch_reads_what_has_come_since_and_rewrites_nothing_else(app: Flask) -> None:
    operator, on, who = market.party(operator=True), market.listed(), market.buyer()
    offer = market.offered(on, kind=PriceKind.FREE)
    fetched, other = (str(market.bought(app, who, offer).grant_id) for _ in range(2))
    gone = str(market.fetched(who, fetched, acked=5).delivery_id)
    with transaction():
        running = market.download.open_delivery(who, market.wanted(other))
    running.file.close()
    incident = opened(operator, dataset_ids=(on.dataset_id,), suspends=(Target.GRANTS,))
    places = rows_of(fetched)
    for look in (sequencer.sequence_all, stories.watch):
        look()
    with transaction():
        stories.assess(operator, incident.id)
    market.download.close_delivery(running.delivery_id, 7, 7, "broken")
    stories.watch()
    assert (incident.affected["deliveries"], incident.affected["bytes_received"]) == (2, 5 + 7)
    assert rows_of(fetched) == places
    sequencer.sequence_all()
    stories.watch()
    lost(gone)
    stories.watch()
    assert [one.delivery_id for one in queries.list_deliveries(incident.id).items] == [running.delivery_id]
    told(operator, incident)
    assert [one.delivery_id for one in queries.list_deliveries(incident.id).items] == [running.delivery_id, gone]
