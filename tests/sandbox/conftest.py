"""A sandbox on a database of its own, served over loopback, with the real SDK in front and a webhook endpoint behind."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import stripe
from flask import Flask
from sqlalchemy import delete, select, text
from werkzeug.serving import make_server

from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.sandbox import controls, mounting
from marketplace.sandbox.config import SandboxConfig
from marketplace.sandbox.models import SandboxDelivery, SandboxEvent, SandboxIdempotency, SandboxObject
from tests.contract import answers

SECRET = "whsec_test_of_the_sandbox"
KEY = "sk_test_sandbox"


@dataclass
class Endpoint:
    """A webhook endpoint that answers as told and remembers what it got."""

    url: str = ""
    statuses: deque[int] = field(default_factory=deque)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def events(self) -> list[stripe.Event]:
        verify = stripe.StripeClient(KEY).construct_event
        return [verify(body, headers["Stripe-Signature"], SECRET) for headers, body in self.received]

    def types(self) -> list[str]:
        return [event.type for event in self.events()]


@dataclass
class World:
    """Everything a test needs to trade with the sandbox."""

    app: Flask
    config: SandboxConfig
    base: str
    stripe: stripe.StripeClient
    endpoint: Endpoint
    http: requests.Session

    def session(self, **changes: Any) -> Any:
        return self.stripe.v1.checkout.sessions.create(order() | changes)

    def pay(self, session_id: str, deed: str = "pay") -> requests.Response:
        return self.http.post(f"{self.base}/pay/{session_id}/{deed}", allow_redirects=False)

    def send(self, method: str, path: str, key: str = KEY, **rest: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}"} | rest.pop("headers", {})
        return self.http.request(method, f"{self.base}{path}", headers=headers, **rest)

    def do(self, control: str, *arguments: Any, **named: Any) -> Any:
        """Call a control within the process, as a simulation does."""
        with self.app.app_context():
            return getattr(controls, control)(*arguments, **named)

    def paid(self, **changes: Any) -> Any:
        """A session that was paid by card, with its intent, charge and balance transaction inside."""
        self.do("pay", self.session(**changes).id)
        return self.newest_session()

    def newest_session(self) -> Any:
        path = "data.payment_intent.latest_charge.balance_transaction"
        return self.stripe.v1.checkout.sessions.list({"limit": 1, "expand": [path]}).data[0]

    def types(self) -> list[str]:
        """The types of all events, oldest first."""
        return [event.type for event in self.stripe.v1.events.list({"limit": 100}).data][::-1]

    def count(self, table: Any, **equal: Any) -> int:
        with self.app.app_context():
            return db.session.query(table).filter_by(**equal).count()


def line(name: str = "札幌市 人流データ 2026年版", unit_amount: int = 12_000, quantity: int = 1) -> dict[str, Any]:
    """One line of a purchase."""
    product = {"name": name, "description": "1か月分の歩行者数 (CSV)"}
    return {
        "quantity": quantity,
        "price_data": {"currency": "jpy", "unit_amount": unit_amount, "product_data": product},
    }


def order() -> dict[str, Any]:
    """The parameters of an ordinary purchase."""
    return {
        "mode": "payment",
        "line_items": [line(), line("Map tiles <b>", 345, 2)],
        "success_url": "https://shop.example.jp/orders/1?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example.jp/orders/1/cancel",
        "client_reference_id": "ord_1",
        "metadata": {"order_id": "ord_1", "買い手": "北海道株式会社"},
        "payment_intent_data": {
            "metadata": {"order_id": "ord_1"},
            "description": "注文 ord_1",
            "transfer_group": "ord_1",
        },
    }


@pytest.fixture(scope="session")
def listening() -> Iterator[Endpoint]:
    """A webhook endpoint on loopback, for all tests one after another."""
    known = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known.received.append((dict(self.headers), body))
            self.send_response(known.statuses.popleft() if known.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.url = f"http://127.0.0.1:{server.server_port}/webhooks/stripe?from=sandbox"
    with running(server):
        yield known


@pytest.fixture
def endpoint(listening: Endpoint) -> Endpoint:
    """The webhook endpoint, with nothing received."""
    listening.received.clear()
    listening.statuses.clear()
    return listening


@pytest.fixture(scope="session")
def sandbox_database(clone: Callable[[], str]) -> str:
    """A database of the sandbox's own, where commits are real."""
    return clone()


@pytest.fixture(scope="session")
def standing(sandbox_database: str, listening: Endpoint) -> Iterator[World]:
    """An ordinary sandbox, served for all tests one after another."""
    with _world(sandbox_database, listening, {}) as world:
        yield world


@pytest.fixture
def world(standing: World, endpoint: Endpoint) -> Iterator[World]:
    """An ordinary sandbox, empty and with its knobs at rest; whatever a test leaves in it has Stripe's shapes."""
    del endpoint
    _empty(standing)
    yield standing
    with standing.app.app_context():
        controls.reset()
        rows = [*db.session.execute(select(SandboxObject.document)), *db.session.execute(select(SandboxEvent.document))]
    assert [error for (document,) in rows for error in answers.errors_of(document)] == []


@pytest.fixture
def make_world(sandbox_database: str, endpoint: Endpoint) -> Iterator[Callable[..., World]]:
    """Serve an empty sandbox of a kind of its own; keyword arguments are fields of its config."""
    with ExitStack() as closing:

        def make(**changes: Any) -> World:
            made = closing.enter_context(_world(sandbox_database, endpoint, changes))
            _empty(made)
            return made

        yield make


def make_app(database_url: str, config: SandboxConfig) -> Flask:
    """An application that is nothing but the sandbox."""
    app = Flask(__name__, static_folder=None)
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 20}
    db.init_app(app)
    app.register_blueprint(mounting.blueprint(config))
    return app


def sdk(base: str, http: requests.Session, key: str = KEY) -> stripe.StripeClient:
    """stripe-python as the exchange uses it."""
    stripe.enable_telemetry = False
    client = stripe.RequestsClient(session=http, timeout=(3, 20))
    return stripe.StripeClient(key, base_addresses={"api": base}, http_client=client)


@contextmanager
def _world(database_url: str, endpoint: Endpoint, changes: dict[str, Any]) -> Iterator[World]:
    config = SandboxConfig(**{"webhook_url": endpoint.url, "webhook_secret": SECRET, **changes})
    app = make_app(database_url, config)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    base = f"http://127.0.0.1:{server.server_port}/sandbox"
    with requests.Session() as http, running(server):
        yield World(app, config, base, sdk(base, http), endpoint, http)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def _empty(world: World) -> None:
    with world.app.app_context(), transaction():
        for table in (SandboxDelivery, SandboxEvent, SandboxObject, SandboxIdempotency):
            db.session.execute(delete(table))
        db.session.execute(text("DELETE FROM procrastinate_jobs"))


@contextmanager
def running(server: Any) -> Iterator[None]:
    """Serve in a thread as long as the block lasts."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()
