"""The work beside the requests: sequencing the record, jobs, delivery reports."""

import atexit
import logging
from typing import Any

from flask import Flask

from marketplace.api import cutting, keeping, passing, streams
from marketplace.audit.clerk import Clerk
from marketplace.exchange import disposing, facilities, listing, mirroring, reprofiling
from marketplace.identity import service as identity
from marketplace.kit import settings
from marketplace.kit.health import LOST_DATABASE
from marketplace.kit.jobs import Worker
from marketplace.kit.transaction import transaction
from marketplace.server import sender

log = logging.getLogger(__name__)
EXTENSION = "marketplace.background"


def attach(app: Flask) -> None:
    """Give an application the place where its deliveries are reported and broken off; nothing runs yet."""
    reports = streams.Reports(app, sender.progress)
    keeper = keeping.Keeper(app, reports)
    reports.accompany(cutting.Cutter(app, reports, sender.stop, keeper))
    reports.accompany(keeper)
    app.extensions[passing.EXTENSION] = keeper
    app.extensions[streams.EXTENSION] = reports


def start(app: Flask, *, with_jobs: bool) -> None:
    """Start the threads of a serving process; they end with it."""
    threads: list[Any] = [app.extensions[streams.EXTENSION], Clerk(app.app_context)]
    if with_jobs:
        threads.append(Worker(app.config["SQLALCHEMY_DATABASE_URI"], app.app_context))
    if settings.current().search_index == "own":
        threads.append(mirroring.rounds(app.app_context))
    if facilities.current().store.asks_outside:
        threads.append(disposing.rounds(app.app_context))
    app.extensions[EXTENSION] = threads
    look_after(app)
    for thread in threads:
        thread.start()
    atexit.register(stop, app)


def look_after(app: Flask) -> None:
    """Make what installations of before may lack: the search index, the command line's client, full profiles."""
    try:
        with app.app_context():
            if settings.current().search_index == "shared":
                listing.ensure_index()
            with transaction():
                identity.ensure_command_line()
                reprofiling.begin()
    except LOST_DATABASE:
        # A server that starts while the database is away serves as soon as it is back.
        log.exception("the search index and the command line's client could not be looked after")


def stop(app: Flask) -> None:
    """End the threads: what they have at hand is finished, what waits stays in the database."""
    for thread in reversed(app.extensions.pop(EXTENSION, [])):
        thread.stop()
