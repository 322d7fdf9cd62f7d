"""Usage of earlier versions is carried into months and out of them again, with what was corrected meanwhile."""

import os
import uuid

import psycopg
import pytest
from sqlalchemy import create_engine, text

from marketplace.kit import migrations, postgres

USED = """
SET session_replication_role = replica;
INSERT INTO organization (id, name_ja, name_en, kind, capacities, state, trust, created_at, verified_at)
SELECT id, '札幌市', 'Sapporo', 'company', '["buyer"]', 'verified', 'verified', now(), now() FROM unnest(ARRAY['org_b', 'org_p']) AS id;
INSERT INTO dataset (id, organization_id, state, version, title_ja, title_en, description_ja, description_en, themes,
                     region, language, contact_name, contact_url, contact_email, update_frequency, keywords, created_at,
                     updated_at)
VALUES ('ds_1', 'org_p', 'draft', 1, '', '', '', '', '[]', 'JP', 'ja', '', '', '', '', '[]', now(), now());
INSERT INTO quota (grant_id, used_bytes, reserved_bytes, used_downloads, used_rows, reserved_rows, used_requests,
                   open_deliveries)
VALUES ('grt_1', 30, 0, 0, 0, 0, 3, 0);
INSERT INTO delivery (id, grant_id, organization_id, provider_organization_id, dataset_id, release_id, file_id, sha256,
                      content_bytes, start_byte, length, reserved_bytes, reserved_rows, unit_taken, unit_passed_on,
                      state, progress, opened_at, seen_at, closed_at, bytes_sent, bytes_acked)
SELECT 'dlv_' || n, 'grt_1', 'org_b', 'org_p', 'ds_1', 'rel_1', 'fil_1', repeat('0', 64), 100, 0, 10, 0, 0, true, false,
       'complete', 10, now(), now(), now(), 10, 10 FROM generate_series(1, 3) n;
INSERT INTO usage_event (id, delivery_id, grant_id, organization_id, provider_organization_id, dataset_id, sha256,
                         occurred_at, bytes_new, bytes_acked, rows_new, requests)
SELECT 'use_' || n, 'dlv_' || n, 'grt_1', 'org_b', 'org_p', 'ds_1', repeat('0', 64),
       timestamptz '2026-08-31 15:00Z' - make_interval(secs => n - 1), 10, 10, 0, 1 FROM generate_series(1, 3) n;
INSERT INTO usage_claim (event_id, claimed_by, claimed_at) SELECT 'use_' || n, 'stl_1', now() FROM generate_series(1, 2) n;
INSERT INTO rated_line (id, grant_id, provider_organization_id, organization_id, period, revision, closed, period_from,
                        period_to, unit, quantity_from, quantity_to, amount_yen_exact, line_yen)
VALUES ('rtl_1', 'grt_1', 'org_p', 'org_b', '2026-08', 1, true, '2026-08-01', '2026-08-31', 'byte', 0, 10, 10, 10);
SET session_replication_role = DEFAULT;
"""
CORRECTED = """
INSERT INTO usage_event (id, delivery_id, grant_id, organization_id, provider_organization_id, dataset_id, sha256,
                         occurred_at, bytes_new, bytes_acked, rows_new, requests, corrects_event_id, reference, reason,
                         corrected_at)
SELECT 'use_c', delivery_id, grant_id, organization_id, provider_organization_id, dataset_id, sha256, occurred_at, -4, 0,
       0, -1, id, 'c-1', '訂正', now() FROM usage_event WHERE id = 'use_2';
INSERT INTO usage_claim (event_id, claimed_by, claimed_at) VALUES ('use_c', 'stl_2', now());
INSERT INTO rated_line (id, grant_id, provider_organization_id, organization_id, period, revision, closed, period_from,
                        period_to, unit, quantity_from, quantity_to, amount_yen_exact, line_yen)
VALUES ('rtl_2', 'grt_1', 'org_p', 'org_b', '2026-08', 2, true, '2026-08-01', '2026-08-31', 'byte', 10, 6, -4, -4),
       ('rtl_3', 'grt_1', 'org_p', 'org_b', '2026-08', 3, true, '2026-08-01', '2026-08-31', 'byte', 6, 8, 2, 2);
ALTER TABLE usage_event DETACH PARTITION usage_event_2026_09;
"""


@pytest.fixture
def engine(cluster):
    """A database as version 0043 left it, with usage on both sides of a month's end in Japan."""
    name = f"upgrade_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    server = cluster.replace("template_marketplace", "postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    made = create_engine(postgres.sqlalchemy_url(cluster.replace("template_marketplace", name)))
    migrations.upgrade(made, "0043")
    do(made, USED)
    yield made
    made.dispose()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def do(engine, sentences):
    with engine.begin() as connection:
        for sentence in filter(str.strip, sentences.split(";")):
            connection.exec_driver_sql(sentence)


def rows(engine, query):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


EVENTS = "SELECT id, delivery_id, bytes_new, bytes_acked, requests FROM usage_event ORDER BY id"
CLAIMS = "SELECT event_id FROM usage_claim ORDER BY 1"
LINES = "SELECT id, quantity_from, quantity_to, line_yen FROM rated_line ORDER BY id"


def test_usage_goes_into_months_and_comes_back_with_its_corrections_in_it(engine):
    before = rows(engine, EVENTS)
    migrations.upgrade(engine, "0044")
    assert rows(engine, EVENTS) == before
    assert rows(engine, "SELECT CAST(tableoid AS regclass)::text, count(*) FROM usage_event GROUP BY 1 ORDER BY 1") == [
        ("usage_event_2026_08", 2),
        ("usage_event_2026_09", 1),
    ]
    assert rows(engine, "SELECT event_id, delivery_id, reference FROM usage_key ORDER BY 1") == [
        (f"use_{n}", f"dlv_{n}", "") for n in (1, 2, 3)
    ]
    do(engine, CORRECTED)
    migrations.downgrade(engine, "0043")
    assert rows(engine, EVENTS) == [("use_1", "dlv_1", 10, 10, 1), ("use_2", "dlv_2", 6, 10, 0), before[2]]
    assert rows(engine, CLAIMS) == [("use_1",), ("use_2",)]
    assert rows(engine, LINES) == [("rtl_1", 0, 6, 10), ("rtl_2", 6, 6, -4), ("rtl_3", 6, 8, 2)]
    for sentence in ("UPDATE usage_event SET bytes_new = 0", "DELETE FROM usage_claim"):
        with pytest.raises(Exception, match="append-only"):
            do(engine, sentence)
    migrations.upgrade(engine, "0044")
    assert rows(engine, "SELECT count(*) FROM usage_key") == [(3,)]
