"""An exchange on a database of its own whose address is known, so that it can be served."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask

from marketplace.api import streams
from marketplace.app import create_app
from marketplace.demo.stage import free_port
from marketplace.kit.db import db
from tests.faults.started import Live, live_world
from tests.faults.world import World, make_world, served


@pytest.fixture
def exchange(clone: Callable[[], str], make_settings: Callable) -> Iterator[Flask]:
    """An application that nobody serves yet; jobs run when the test says so."""
    port = free_port()
    app = create_app(make_settings(clone(), port=port, base_url=f"http://127.0.0.1:{port}"))
    with app.app_context():
        yield app
        app.extensions[streams.EXTENSION].stop()
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def world(exchange: Flask) -> World:
    """A market with one provider, one buyer and one dataset."""
    return make_world(exchange)


@pytest.fixture
def open_world(world: World) -> Iterator[World]:
    """The market, served over loopback."""
    with served(world.app):
        yield world


@pytest.fixture
def start_live(clone: Callable[[], str], tmp_path: Path) -> Iterator[Callable[..., Live]]:
    """Start real servers, each on a database and in a folder of its own; all end with the test."""
    with ExitStack() as closing:
        yield lambda **settings: closing.enter_context(live_world(tmp_path / uuid.uuid4().hex, clone(), **settings))


@pytest.fixture
def live(start_live: Callable[..., Live]) -> Live:
    """A market behind a real server."""
    return start_live()


@pytest.fixture(scope="module")
def standing(clone: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A market behind a real server, for tests that leave it as they found it."""
    with live_world(tmp_path_factory.mktemp("standing"), clone()) as started:
        yield started
