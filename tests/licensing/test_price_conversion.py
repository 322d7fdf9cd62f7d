"""Offers that were made when there were three prices keep what was agreed, up and down."""

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from marketplace.kit import migrations, postgres
from marketplace.licensing.prices import price_document, read_price

SHA = "ab" * 32
WORLD = f"""
INSERT INTO organization (id, name_ja, name_en, kind, capacities, state, created_at, verified_at)
    VALUES ('org_1', '札幌市', 'Sapporo', 'municipality', '["provider", "buyer"]', 'verified', now(), now());
INSERT INTO dataset (id, organization_id, state, version, title_ja, title_en, description_ja, description_en, theme, region,
        language, contact_name, contact_url, contact_email, update_frequency, keywords, created_at, updated_at)
    VALUES ('ds_1', 'org_1', 'published', 1, '人流', '', '', '', 'population', '011002', 'ja', '', '', '', 'DAILY', '[]',
        now(), now());
INSERT INTO terms VALUES ('trm_1', 'org_1', '標準', 'Standard', 'custom', '{{}}', '{SHA}', now());
INSERT INTO offer (id, dataset_id, organization_id, terms_id, terms_sha256, price_kind, amount_yen, included_mib,
        release_scope, version, state, created_at)
    SELECT id, 'ds_1', 'org_1', 'trm_1', '{SHA}', kind, yen, mib, 'all', 1, state, now()
    FROM (VALUES ('ofr_1', 'free', 0, 0, 'open'), ('ofr_2', 'one_off', 5000, 0, 'superseded'),
        ('ofr_3', 'per_mib', 300, 12, 'withdrawn')) AS made(id, kind, yen, mib, state);
INSERT INTO acceptance VALUES ('acc_1', 'org_1', NULL, NULL, '{SHA}', now());
INSERT INTO purchase_order (id, organization_id, provider_organization_id, offer_id, dataset_id, acceptance_id, terms_sha256,
        price_kind, amount_net_yen, amount_tax_yen, amount_gross_yen, tax_rate_basis_points, state, created_at)
    SELECT 'ord_' || kind, 'org_1', 'org_1', offer, 'ds_1', 'acc_1', '{SHA}', kind, 0, 0, 0, 1000, 'placed', now()
    FROM (VALUES ('ofr_1', 'free'), ('ofr_2', 'one_off'), ('ofr_3', 'per_mib')) AS sold(offer, kind);
INSERT INTO listing VALUES ('ds_1', jsonb_build_object('id', 'ds_1', 'offers', jsonb_build_array(
    jsonb_build_object('id', 'ofr_3', 'price_kind', 'per_mib', 'amount_yen', 300, 'included_mib', 12, 'release_scope', 'all'),
    jsonb_build_object('id', 'ofr_1', 'price_kind', 'free', 'amount_yen', 0, 'included_mib', 0, 'release_scope', 'all')
)), now());
"""
TABLES = ("offer", "purchase_order", "listing")


@pytest.fixture
def engine(cluster):
    """A database at the version before."""
    name = "price_conversion"
    with psycopg.connect(cluster.replace("template_marketplace", "postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    made = create_engine(postgres.sqlalchemy_url(cluster.replace("template_marketplace", name)))
    migrations.upgrade(made, "0010")
    with made.begin() as connection:
        for statement in WORLD.split(";\n"):
            if statement.strip():
                connection.execute(text(statement.replace(":", r"\:")))
    yield made
    made.dispose()
    with psycopg.connect(cluster.replace("template_marketplace", "postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def rows(engine, query):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def everything(engine):
    return {table: sorted(map(str, rows(engine, f"SELECT to_jsonb({table}) FROM {table}"))) for table in TABLES}


def test_what_was_sold_before_is_still_sold_at_its_price(engine):
    before = everything(engine)
    migrations.upgrade(engine, "0011")
    found = rows(engine, "SELECT id, price_kind, amount_yen, price, rails, state FROM offer ORDER BY id")
    per_mib = {
        "kind": "per_unit",
        "unit_yen": "300",
        "unit": "mib",
        "included_units": 12,
        "minimum_yen": None,
        "maximum_yen": None,
        "period": "grant",
        "trial_days": 0,
    }
    assert found == [
        ("ofr_1", "free", 0, {"kind": "free"}, [], "open"),
        ("ofr_2", "one_off", 5000, {"kind": "one_off", "amount_yen": 5000}, ["card"], "superseded"),
        ("ofr_3", "per_unit", 0, per_mib, ["card"], "withdrawn"),
    ]
    assert all(price_document(read_price(price)) == price for _id, _kind, _yen, price, *_rest in found)
    shares = [{"organization_id": "org_1", "basis_points": 10_000}]
    assert rows(engine, "SELECT DISTINCT shares FROM offer") == [(shares,)]
    sold = rows(engine, "SELECT price_kind FROM purchase_order ORDER BY offer_id")
    assert sold == [("free",), ("one_off",), ("per_unit",)]
    ((document,),) = rows(engine, "SELECT document FROM listing")
    assert [(one["id"], one["price"]) for one in document["offers"]] == [
        ("ofr_3", per_mib),
        ("ofr_1", {"kind": "free"}),
    ]
    assert not any("included_mib" in one for one in document["offers"])
    migrations.downgrade(engine, "0010")
    assert everything(engine) == before


def test_after_the_conversion_offers_are_as_fixed_as_before(engine):
    migrations.upgrade(engine, "0011")
    with engine.connect() as connection, pytest.raises(DBAPIError, match="only moves from open"):
        connection.execute(text("UPDATE offer SET fee_ordinance = '条例' WHERE id = 'ofr_1'"))


@pytest.mark.parametrize(
    "change",
    [
        """price_kind = 'volume', price = '{"kind": "volume"}'""",
        """price = price || '{"unit_yen": "0.5"}'""",
        """price = price || '{"period": "month"}'""",
        "buyer_organization_id = 'org_2'",
        "valid_until = now() + interval '1 day'",
        "rails = '[\"invoice\"]'",
    ],
)
def test_the_way_back_is_refused_where_it_would_change_what_was_agreed(engine, change):
    migrations.upgrade(engine, "0011")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE offer DISABLE TRIGGER offer_moves"))
        connection.execute(
            text(
                "INSERT INTO organization (id, name_ja, name_en, kind, capacities, state, created_at)"
                " VALUES ('org_2', '株式会社', 'Inc', 'company', '[\"buyer\"]', 'applied', now())"
            )
        )
        connection.execute(text(f"UPDATE offer SET {change} WHERE id = 'ofr_3'".replace('": ', r'"\: ')))
        connection.execute(text("ALTER TABLE offer ENABLE TRIGGER offer_moves"))
    with pytest.raises(DBAPIError, match="would change what was agreed"):
        migrations.downgrade(engine, "0010")
    assert migrations.current(engine) == "0011"
