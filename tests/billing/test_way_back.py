"""On the way back to earlier versions, what they cannot hold of money stops it: nothing is paid or booked twice."""

import os
import uuid

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from marketplace.kit import migrations, postgres

STEPS = {
    "0019": (
        "payout",
        """INSERT INTO payout (id, organization_id, amount_yen, offset_yen, way, account, state, idempotency_key,
               created_at)
           VALUES ('pyt_1', 'org_p', 1, 0, 'bank', '{}', 'created', 'k', now())""",
        "paid again",
    ),
    "0018": (
        "refund",
        """INSERT INTO refund (id, request, number, sale_ref, invoice_id, organization_id, provider_organization_id,
               amount_yen, way, reason, note, ends_access, state, idempotency_key, created_at)
           VALUES ('rfd_1', 'r', 0, 'ord_1', 'inv_1', 'org_b', 'org_p', 1, 'bank', 'requested', '', false, 'created',
               'k', now())""",
        "given back again",
    ),
    "0017": (
        "document",
        """INSERT INTO document (id, kind, number, idem, draft_sha256, content, content_sha256, issuer_organization_id,
               recipient_organization_id, transaction_on, issued_on, amount_yen, about, retain_until, created_at)
           VALUES ('doc_1', 'receipt', 'R-1', 'i', repeat('0', 64), '{}', repeat('0', 64), 'org_p', 'org_b',
               '2026-11-22', '2026-11-22', 1, '[]', '2036-11-22', now())""",
        "kept for years",
    ),
    "0016": (
        "bank_line",
        """INSERT INTO bank_line (id, fingerprint, booked_on, amount_yen, payer, reference, raw, state, rule,
               applied_yen, unapplied_yen, returned_yen, imported_at)
           VALUES ('bnk_1', repeat('0', 64), '2026-11-22', 1, 'P', '', '{}', 'suspense', 'unknown_payer', 0, 0, 0,
               now())""",
        "booked again",
    ),
    "0015": (
        "earning",
        """INSERT INTO earning (id, kind, ref, idem, via, role, money_account, organization_id, buyer_organization_id,
               dataset_id, net_yen, tax_yen, commission_yen, commission_tax_yen, payable_yen, occurred_on, created_at)
           VALUES ('ern_1', 'reversal', 'ord_1', 'i', 'gateway', 'agent', 'Assets:Bank', 'org_p', 'org_b', 'ds_1',
               -1, 0, 0, 0, -1, '2026-11-22', now())""",
        "paid out",
    ),
}


@pytest.fixture
def engine(cluster):
    """A database as version 0019 left it."""
    name = f"way_back_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    server = cluster.replace("template_marketplace", "postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    made = create_engine(postgres.sqlalchemy_url(cluster.replace("template_marketplace", name)))
    migrations.upgrade(made, "0019")
    yield made
    made.dispose()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_each_step_back_is_refused_while_there_is_what_it_would_lose(engine):
    for revision, (table, row, why) in STEPS.items():
        assert migrations.current(engine) == revision
        _without_triggers(engine, row)
        with pytest.raises(DBAPIError, match=why):
            migrations.downgrade(engine, "-1")
        assert migrations.current(engine) == revision
        _without_triggers(engine, f"DELETE FROM {table}")
        migrations.downgrade(engine, "-1")


def _without_triggers(engine, statement):
    with engine.begin() as connection:
        for one in ("SET LOCAL session_replication_role = replica", statement):
            connection.execute(text(one))
