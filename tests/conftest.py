"""Fixtures for all tests: one embedded server, a migrated template, a database per need."""

import gc
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from flask import Flask
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import Session

from marketplace.api import streams
from marketplace.app import create_app, install
from marketplace.kit import logs, migrations, postgres
from marketplace.kit.db import db
from marketplace.kit.settings import Settings
from tests.contract.recorder import stripe_contract
from tests.live import wait_until

__all__ = ["stripe_contract"]  # holds, for every test, what the gateway sends and the sandbox answers

TEMPLATE = "template_marketplace"
MEMORY_BYTES_MIN = 4 * 2**30
MakeSettings = Callable[..., Settings]
# How long an example takes says how busy the machine is, not whether it is right.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """Have the collector pass over modules and tests, which stay until the end, and come less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Drop the empty coverage files of servers that tests killed, before they are combined; all have ended by then."""
    done = yield
    if not hasattr(session.config, "workerinput"):
        for file in session.config.rootpath.glob(".coverage.*.pid*"):
            if not file.stat().st_size:
                file.unlink()
    return done


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Spell out what is no UTF-8 in what a test logged: a worker that cannot send its report ends the whole run."""
    report.sections = [(name, told.encode(errors="backslashreplace").decode()) for name, told in report.sections]


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Logging that the test may configure as a process of its own does; all others keep theirs."""
    loggers = [logging.getLogger(name) for name in (None, *logs.CHATTY)]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real municipal data beside the checkout, if it is there."""
    folder = Path(os.environ.get("SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the municipal data is not beside this checkout")
    return folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account may enter, as PostgreSQL's must when tests run as root; pytest's own are closed."""
    home = Path(tempfile.mkdtemp(prefix="mk-"))
    home.chmod(0o755)
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """Address of a private PostgreSQL server that lives as long as the test session."""
    home = Path(tempfile.mkdtemp(prefix="mk-", dir=_roomy_memory()))
    home.chmod(0o755)
    url = _with_connections_to_spare(home)
    _wait_for_disk(postgres.libpq_url(url), waits=False)
    engine = create_engine(url)
    migrations.upgrade(engine)
    engine.dispose()
    yield postgres.libpq_url(url)
    postgres.stop(home)
    shutil.rmtree(home, ignore_errors=True)


def _with_connections_to_spare(home: Path) -> str:
    """Start a server for many applications at once: each keeps up to 56 connections, some of them a module long."""
    url = postgres.database_url(home, TEMPLATE)
    with psycopg.connect(postgres.libpq_url(url), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET max_connections = 400")
    postgres.stop(home)
    return postgres.database_url(home, TEMPLATE)


def _roomy_memory() -> Path | None:
    """Return a folder in memory, where each of a thousand databases is made and dropped in a third of the time."""
    memory = Path("/dev/shm")
    is_roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= MEMORY_BYTES_MIN
    return memory if is_roomy else None


def _wait_for_disk(url: str, *, waits: bool) -> None:
    """Have the server wait for the disk, or not: a killed server loses nothing, only a machine without power would."""
    word = "on" if waits else "off"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET fsync = {word}")
        connection.execute(f"ALTER SYSTEM SET full_page_writes = {word}")
        connection.execute("SELECT pg_reload_conf()")

        def is_heard() -> bool:
            return connection.execute("SHOW full_page_writes").fetchone() == (word,)

        wait_until("the setting", is_heard)


@pytest.fixture
def durable(cluster: str) -> Iterator[None]:
    """The server as it is in operation, for those who look at how it is set up."""
    _wait_for_disk(cluster, waits=True)
    yield
    _wait_for_disk(cluster, waits=False)


@pytest.fixture(scope="session")
def clone(cluster: str) -> Callable[[], str]:
    """Make a fresh migrated database and return its URL; it goes with the server, or with ``let_go``."""

    def make() -> str:
        name = f"t_{uuid.uuid4().hex}"
        with psycopg.connect(cluster.replace(TEMPLATE, "postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE} STRATEGY FILE_COPY')
        return postgres.sqlalchemy_url(cluster.replace(TEMPLATE, name))

    return make


@pytest.fixture(scope="session")
def let_go(cluster: str) -> Callable[[str], None]:
    """Drop a database that ``clone`` has made."""

    def drop(url: str) -> None:
        with psycopg.connect(cluster.replace(TEMPLATE, "postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')

    return drop


@pytest.fixture(scope="session")
def make_settings(tmp_path_factory: pytest.TempPathFactory) -> MakeSettings:
    """Settings of a test installation in a folder of its own."""

    def make(database_url: str, **changes: object) -> Settings:
        made = {"database_url": database_url, "data_dir": tmp_path_factory.mktemp("data"), "unread_files": "note"}
        return Settings(**(made | changes))

    return make


@pytest.fixture(scope="session")
def shared_app(clone: Callable[[], str], make_settings: MakeSettings) -> Iterator[Flask]:
    """One application for all tests that roll back."""
    app = create_app(make_settings(clone()))
    # The outer transaction of a test is that of one thread: what runs beside requests must not join it.
    app.extensions[streams.EXTENSION].stop()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(shared_app: Flask) -> Iterator[Flask]:
    """The application inside one outer transaction that is rolled back after the test."""
    install(shared_app)
    with shared_app.app_context():
        connection = db.engine.connect()
        outer = connection.begin()
        factory = db.session.session_factory
        previous = dict(factory.kw)
        factory.configure(bind=connection, binds={}, join_transaction_mode="create_savepoint")
        original = factory.class_.get_bind
        factory.class_.get_bind = lambda _self, *_args, **_kwargs: connection
        db.session.remove()
        yield shared_app
        db.session.remove()
        factory.class_.get_bind = original
        factory.kw.clear()
        factory.kw.update(previous)
        outer.rollback()
        connection.close()
        # What was signed of a record that is rolled back was never signed.
        shared_app.config["MUSUBI_SETTINGS"].log_signed_path.unlink(missing_ok=True)


@pytest.fixture
def session(app: Flask) -> Session:
    """The database session of the test's outer transaction."""
    return db.session()


@pytest.fixture
def own_database(
    clone: Callable[[], str], let_go: Callable[[str], None], make_settings: MakeSettings
) -> Iterator[Flask]:
    """An application on a database of its own, where commits are real: for races and faults."""
    url = clone()
    app = create_app(make_settings(url))
    with app.app_context():
        yield app
        app.extensions[streams.EXTENSION].stop()
        db.session.remove()
        db.engine.dispose()
    let_go(url)
