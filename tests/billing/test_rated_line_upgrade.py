"""What earlier versions rated survives the upgrade, and its yen add up as before."""

import os
import uuid

import psycopg
import pytest
from sqlalchemy import create_engine, text

from marketplace.kit import migrations, postgres

OLD = """
SET session_replication_role = replica;
INSERT INTO access_grant (id, organization_id, provider_organization_id, order_id, offer_id, dataset_id, acceptance_id,
                          terms_sha256, release_scope, state, starts_at)
VALUES ('grt_1', 'org_b', 'org_p', 'ord_1', 'ofr_1', 'ds_1', 'acc_1', repeat('0', 64), 'current', 'active', now());
INSERT INTO organization (id, name_ja, name_en, kind, capacities, state, created_at, verified_at)
SELECT id, '札幌市', 'Sapporo', 'company', '["buyer"]', 'verified', now(), now() FROM unnest(ARRAY['org_b', 'org_p']) AS id;
INSERT INTO rated_line (id, grant_id, period_from, period_to, bytes_from, bytes_to, amount_yen_exact)
VALUES ('rtl_1', 'grt_1', '2026-09-01', '2026-09-30', 0, 10, 1.5),
       ('rtl_2', 'grt_1', '2026-10-01', '2026-10-31', 10, 20, 1.5),
       ('rtl_3', 'grt_1', '2026-11-01', '2026-11-30', 20, 21, 0.4);
SET session_replication_role = DEFAULT;
"""


@pytest.fixture
def engine(cluster):
    """A database as version 0011 left it, with rated lines."""
    name = f"upgrade_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    server = cluster.replace("template_marketplace", "postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    made = create_engine(postgres.sqlalchemy_url(cluster.replace("template_marketplace", name)))
    migrations.upgrade(made, "0011")
    with made.begin() as connection:
        for statement in OLD.split(";"):
            if statement.strip():
                connection.execute(text(statement))
    yield made
    made.dispose()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_old_lines_become_revisions_of_the_grants_whole_life_and_come_back_down(engine):
    with engine.connect() as connection:
        before = connection.execute(text("SELECT * FROM rated_line ORDER BY id")).mappings().all()
    migrations.upgrade(engine, "0012")
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM rated_line ORDER BY id")).mappings().all()
        assert [(row["period"], row["revision"], row["line_yen"], row["unit"]) for row in rows] == [
            ("grant", 1, 1, "byte"),
            ("grant", 2, 2, "byte"),
            ("grant", 3, 0, "byte"),
        ]
        assert {(row["provider_organization_id"], row["organization_id"]) for row in rows} == {("org_p", "org_b")}
        assert [(row["quantity_from"], row["quantity_to"]) for row in rows] == [(0, 10), (10, 20), (20, 21)]
    migrations.downgrade(engine, "0011")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM rated_line ORDER BY id")).mappings().all() == before
