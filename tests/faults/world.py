"""One exchange in this process, with a provider, a buyer and an offer; served over loopback where asked."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import func, select
from werkzeug.serving import make_server

from marketplace.access.models import Grant
from marketplace.audit import verification
from marketplace.audit.models import Entry
from marketplace.audit.sequencer import sequence_all
from marketplace.audit.verbs import Verb
from marketplace.billing import ledger_queries
from marketplace.billing.ledger_models import LedgerEntry, LedgerTxn
from marketplace.billing.models import Invoice, Order, Payment
from marketplace.catalog import service as catalog
from marketplace.catalog.states import ProfileState
from marketplace.demo.party import Party
from marketplace.exchange import facilities, listing, pages, payment, purchase
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.models import Offer
from marketplace.licensing.rules import Limits, Price
from marketplace.licensing.states import PriceKind
from marketplace.sandbox import checkout
from marketplace.sandbox.config import EXTENSION, SandboxConfig
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxEvent
from tests.factories import licensing as make
from tests.factories.catalog import profiled
from tests.factories.identity import ApiClientFactory, OrganizationFactory, actor_of

SECRET = "mk_sk_known-to-the-test"
CONTENT = "日付,地点,人数\n".encode() + b"2026-11-22,Odori,12345\n" * 5000
FILE = "人流.csv"
PRICE_YEN = 5000


@dataclass
class World:
    """Who trades, and what."""

    app: Flask
    provider: Actor
    buyer: Actor
    dataset_id: str

    @property
    def base_url(self) -> str:
        return self.app.config["MUSUBI_SETTINGS"].base_url

    @property
    def sandbox(self) -> SandboxConfig:
        return self.app.extensions[EXTENSION]

    def party(self, actor: Actor, role: str = "buyer") -> Party:
        """The actor over HTTP."""
        return Party(role, self.base_url, actor.organization_id, actor.client_id or "", SECRET)

    def offer(self, yen: int = PRICE_YEN, **limits: int) -> Offer:
        """A one-off offer, free where it costs nothing."""
        price = Price(PriceKind.ONE_OFF, yen) if yen else Price(PriceKind.FREE, 0)
        with transaction():
            terms_id = make.terms_of(self.provider, fee="有償" if yen else "無償").id
            given = {"dataset_id": self.dataset_id, "terms_id": terms_id}
            draft = make.draft_for(self.provider, **given, price=price, limits=Limits(**limits))
            made = listing.make_offer(self.provider, draft)
            ids = made.id, made.terms_sha256
        return Offer(id=ids[0], terms_sha256=ids[1])

    def order(self, offer: Offer | None = None, *, begin: bool = True) -> str:
        """Place an order and open its payment page; returns the order's id."""
        offer = offer or self.offer()
        with transaction():
            order_id = purchase.place_order(self.buyer, offer.id, offer.terms_sha256)
            tried = purchase.read(self.buyer, order_id).payment
            payment_id = tried.id if tried else None
        if payment_id and begin:
            payment.begin(payment_id)
        return order_id

    def open_page_and_die(self, order_id: str) -> str:
        """Open the payment page and forget the gateway's answer, as if we were killed before our commit."""
        with transaction():
            asked = pages._question(self.payment(order_id).id)
        return pages._open(asked).session_id

    def pay(self, order_id: str, session_id: str | None = None) -> list[dict[str, Any]]:
        """Pay at the gateway; returns all events of it that are owed to us, none of which is delivered yet."""
        session_id = session_id or self.payment(order_id).session_id
        with transaction():
            checkout.pay(session_id, Recorder(self.sandbox, clock.now()))
        with transaction():
            return list(db.session.scalars(select(SandboxEvent.document).order_by(SandboxEvent.sequence)))

    def payment(self, order_id: str) -> Payment:
        return db.session.scalars(select(Payment).where(Payment.order_id == order_id)).one()

    def state(self, order_id: str) -> str:
        return db.session.scalars(
            select(Order.state).where(Order.id == order_id), execution_options={"populate_existing": True}
        ).one()


def make_world(app: Flask) -> World:
    """Let a provider and a buyer into an application, and the provider publish one file."""
    with transaction():
        seller = OrganizationFactory(provider=True)
        seller.invoice_registration_number = f"T{seller.corporate_number}"
        buyer = OrganizationFactory(buyer=True)
        provider = actor_of(seller, ApiClientFactory(organization=seller, secret=SECRET))
        customer = actor_of(buyer, ApiClientFactory(organization=buyer, secret=SECRET))
        dataset_id = make.dataset_of(provider).id
        release_id = catalog.open_release(provider, dataset_id, "2026-11").id
        stored = facilities.current().store.receive([CONTENT], len(CONTENT))
        file_id = listing.attach(provider, release_id, FILE, "text/csv", stored).id
        profiled(file_id, None, ProfileState.OPAQUE)
        listing.publish(provider, release_id)
    return World(app, provider, customer, dataset_id)


@contextmanager
def served(app: Flask) -> Iterator[None]:
    """Serve an application at its own address by threads of this process."""
    chosen = app.config["MUSUBI_SETTINGS"]
    server = make_server("127.0.0.1", chosen.port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def at_once(deeds: list[Callable[[], Any]], app: Flask | None = None) -> list[Any]:
    """Run all deeds at the same time, each in a thread (and application context) of its own."""
    start = threading.Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> Any:
        start.wait()
        if app is None:
            return deed()
        with app.app_context():
            return deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return [future.result() for future in [pool.submit(run, deed) for deed in deeds]]


def count(table: Any, *conditions: Any) -> int:
    """How many rows are committed."""
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(table).where(*conditions))


def entries(verb: Verb, subject: str | None = None) -> list[Entry]:
    """The record's entries of one verb."""
    query = select(Entry).where(Entry.verb == verb.value)
    return list(db.session.scalars(query.where(Entry.subject == subject) if subject else query))


def booked(kind: str) -> int:
    """How many ledger transactions of a kind there are."""
    return count(LedgerTxn, LedgerTxn.kind == kind)


def balance(account_prefix: str) -> int:
    """The balance of all accounts that begin so."""
    db.session.rollback()
    accounts = ledger_queries.trial_balance().accounts
    return sum(account.balance_minor for account in accounts if account.code.startswith(account_prefix))


def assert_sold_once(order_id: str) -> None:
    """One grant, one sale, one invoice, one entry each; and the books in order."""
    db.session.rollback()
    assert db.session.get_one(Order, order_id).state == "fulfilled"
    assert count(Grant, Grant.order_id == order_id) == 1
    assert count(Invoice, Invoice.order_id == order_id) == 1
    assert count(LedgerTxn, LedgerTxn.idem == f"sale:{order_id}") == 1
    assert [len(entries(verb, order_id)) for verb in (Verb.ORDER_PAID, Verb.ORDER_FULFILLED)] == [1, 1]
    assert_sound()


def assert_sound() -> None:
    """The ledger sums to zero and the record verifies."""
    db.session.rollback()
    assert (db.session.scalar(select(func.sum(LedgerEntry.amount_minor))) or 0) == 0
    sequence_all()
    verdict = verification.verify()
    assert verdict.sound, verdict.findings
    db.session.rollback()
