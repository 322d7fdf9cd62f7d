"""An exchange on a database of its own whose address is known, so that it can be served."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from marketplace.app import create_app
from marketplace.demo.stage import free_port
from marketplace.kit.db import db
from tests.faults.world import World, make_world, served


@pytest.fixture
def exchange(clone: Callable[[], str], make_settings: Callable) -> Iterator[Flask]:
    """An application that nobody serves yet; jobs run when the test says so."""
    port = free_port()
    app = create_app(make_settings(clone(), port=port, base_url=f"http://127.0.0.1:{port}"))
    with app.app_context():
        yield app
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
