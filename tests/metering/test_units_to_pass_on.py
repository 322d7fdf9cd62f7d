"""Looking for a unit that an earlier download left costs the same, however many downloads there were."""

from sqlalchemy import event, text

from marketplace.metering import service as metering
from marketplace.metering.models import Delivery
from tests.factories.metering import entitlement_of

DOWNLOADS = 2000


def test_thousands_of_complete_downloads_are_not_gone_through(session):
    entitlement = entitlement_of(size_bytes=100)
    opened = metering.open_delivery(entitlement, 0, 100, None)
    metering.close_delivery(opened.id, 100, 100, "complete")
    columns = ", ".join(column.name for column in Delivery.__table__.columns if column.name != "id")
    copied = f"SELECT id || n, {columns} FROM delivery, generate_series(1, {DOWNLOADS}) AS n WHERE id = :id"
    session.execute(text(f"INSERT INTO delivery (id, {columns}) {copied}"), {"id": opened.id})
    session.execute(text("ANALYZE delivery"))
    plans = plans_of(session, lambda: metering.open_delivery(entitlement, 0, 100, None))
    [inheriting] = [plan for plan in plans if "InitPlan" in plan and "quota" in plan]
    assert "ix_delivery_grant_id_sha256_id_passable" in inheriting


def plans_of(session, deed) -> list[str]:
    """Do the deed, and return how the database goes about each of its statements with parts."""
    connection, said = session.connection(), []

    def note(_connection, _cursor, statement, parameters, *_):
        said.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    deed()
    event.remove(connection, "before_cursor_execute", note)
    parted = [each for each in said if each[0].strip().startswith("WITH")]
    explained = [connection.exec_driver_sql(f"EXPLAIN {statement}", parameters) for statement, parameters in parted]
    return ["\n".join(plan.scalars()) for plan in explained]
