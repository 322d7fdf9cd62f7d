"""A market whose every deed may be done again: orders under keys, payments at the gateway, transfers, slips; and its check."""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from marketplace.access.models import Grant
from marketplace.audit import verification
from marketplace.audit.sequencer import sequence_all
from marketplace.billing import postings
from marketplace.billing.balance.models import Movement
from marketplace.billing.documents.models import Document
from marketplace.billing.earning_models import Earning
from marketplace.billing.ledger_models import LedgerTxn
from marketplace.billing.models import Invoice, Order, Payment, StripeEvent
from marketplace.exchange import balance, banking, payment
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.models import Offer
from marketplace.licensing.states import PriceKind, Rail
from marketplace.sandbox import controls
from marketplace.sandbox.models import SandboxObject
from tests.factories import market, money
from tests.factories.identity import ApiClientFactory, OrganizationFactory, actor_of
from tests.faults.deaths import elsewhere
from tests.faults.world import SECRET, World, count, make_world

GROSS_YEN = 5_500
METHODS = {Rail.CARD: "card", Rail.KONBINI: "konbini", Rail.BANK_TRANSFER: "bank_transfer"}


@dataclass
class Shop:
    """One provider with one dataset, one buyer with a client."""

    app: Flask
    provider: Actor
    buyer: Actor
    listed: market.Listed
    _tokens: dict[tuple[str | None, int], str] = field(default_factory=dict)

    def token(self) -> str:
        """A token of the buyer that is good now."""
        turn = self.buyer.client_id, int(clock.now().timestamp()) // 120
        if turn not in self._tokens:
            asked, by = {"grant_type": "client_credentials"}, (self.buyer.client_id or "", SECRET)
            answer = self.app.test_client().post("/oauth/token", data=asked, auth=by)
            assert answer.status_code == 200, answer.text
            self._tokens[turn] = answer.get_json()["access_token"]
        return self._tokens[turn]

    def another_buyer(self) -> None:
        """Let somebody else buy from now on."""
        with transaction():
            organization = OrganizationFactory(buyer=True)
            self.buyer = actor_of(organization, ApiClientFactory(organization=organization, secret=SECRET))

    def offer(self, *rails: Rail, **said: Any) -> Offer:
        """An offer of 5,000 yen before tax, unless it says something else."""
        said.setdefault("kind", PriceKind.ONE_OFF)
        if "price" in said:
            del said["kind"]
        return frozen(market.offered(self.listed, said={"rails": rails} if rails else {}, **said))

    def order(self, offer: Offer, key: str) -> dict[str, Any]:
        """POST /v1/orders under a key, as often as one likes."""
        body = {"offer_id": offer.id, "accept_terms_sha256": offer.terms_sha256}
        headers = {"Authorization": f"Bearer {self.token()}", "Idempotency-Key": key}
        answer = self.app.test_client().post("/v1/orders", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.get_json())


def frozen(offer: Offer) -> Offer:
    """What a buyer needs to know of an offer, for any thread and process."""
    return Offer(id=offer.id, terms_sha256=offer.terms_sha256)


def new_key() -> str:
    """A key under which one order is placed."""
    return str(uuid.uuid4())


def open_shop(app: Flask) -> Shop:
    """Let a provider and a buyer into an application."""
    world: World = make_world(app)
    return Shop(app, world.provider, world.buyer, market.Listed(world.provider, world.dataset_id, ""))


def choose(session_id: str, rail: Rail) -> None:
    """Pay on the payment page, or choose there to pay later; again, it changes nothing."""
    if _page(session_id)["status"] == "open":
        with elsewhere():
            controls.pay(session_id, METHODS[rail])


def arrive(session_id: str, rail: Rail) -> None:
    """Let money arrive that was to come later; again, it changes nothing."""
    page = _page(session_id)
    if page["payment_status"] == "unpaid":
        with elsewhere():
            if rail is Rail.KONBINI:
                controls.pay_at_till(session_id)
            else:
                controls.fund(page["customer"], page["amount_total"])


def learn() -> None:
    """Let the exchange learn what the gateway knows; its balance is read by a job of its own."""
    payment.backfill()
    payment.work_inbox()


def transfer(number: str, yen: int = GROSS_YEN) -> banking.Imported:
    """Take in the bank's statement that tells of the payment of one invoice."""
    head = "日付,入金額,振込依頼人名,摘要,仮想口座番号\n"
    return banking.import_statement(SYSTEM, f'{head}R8.11.22,"{yen:,}",ヤマダ,{number},\n'.encode("cp932"))


def session_of(order_id: str) -> str:
    """The payment page of an order."""
    with transaction():
        return db.session.scalars(select(Payment.session_id).where(Payment.order_id == order_id)).one() or ""


def number_of(order_id: str) -> str:
    """The number of an order's invoice."""
    with transaction():
        return db.session.scalars(select(Invoice.number).where(Invoice.order_id == order_id)).one()


def papers_of(order_id: str) -> list[str]:
    """The kinds of the papers about an order."""
    query = select(Document.kind).where(Document.about.contains([order_id])).order_by(Document.kind)
    with transaction():
        return list(db.session.scalars(query))


def assert_one_of_each(order_id: str) -> None:
    """One grant, one sale and what it earned, one invoice and one receipt."""
    db.session.rollback()
    assert db.session.get_one(Order, order_id, populate_existing=True).state == "fulfilled"
    assert count(Grant, Grant.order_id == order_id) == 1
    assert count(LedgerTxn, LedgerTxn.idem == f"sale:{order_id}") == 1
    assert count(Earning, Earning.ref == order_id) == 1
    assert [one.state for one in db.session.scalars(select(Invoice).where(Invoice.order_id == order_id))] == ["paid"]
    assert papers_of(order_id) == ["invoice", "receipt"]


def assert_whole(later: timedelta = timedelta()) -> None:
    """Nothing is on its way, nothing unexplained, every check of the books passes, and the record verifies."""
    with clock.stopped(clock.now() + later):
        balance.reconcile()
    assert money.in_transit() == {}
    assert money.balances().get(postings.SUSPENSE, 0) == 0
    assert count(Movement, Movement.state != "matched") == 0
    assert count(StripeEvent, StripeEvent.processed_at.is_(None)) == 0
    assert _at_gateway() == money.balances().get(postings.CLEARING, 0)
    money.assert_sound()
    sequence_all()
    verdict = verification.verify()
    assert verdict.sound, verdict.findings
    db.session.rollback()


def _page(session_id: str) -> dict[str, Any]:
    with transaction():
        return dict(db.session.get_one(SandboxObject, session_id, populate_existing=True).document)


def _at_gateway() -> int:
    """What the gateway says that we have there."""
    nets = select(func.sum(SandboxObject.document["net"].as_integer()))
    with transaction():
        return db.session.scalar(nets.where(SandboxObject.kind == "balance_transaction")) or 0
