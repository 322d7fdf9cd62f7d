"""Datasets that were listed when each had one theme keep it, up and down."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import IntegrityError

from marketplace.kit import migrations, postgres

WORLD = (
    """INSERT INTO organization (id, name_ja, name_en, kind, capacities, state, created_at, verified_at)
    VALUES ('org_1', '札幌市', 'Sapporo', 'municipality', '["provider"]', 'verified', now(), now())""",
    """INSERT INTO dataset (id, organization_id, state, version, title_ja, title_en, description_ja, description_en, theme,
        region, language, contact_name, contact_url, contact_email, update_frequency, keywords, created_at, updated_at)
    SELECT id, 'org_1', 'published', 1, '人流', '', '', '', theme, '011002', 'ja', '', '', '', 'DAILY', '[]', now(), now()
    FROM (VALUES ('ds_1', 'population'), ('ds_2', 'labour')) AS made(id, theme)""",
    """INSERT INTO listing SELECT id, jsonb_build_object('id', id, 'theme', theme), '2026-11-22' FROM dataset""",
)
BEFORE = [("ds_1", "population"), ("ds_2", "labour")]


@pytest.fixture
def engine(cluster: str) -> Iterator[Engine]:
    """A database at the version before."""
    name = "themes_conversion"
    with psycopg.connect(cluster.replace("template_marketplace", "postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    made = create_engine(postgres.sqlalchemy_url(cluster.replace("template_marketplace", name)))
    migrations.upgrade(made, "0021")
    with made.begin() as connection:
        for statement in WORLD:
            connection.execute(text(statement))
    yield made
    made.dispose()
    with psycopg.connect(cluster.replace("template_marketplace", "postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def rows(engine: Engine, query: str) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_the_one_theme_becomes_a_list_of_one_and_comes_back(engine: Engine) -> None:
    migrations.upgrade(engine, "0022")
    lists = [(dataset_id, [theme]) for dataset_id, theme in BEFORE]
    assert rows(engine, "SELECT id, themes FROM dataset ORDER BY id") == lists
    shown = [(dataset_id, {"id": dataset_id, "themes": themes}) for dataset_id, themes in lists]
    assert rows(engine, "SELECT dataset_id, document FROM listing ORDER BY 1") == shown
    assert rows(engine, "SELECT count(*) FROM listing WHERE updated_at > '2026-11-22'") == [(2,)]

    migrations.downgrade(engine, "0021")
    assert rows(engine, "SELECT id, theme FROM dataset ORDER BY id") == BEFORE
    assert rows(engine, "SELECT dataset_id, document ->> 'theme', document -> 'themes' FROM listing ORDER BY 1") == [
        (dataset_id, theme, None) for dataset_id, theme in BEFORE
    ]


def test_of_several_themes_the_first_goes_back_and_none_at_all_is_refused(engine: Engine) -> None:
    migrations.upgrade(engine, "0022")
    for none in ("jsonb_build_array()", "to_jsonb(title_ja)", "NULL"):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(text(f"UPDATE dataset SET themes = {none}"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE dataset SET themes = jsonb_build_array('economy', 'labour')"))

    migrations.downgrade(engine, "0021")
    assert {theme for (theme,) in rows(engine, "SELECT theme FROM dataset")} == {"economy"}
