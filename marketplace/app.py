"""The composition root: settings, database, facilities, blueprints, background work, commands."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Flask
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError, ProgrammingError

from marketplace import background, cli
from marketplace.api import (
    adopted,
    applications,
    assessments,
    audiences,
    audit,
    bank,
    boundary,
    budgets,
    calls,
    cases,
    catalog,
    clients,
    coupons,
    datasets,
    delegations,
    deliveries,
    demand,
    disputes,
    documents,
    eligibilities,
    grants,
    groups,
    harvests,
    headers,
    holds,
    incidents,
    invoices,
    ledger,
    limits,
    oauth,
    offers,
    openapi,
    orders,
    organizations,
    overrides,
    paperwork,
    payouts,
    privacy,
    problems,
    provenance,
    proxies,
    ratings,
    receivables,
    refunds,
    register,
    relations,
    releases,
    repairs,
    reports,
    resumable,
    revenue,
    rows,
    searches,
    service_levels,
    sources,
    streams,
    subscriptions,
    system,
    teasers,
    terms,
    tickets,
    traces,
    transparency,
    trials,
    understanding,
    upstreams,
    usage,
    watch,
    watches,
    webhook_endpoints,
    webhooks,
)
from marketplace.billing.gateways.stripe import StripeGateway, within_process
from marketplace.catalog.search import SearchIndex
from marketplace.delivery.stores import choosing
from marketplace.delivery.stores.parts import Parts
from marketplace.exchange import archiving, facilities
from marketplace.exchange.facilities import Facilities
from marketplace.identity.oauth import keys
from marketplace.identity.oauth.keys import SigningKeyUnusable
from marketplace.kit import installation_key, logs, migrations, pool, postgres, settings
from marketplace.kit.db import db
from marketplace.kit.installation_key import InstallationKeyUnusable
from marketplace.kit.settings import BadSetting, Settings
from marketplace.protocols.catalogue import mounting as catalogue
from marketplace.protocols.ckan import routes as ckan
from marketplace.protocols.delta_sharing import routes as delta_sharing
from marketplace.protocols.mcp import routes as mcp
from marketplace.sandbox import mounting as sandbox
from marketplace.sandbox.config import SandboxConfig
from marketplace.sandbox.transport import exchange_with
from marketplace.web import mounting as web
from marketplace.web import problems as problem_pages
from marketplace.web import sessions

RESOURCES = (
    organizations, applications, clients, delegations, datasets, releases, resumable, sources, upstreams, calls,
    groups, audiences, ratings, terms, offers, coupons, eligibilities, catalog, orders, invoices, documents, paperwork,
    understanding, trials, teasers, provenance,
    harvests, repairs,
    bank, receivables, refunds, disputes, service_levels, payouts, revenue, budgets,
    grants, tickets, rows, usage, deliveries, subscriptions,
    privacy, assessments, ledger, audit, transparency, adopted, traces, searches, cases, overrides,
    register, reports, incidents, holds, demand, relations, watches, webhook_endpoints, system,
)  # fmt: skip


def create_app(given: Settings | None = None) -> Flask:
    """Build the application on a database that is already there; raises BadSetting."""
    chosen = given or settings.from_environment(os.environ)
    settings.check(chosen)
    app = Flask(__name__, static_folder=None)
    if app.debug and chosen.is_open:
        raise BadSetting("an exchange that others reach does not run in debug mode: unset FLASK_DEBUG")
    app.config["MUSUBI_SETTINGS"] = chosen
    _attach_database(app, chosen)
    _attach_facilities(app, chosen)
    _mount(app, chosen)
    install(app)
    return app


def install(app: Flask) -> None:
    """Make the settings and facilities of this application those of the process."""
    settings.install(app.config["MUSUBI_SETTINGS"])
    facilities.install(app.extensions["marketplace.facilities"])


def create_serving_app(given: Settings) -> Flask:
    """Build the application and start its background work, in the process that serves it."""
    app = create_app(given)
    background.start(app, with_jobs=given.run_worker)
    return app


def prepare(given: Settings) -> Settings:
    """Start the embedded database where none is given, bring the schema up, and name the database."""
    try:
        given.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSetting(f"MARKETPLACE_DATA_DIR={given.data_dir} cannot be made ({error}): set another") from error
    _refuse_unusable_keys(given)
    url = _database_url(given)
    engine = create_engine(url)
    try:
        migrations.upgrade(engine, readable=archiving.TABLES)
    except OperationalError as error:
        raise BadSetting(f"the database of DATABASE_URL does not serve ({error.orig}): start it, or mend it") from error
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        raise BadSetting(
            "the schema is behind, and the login of DATABASE_URL may not bring it up: run `marketplace migrate` with"
            f" the login that owns the database ({str(error.orig).splitlines()[0]})"
        ) from error
    finally:
        engine.dispose()
    return replace(given, database_url=url)


def _refuse_unusable_keys(given: Settings) -> None:
    """Find out at the start, and not at the first sign-in, that a key is not what it should be; makes none."""
    settings.install(given)
    reads = (
        (given.installation_key_path, lambda: installation_key.derived("start")),
        (given.signing_key_path, keys.current),
    )
    try:
        for path, read in reads:
            if path.exists():
                read()
    except (InstallationKeyUnusable, SigningKeyUnusable, OSError) as error:
        raise BadSetting(str(error)) from error


def composition() -> cli.Composition:
    """Hand the commands what they need; the settings are read when a command asks for them."""
    return cli.Composition(
        settings=lambda: settings.from_environment(os.environ),
        prepare=prepare,
        create_app=create_app,
        create_serving_app=create_serving_app,
        run_worker=_run_worker,
    )


def main() -> None:
    """Run the ``marketplace`` command; a bad setting ends it with one clear line."""
    logs.configure()
    try:
        cli.build(composition())()
    except BadSetting as error:
        sys.exit(f"marketplace: {error}")


def _database_url(chosen: Settings) -> str:
    if chosen.database_url:
        return postgres.sqlalchemy_url(chosen.database_url)
    return postgres.database_url(chosen.data_dir)


def _attach_database(app: Flask, chosen: Settings) -> None:
    app.config["SQLALCHEMY_DATABASE_URI"] = _database_url(chosen)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_size": chosen.threads + 8,
        "max_overflow": 16,
        "pool_events": [(pool.refuse_dead, "checkout")],
        "connect_args": {"options": "-c timezone=UTC -c lock_timeout=20s"},
    }
    db.init_app(app)


def _attach_facilities(app: Flask, chosen: Settings) -> None:
    chosen.search_dir.mkdir(parents=True, exist_ok=True)
    app.extensions["marketplace.facilities"] = Facilities(
        settings=chosen,
        store=choosing.store_of(chosen),
        links=choosing.links_of(chosen),
        parts=Parts(chosen.store_dir / "parts"),
        index=SearchIndex(chosen.search_dir),
        gateway=StripeGateway(
            api_key=chosen.stripe_api_key,
            site_url=chosen.base_url,
            api_base=chosen.gateway_base,
            webhook_secrets=chosen.webhook_secrets,
            max_retries=chosen.stripe_max_retries,
            timeout_seconds=chosen.stripe_timeout_seconds,
            konbini_days=chosen.konbini_days,
            live=chosen.payments_live,
            # A server that called itself through its own thread pool could wait for itself for ever.
            transport=within_process(exchange_with(app)) if chosen.sandbox else None,
        ),
    )


def _mount(app: Flask, chosen: Settings) -> None:
    proxies.attach(app, chosen)
    limits.attach(app, chosen)
    boundary.guard(app, chosen.base_url)
    headers.register(app, chosen.base_url)
    watch.register(app, sessions.person_id)
    transparency.register(app)
    problems.register(app, problem_pages.answer)
    api = openapi.describe(app, chosen.base_url)
    for resource in RESOURCES:
        api.register_blueprint(resource.blp)
    for plain in (oauth.blp, webhooks.blp):
        app.register_blueprint(plain)
    delta_sharing.attach(app, streams.respond)
    catalogue.attach(app)
    ckan.attach(app, streams.respond)
    mcp.attach(app, streams.respond_within)
    web.attach(app, api.spec.to_dict)
    if chosen.sandbox:
        config = SandboxConfig(
            webhook_url=f"{chosen.base_url}/webhooks/stripe",
            webhook_secret=chosen.webhook_secrets[0],
            public_url=f"{chosen.base_url}/sandbox",
            api_key=chosen.stripe_api_key,
        )
        app.register_blueprint(sandbox.blueprint(config))
    background.attach(app)


def _run_worker(app: Any) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _setter(stop))
    background.start(app, with_jobs=True)
    stop.wait()
    background.stop(app)


def _setter(stop: threading.Event) -> Callable[..., None]:
    def end(_number: int, _frame: object) -> None:
        stop.set()

    return end
