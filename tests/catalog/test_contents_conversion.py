"""Releases that were published before their contents were gathered are found by all of their files."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text

from marketplace.kit import migrations, postgres

WORLD = (
    """INSERT INTO organization (id, name_ja, name_en, kind, capacities, state, created_at, verified_at)
    VALUES ('org_1', '札幌市', 'Sapporo', 'municipality', '["provider"]', 'verified', now(), now())""",
    """INSERT INTO dataset (id, organization_id, state, version, title_ja, title_en, description_ja, description_en, themes,
        region, language, contact_name, contact_url, contact_email, update_frequency, keywords, created_at, updated_at)
    VALUES ('ds_1', 'org_1', 'published', 1, '人流', '', '', '', '["labour"]', '011002', 'ja', '', '', '', 'DAILY', '[]',
        now(), now())""",
    """INSERT INTO release (id, dataset_id, label, notes, state, created_at)
    SELECT id, 'ds_1', id, '', 'draft', now() FROM (VALUES ('rel_1'), ('rel_2'), ('rel_3')) AS made(id)""",
    r"""INSERT INTO file (id, release_id, name, name_key, media_type, sha256, size_bytes, received_at, profile_state, profile)
    SELECT release_id || name, release_id, name, name, 'text/csv', repeat('a', 64), 1, now(), 'profiled', profile
    FROM (VALUES
        ('rel_1', 'b', CAST('{"format"\: "xlsx", "columns"\: [{"name"\: "気温"}, {"name"\: "日付"}]}' AS jsonb)),
        ('rel_1', 'a', '{"format"\: "csv", "columns"\: [{"name"\: "日付"}, {"name"\: "人数"}]}'),
        ('rel_1', 'c', '{"format"\: null, "columns"\: null}'),
        ('rel_1', 'd', NULL),
        ('rel_2', 'a', '{"format"\: "csv", "columns"\: [{"name"\: "日付"}]}')
    ) AS made(release_id, name, profile)""",
    "UPDATE release SET state = 'published', published_at = now() WHERE id <> 'rel_2'",
)


@pytest.fixture
def engine(cluster: str) -> Iterator[Engine]:
    """A database at the version before."""
    name = "contents_conversion"
    with psycopg.connect(cluster.replace("template_marketplace", "postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    made = create_engine(postgres.sqlalchemy_url(cluster.replace("template_marketplace", name)))
    migrations.upgrade(made, "0022")
    with made.begin() as connection:
        for statement in WORLD:
            connection.execute(text(statement))
    yield made
    made.dispose()
    with psycopg.connect(cluster.replace("template_marketplace", "postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_what_is_published_is_gathered_and_a_draft_waits_for_its_publication(engine: Engine) -> None:
    migrations.upgrade(engine, "0023")
    with engine.connect() as connection:
        found = connection.execute(text("SELECT id, formats, column_names FROM release ORDER BY id")).all()
    assert [tuple(row) for row in found] == [
        ("rel_1", ["csv", "xlsx"], ["日付", "人数", "気温"]),
        ("rel_2", [], []),
        ("rel_3", [], []),
    ]
    migrations.downgrade(engine, "0022")
    with engine.connect() as connection:
        assert "formats" not in connection.execute(text("SELECT * FROM release")).keys()  # noqa: SIM118 - no mapping
