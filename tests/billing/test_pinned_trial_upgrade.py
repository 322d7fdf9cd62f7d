"""Orders of earlier versions keep the trial of their offer at the upgrade, and nothing is lost on the way back."""

import os
import uuid

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from marketplace.kit import migrations, postgres

OFFER = """
INSERT INTO offer (id, dataset_id, organization_id, terms_id, terms_sha256, price_kind, amount_yen, price, rails, shares,
                   discounts, release_scope, version, state, created_at)
SELECT 'ofr_' || kind, 'ds_1', 'org_p', 'trm_1', repeat('0', 64), kind, amount, price::jsonb, '["card"]',
       '[{"organization_id": "org_p", "basis_points": 10000}]', '[]', 'current', 1, 'open', now()
FROM (VALUES ('subscription', 3000, '{"kind": "subscription", "amount_yen": 3000, "term_months": 1, "trial_days": 14}'),
             ('per_unit', 0, '{"kind": "per_unit", "unit": "row", "unit_yen": "1"}')) AS made (kind, amount, price)
"""
ORDER = """
INSERT INTO purchase_order (id, organization_id, provider_organization_id, offer_id, dataset_id, acceptance_id,
                            terms_sha256, price_kind, list_net_yen, deductions, amount_net_yen, amount_tax_yen,
                            amount_gross_yen, tax_rate_basis_points, state, created_at)
SELECT 'ord_' || price_kind, 'org_b', 'org_p', id, 'ds_1', 'acc_1', terms_sha256, price_kind, 0, '[]', 0, 0, 0, 1000,
       'placed', now() FROM offer
"""
TRIALS = "SELECT trial_days FROM purchase_order ORDER BY id DESC"


@pytest.fixture
def engine(cluster):
    """A database as version 0019 left it, with an order that has a trial and one that has none."""
    name = f"upgrade_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    server = cluster.replace("template_marketplace", "postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    made = create_engine(postgres.sqlalchemy_url(cluster.replace("template_marketplace", name)))
    migrations.upgrade(made, "0019")
    with made.begin() as connection:
        for statement in ("SET session_replication_role = replica", OFFER, ORDER):
            connection.exec_driver_sql(statement)
    yield made
    made.dispose()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_a_trial_that_was_promised_stays_and_one_that_was_had_is_not_granted_again(engine):
    migrations.upgrade(engine, "0020")
    with engine.begin() as connection:
        assert connection.scalars(text(TRIALS)).all() == [14, 0]
        connection.execute(text("UPDATE purchase_order SET trial_days = 0"))
    with pytest.raises(DBAPIError, match="would grant again"):
        migrations.downgrade(engine, "0019")
    with engine.begin() as connection:
        connection.execute(text("UPDATE purchase_order SET trial_days = 14 WHERE price_kind = 'subscription'"))
    migrations.downgrade(engine, "0019")
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT count(*) FROM purchase_order")).all() == [2]
