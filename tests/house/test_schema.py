"""The schema: up, down and up again, and the same as the models say."""

import re
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

import marketplace.app  # noqa: F401 - brings every table into the metadata
from marketplace.kit import migrations, postgres
from marketplace.kit.db import Model
from tests.house.project import ROOT

COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid), c.relpersistence
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, contype, condeferrable, condeferred, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n'
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
EVERYTHING = """
    SELECT relkind::text, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'type', typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
    UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal
"""


# Parts of a table come with the months; the models know the whole.
PARTS = re.compile(r"(?:pk_|ix_)?usage_event_(?:rest|[0-9]{4}_[0-9]{2})")


def is_ours(table):
    return not (table.startswith("procrastinate_") or table == "alembic_version" or PARTS.match(table))


def described(engine, query):
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(text(query)) if is_ours(row[0])}


@pytest.fixture
def empty(cluster):
    """An engine on a new database with nothing in it."""
    made = []

    def make(name):
        address = cluster.rpartition("/template_marketplace")[0] or cluster
        with psycopg.connect(cluster.replace("template_marketplace", "postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}"')
        assert address
        engine = create_engine(postgres.sqlalchemy_url(cluster.replace("template_marketplace", name)))
        made.append((name, engine))
        return engine

    yield make
    for name, engine in made:
        engine.dispose()
        with psycopg.connect(cluster.replace("template_marketplace", "postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def everything(engine):
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(text(EVERYTHING)) if row[1] != "alembic_version"}


def test_the_schema_goes_up_and_down_and_up_again(empty):
    engine = empty("house_up_down")
    bare = everything(engine)
    migrations.upgrade(engine)
    first = everything(engine)
    migrations.downgrade(engine)
    left = everything(engine) - bare - {("i", "alembic_version_pkc"), ("type", "_alembic_version")}
    assert left == set()
    assert migrations.current(engine) is None
    migrations.upgrade(engine)
    assert everything(engine) == first
    assert migrations.current(engine) == migrations.head()


def test_every_single_step_can_be_taken_back(empty):
    engine = empty("house_steps")
    revisions = [script.revision for script in ScriptDirectory(str(migrations.HOME)).walk_revisions()][::-1]
    for revision in revisions:
        before = everything(engine)
        migrations.upgrade(engine, revision)
        there = everything(engine)
        migrations.downgrade(engine, "-1")
        assert everything(engine) - before <= {
            ("i", "alembic_version_pkc"),
            ("type", "_alembic_version"),
            ("type", "alembic_version"),
        }
        migrations.upgrade(engine, revision)
        assert everything(engine) == there


def test_the_migrations_build_what_the_models_say(empty):
    migrated, modelled = empty("house_migrated"), empty("house_modelled")
    migrations.upgrade(migrated)
    Model.metadata.create_all(modelled)
    for query in (COLUMNS, CONSTRAINTS, INDEXES):
        built, meant = described(migrated, query), described(modelled, query)
        assert built - meant == set(), "in the database, not in the models"
        assert meant - built == set(), "in the models, not in the database"


def test_alembic_finds_no_difference_either(empty):
    engine = empty("house_alembic")
    migrations.upgrade(engine)
    ours = {"include_name": lambda name, kind, _parents: kind != "table" or is_ours(name)}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, **ours})
        assert compare_metadata(context, Model.metadata) == []


def test_the_versions_are_one_numbered_chain_with_its_head_written_down():
    scripts = list(ScriptDirectory(str(migrations.HOME)).walk_revisions())[::-1]
    numbers = [script.revision for script in scripts]
    assert numbers == [f"{number:04d}" for number in range(1, len(numbers) + 1)]
    assert [script.down_revision for script in scripts] == [None, *numbers[:-1]]
    assert all(Path(script.path).name.startswith(f"{script.revision}_") for script in scripts)
    # Two branches that each add a version conflict in this file, instead of silently making two heads.
    assert (ROOT / "migrations" / "head").read_text().strip() == migrations.head()
    assert migrations.head() == numbers[-1]
