"""The composition root: settings, database, gateways, blueprints, commands."""

import os
import sys

from flask import Flask

from marketplace.kit import logs, postgres, settings
from marketplace.kit.db import db
from marketplace.kit.settings import BadSetting, Settings


def create_app(given: Settings | None = None) -> Flask:
    """Build the application on a database that is already there; raises BadSetting."""
    chosen = given or settings.from_environment(os.environ)
    settings.install(chosen)
    app = Flask(__name__, static_folder=None)
    app.config["SQLALCHEMY_DATABASE_URI"] = _database_url(chosen)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_size": chosen.threads + 8,
        "max_overflow": 16,
        "pool_pre_ping": True,
        "connect_args": {"options": "-c timezone=UTC -c lock_timeout=20s"},
    }
    app.config["MAX_FORM_MEMORY_SIZE"] = chosen.request_body_bytes_max
    app.config["MUSUBI_SETTINGS"] = chosen
    db.init_app(app)
    _mount(app, chosen)
    return app


def _database_url(chosen: Settings) -> str:
    if chosen.database_url:
        return postgres.sqlalchemy_url(chosen.database_url)
    return postgres.database_url(chosen.data_dir)


def _mount(app: Flask, chosen: Settings) -> None:
    del app, chosen


def main() -> None:
    """Run the ``marketplace`` command; a bad setting ends it with one clear line."""
    logs.configure()
    try:
        create_app()
    except BadSetting as error:
        sys.exit(f"marketplace: {error}")
