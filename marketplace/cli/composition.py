"""What the composition root hands to the commands, so that they need not know it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from marketplace.kit import health
from marketplace.kit.settings import Settings


@dataclass(frozen=True, slots=True)
class Composition:
    """Ways to read the settings, to build the application and to build it with its background work."""

    settings: Callable[[], Settings]
    prepare: Callable[[Settings], Settings]
    create_app: Callable[[Settings], Any]
    create_serving_app: Callable[[Settings], Any]
    run_worker: Callable[[Any], None]


pass_composition = click.make_pass_decorator(Composition)


@contextmanager
def application(composition: Composition) -> Iterator[Settings]:
    """Open an application context on a migrated database for one command."""
    prepared = composition.prepare(composition.settings())
    with composition.create_app(prepared).app_context():
        try:
            yield prepared
        finally:
            health.hang_up()
