"""Usage and what was put aside of it get and lose the count of downloads; offers by the download stop the way back."""

import pytest
from sqlalchemy.exc import DBAPIError

from marketplace.kit import migrations
from tests.metering.test_usage_upgrade import do, engine, rows  # noqa: F401 - the fixture

OFFERED = """
SET session_replication_role = replica;
INSERT INTO offer (id, dataset_id, organization_id, terms_id, terms_sha256, state, version, price_kind, amount_yen, price,
                   rails, shares, discounts, release_scope, created_at)
VALUES ('ofr_1', 'ds_1', 'org_p', 'trm_1', repeat('0', 64), 'open', 1, 'per_unit', 0,
        '{"kind": "per_unit", "unit": "download", "unit_yen": "250"}', '["invoice"]',
        '[{"organization_id": "org_p", "basis_points": 10000}]', '[]', 'current', now());
SET session_replication_role = DEFAULT;
"""
COLUMNS = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'downloads_new'"
EVENTS = "SELECT id, requests FROM usage_event ORDER BY id"


def test_the_count_comes_and_goes_also_where_a_month_was_put_aside(engine):  # noqa: F811 - the fixture
    migrations.upgrade(engine, "0046")
    before = rows(engine, EVENTS)
    do(engine, "ALTER TABLE usage_event DETACH PARTITION usage_event_2026_09")
    migrations.upgrade(engine, "0048")
    assert rows(engine, "SELECT sum(downloads_new), count(*) FROM usage_event_2026_09") == [(0, 1)]
    assert rows(engine, "SELECT download_due, due_downloads FROM quota") == [(None, 0)]
    do(engine, OFFERED)
    with pytest.raises(DBAPIError, match="offers by the download"):
        migrations.downgrade(engine, "0046")
    assert rows(engine, "SELECT count(*) FROM quota WHERE due_downloads = 0") == [(1,)]
    do(engine, "SET session_replication_role = replica; DELETE FROM offer; SET session_replication_role = DEFAULT")
    migrations.downgrade(engine, "0046")
    assert rows(engine, COLUMNS) == [(0,)]
    # What was put aside comes back on the way further down.
    migrations.downgrade(engine, "0043")
    assert rows(engine, EVENTS) == before
