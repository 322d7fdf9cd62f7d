"""Health, and moving the schema."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from marketplace.kit import health, migrations, postgres
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction


def test_an_installation_in_order_has_no_trouble(app: Flask, tmp_path: Path) -> None:
    assert health.trouble(tmp_path) is None
    assert health.revision() == migrations.head()


def test_a_store_that_cannot_be_written_is_trouble(app: Flask, tmp_path: Path) -> None:
    assert health.trouble(tmp_path / "missing") == "The store folder cannot be written."


def test_a_schema_of_another_age_is_trouble_with_its_cure(own_database: Flask, tmp_path: Path) -> None:
    with transaction():
        db.session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert "run `marketplace migrate`" in health.trouble(tmp_path)
    with transaction():
        db.session.execute(text("DELETE FROM alembic_version"))
    assert health.revision() == "none"


def test_a_database_that_is_gone_is_trouble(
    own_database: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = create_engine("postgresql+psycopg://nobody@/nothing?host=/nonexistent")
    monkeypatch.setattr(type(db), "engine", property(lambda _self: nowhere))
    assert health.trouble(tmp_path) == "The database does not answer."
    nowhere.dispose()


def test_processes_that_migrate_at_once_do_it_once(cluster: str) -> None:
    name = "migrated_at_once"
    admin = cluster.replace("template_marketplace", "postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    engines = [create_engine(postgres.sqlalchemy_url(cluster.replace("template_marketplace", name))) for _ in range(3)]
    try:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(migrations.upgrade, engines))
        assert {migrations.current(engine) for engine in engines} == {migrations.head()}
    finally:
        for engine in engines:
            engine.dispose()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_addresses_are_named_as_each_library_wants_them() -> None:
    for given in ("postgres://u@h/d", "postgresql://u@h/d", "postgresql+psycopg://u@h/d"):
        url = postgres.sqlalchemy_url(given)
        assert url == "postgresql+psycopg://u@h/d"
        assert postgres.libpq_url(url) == "postgresql://u@h/d"


def test_migrating_down_takes_the_last_step_back(clone: Callable[[], str], own_database: Flask) -> None:
    health.migrate_down("-1")
    assert health.revision() != migrations.head()
    migrations.upgrade(db.engine)
    assert health.revision() == migrations.head()
