"""Real stories on a real database, and a gateway whose words come late, shuffled and up to five times."""

import contextvars
import json
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from flask import Flask
from sqlalchemy import select, text

from marketplace.billing import inbox, ledger_checks
from marketplace.billing.models import Payment
from marketplace.billing.payouts import service as payouts
from marketplace.billing.payouts.rules import AccountDraft
from marketplace.billing.payouts.states import AccountType
from marketplace.exchange import balance, payment, refund
from marketplace.identity import service as identity
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Refusal
from marketplace.kit.transaction import transaction
from marketplace.licensing.offers import Share
from marketplace.licensing.prices import Price
from marketplace.licensing.states import Cancellation, PriceKind, Rail
from marketplace.sandbox import controls
from marketplace.sandbox.config import EXTENSION
from marketplace.sandbox.delivery import signature
from marketplace.sandbox.models import SandboxEvent, SandboxObject
from marketplace.sandbox.wire import WireError
from tests.factories import market
from tests.factories.licensing import per_mib
from tests.properties.money_model import Model, Sale, gross_of

BEGIN = datetime(2028, 1, 28, 3, tzinfo=UTC)
"""Close to the end of a month, before the February of a leap year and the end of a fiscal year."""
CONTENT = bytes(range(256)) * 4
COPIES_MAX = 5
PER_BYTE_QUARTERS = 3
GATEWAY = (Rail.CARD, Rail.KONBINI, Rail.BANK_TRANSFER)


@dataclass(frozen=True)
class Shelf:
    """An offer as the model knows it."""

    id: str
    terms_sha256: str
    net: int
    taxed: bool
    rails: tuple[Rail, ...]


@dataclass
class Bought:
    """An order that somebody placed, and how it is to be paid."""

    order_id: str
    who: int
    shelf: int
    rail: Rail | None


class World:
    """Two providers, three buyers, two persons of the operator, and everything that happens between them."""

    def __init__(self, app: Flask, seed: int = 0) -> None:
        self.app, self.chance, self.now = app, Random(seed), BEGIN
        self.model, self.steps = Model(), 0
        self.refused: Counter[str] = Counter()
        self.bought: list[Bought] = []
        self.mail: list[bytes] = []
        self.posted = self.seen = self.serial = 0
        self.balance_read = self.now
        self.covered: dict[str, set[int]] = {}
        with clock.stopped(self.now):
            self._found()

    def _found(self) -> None:
        first = market.party(operator=True)
        with transaction():
            second, _secret = identity.register_client(first, first.organization_id, "会計主任", first.scopes)
            self.operators = [first, replace(first, client_id=second.id)]
        self.buyers = [market.buyer() for _ in range(3)]
        self.providers = [market.seller(), market.seller(registered=False)]
        for number, provider in enumerate(self.providers, 1):
            account = AccountDraft("0001", "001", AccountType.ORDINARY, f"{number:07d}", "ﾃｽﾄ", is_business=True)
            with transaction():
                payouts.name_account(provider, account)
        self.on = [market.listed(provider, CONTENT) for provider in self.providers]
        first, second = (one.organization_id for one in self.providers)
        shared = (Share(first, 6667), Share(second, 3333))
        monthly = Price(PriceKind.SUBSCRIPTION, 3000, term_months=1)
        every = (*GATEWAY, Rail.INVOICE)
        self.shelves = [
            self._shelf(0, 777, every),
            self._shelf(0, 50_000, (*GATEWAY, Rail.INVOICE), shares=shared),
            self._shelf(0, 1, (Rail.INVOICE,)),
            self._shelf(1, 10_000, (Rail.OUTSIDE, Rail.CARD)),
            self._shelf(0, 31_000, every, days=31, cancellation=Cancellation.PRO_RATA),
            self._shelf(0, 3000, (Rail.CARD, Rail.INVOICE), price=monthly),
            self._shelf(1, 0, (Rail.INVOICE,), price=per_mib(PER_BYTE_QUARTERS * 2**18, 0)),
        ]

    def _shelf(
        self,
        by: int,
        yen: int,
        rails: tuple[Rail, ...],
        days: int | None = None,
        price: Price | None = None,
        **said: Any,
    ) -> Shelf:
        limits = {"duration_days": days} if days else {}
        made = market.offered(self.on[by], amount_yen=yen, price=price, said={"rails": rails, **said}, **limits)
        return Shelf(made.id, made.terms_sha256, yen, by == 0, rails)

    # What happens, one step at a time.

    def do(self, deed: Callable[..., None], *said: Any) -> None:
        """Do one deed a moment after the last; what is refused changes nothing in the books."""
        self.steps += 1
        self.now += timedelta(seconds=1)
        with clock.stopped(self.now):
            refused = refusal_of(partial(deed, *said))
            if refused:
                self.refused[type(refused).__name__] += 1
            self._read_the_balance()
            self.note_orders()
        db.session.remove()

    def _read_the_balance(self) -> None:
        """Read it as the hourly job does: seldom, but before its patience is over."""
        if self.now - self.balance_read > ledger_checks.MOVEMENT_PATIENCE / 2:
            balance.reconcile()
            self.balance_read = self.now

    def pick(self, of: list[Any], n: int) -> Any:
        """The n-th of a list, going round; None of an empty one."""
        return of[n % len(of)] if of else None

    def sale_of(self, made: Bought) -> Sale:
        """What the model knows of an order."""
        return self.model.sales[made.order_id]

    def note_orders(self) -> None:
        """Let the model know of every order, those that renewals placed and of every invoice over usage."""
        for row in rows(
            "SELECT id, organization_id, offer_id, rail, amount_net_yen, amount_gross_yen FROM purchase_order"
        ):
            if row.id not in self.model.sales:
                shelf = next(one for one in self.shelves if one.id == row.offer_id)
                wanted = (shelf.net, gross_of(shelf.net, taxed=shelf.taxed))
                assert (row.amount_net_yen, row.amount_gross_yen) == wanted
                self.model.sales[row.id] = Sale(row.id, row.organization_id, *wanted, row.rail)
        for row in rows("SELECT id, recipient_organization_id, amount_net_yen FROM invoice WHERE order_id IS NULL"):
            if row.id not in self.model.sales:
                net = row.amount_net_yen
                # The seller of usage is not registered, and charges no tax.
                self.model.sales[row.id] = Sale(row.id, row.recipient_organization_id, net, net, "invoice")

    # What the gateway says.

    def collect(self) -> None:
        """Take what the gateway has said since, each word one to five times."""
        query = select(SandboxEvent.sequence, SandboxEvent.document).where(SandboxEvent.sequence > self.seen)
        with transaction():
            told = db.session.execute(query.order_by(SandboxEvent.sequence)).all()
        for sequence, document in told:
            self.seen = sequence
            body = json.dumps(document, ensure_ascii=False).encode()
            self.mail += [body] * self.chance.randint(1, COPIES_MAX)

    def post(self, share: float = 1.0) -> None:
        """Deliver a part of what is on its way, in any order; the rest is held back."""
        self.collect()
        self.chance.shuffle(self.mail)
        count = round(len(self.mail) * share)
        arriving, self.mail = self.mail[:count], self.mail[count:]
        secret = self.app.extensions[EXTENSION].webhook_secret
        for body in arriving:
            payment.receive_event(body, signature(body, secret, self.now))
            self.posted += 1

    def work(self, workers: int = 1) -> None:
        """Let so many workers at once work on what has come."""
        if workers == 1:
            payment.work_inbox()
            return
        with ThreadPoolExecutor(workers) as pool:
            context = contextvars.copy_context
            list(pool.map(lambda one: one.run(self._work), [context() for _ in range(workers)]))

    def _work(self) -> None:
        with self.app.app_context():
            try:
                payment.work_inbox()
            finally:
                db.session.remove()

    def settle_down(self) -> None:
        """Let everything arrive and be worked on, as an operator does who puts back what was parked."""
        for _ in range(4):
            self.now += timedelta(hours=2)
            with clock.stopped(self.now):
                self.post()
                self._unpark()
                for job in (payment.work_inbox, refund.pursue, payment.reconcile, payment.close_pages):
                    job()
                balance.reconcile()
                self.note_orders()
            db.session.remove()
        while self.mail or self._waiting():
            assert self.mail, [tuple(row) for row in self._waiting()]
            self.now += timedelta(hours=2)
            with clock.stopped(self.now):
                self.post()
                self.work()
                balance.reconcile()

    def _waiting(self) -> list[Any]:
        """Words that nobody has worked on, but for those of refunds there of more than is left here."""
        return rows(
            "SELECT id, type, trouble FROM stripe_event WHERE processed_at IS NULL"
            " AND coalesce(trouble, '') !~ '^(RefundTooLarge|NothingUnapplied)'"
        )

    def _unpark(self) -> None:
        with transaction():
            for event in inbox.list_parked():
                inbox.unpark(event.id)

    # What the gateway did, for the model: its own objects, not our tables.

    def hear(self) -> None:
        """Read out of the gateway itself what it took from whom, and what it gave back."""
        with transaction():
            objects = db.session.scalars(select(SandboxObject).order_by(SandboxObject.sequence)).all()
        found = {one.id: one for one in objects}
        for one in objects:
            if one.kind == "charge" and one.status == "succeeded":
                sale = self.model.sales[self._sold_by(found[str(found[str(one.parent_id)].parent_id)].id)]
                sale.charges[one.id] = one.document["amount"]
        movements = [one.document for one in objects if one.kind == "balance_transaction"]
        # The gateway has taken the money of a refund that it still holds; we wait for what becomes of it.
        waiting = {one.id for one in objects if one.kind == "refund" and one.status == "pending"}
        riddles = {
            one.source_id: -one.net_minor for one in rows("SELECT * FROM balance_transaction WHERE state = 'suspense'")
        }
        self.model.riddles = sum(riddles.values())
        waiting -= set(riddles)
        self.model.gateway_net = sum(one["net"] for one in movements if one["source"] not in waiting)
        paid_out = sum(one["net"] for one in movements if one["type"].startswith("payout"))
        self.model.gateway_paid_out = -paid_out
        self._hear_of_refunds(objects, riddles)
        self._hear_of_disputes(movements, objects)

    def _sold_by(self, session_id: str) -> str:
        paid = db.session.scalars(select(Payment).where(Payment.session_id == session_id)).one()
        if paid.order_id:
            return paid.order_id
        (row,) = rows("SELECT coalesce(order_id, id) AS ref FROM invoice WHERE id = :id", id=paid.invoice_id)
        return str(row.ref)

    def _hear_of_refunds(self, objects: Iterable[SandboxObject], riddles: dict[str, int]) -> None:
        told = {one.id: one for one in objects if one.kind == "refund"}
        ended = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}
        model, known = self.model, set()
        model.credited.clear()
        model.own_returned.clear()
        model.bank_refunds = 0
        for row in rows("SELECT * FROM refund"):
            stands = row.state != "failed"
            if row.gateway_refund_id:
                known.add(row.gateway_refund_id)
                assert row.state == ended.get(told[row.gateway_refund_id].status, "sent"), row
            if row.invoice_id is None:
                model.own_returned[row.organization_id] += row.amount_yen * stands
            else:
                returned = model.sales[row.sale_ref].returned
                returned.update({row.id: row.amount_yen}) if stands else returned.pop(row.id, None)
            model.credited[row.organization_id] += row.amount_yen * (row.way == "credit")
            model.bank_refunds += row.amount_yen * (row.way == "bank" and row.state == "succeeded")
        # A refund made there of more than is left here is a riddle, until we know of it and it has ended.
        strange = {one.id for one in told.values() if one.id not in known and one.status in {"succeeded", "pending"}}
        assert strange <= set(riddles) <= strange | {one.id for one in told.values() if one.status == "pending"}

    def _hear_of_disputes(self, movements: list[dict[str, Any]], objects: Iterable[SandboxObject]) -> None:
        told = {one.id: one.status for one in objects if one.kind == "dispute"}
        held: Counter[str] = Counter()
        for one in movements:
            if one["source"] in told:
                held[one["source"]] -= one["amount"]
        known = {row.gateway_dispute_id: row for row in rows("SELECT * FROM dispute")}
        assert set(known) == set(told)
        self.model.own_lost.clear()
        for name, row in known.items():
            lost = told[name] == "lost"
            assert row.lost_yen + row.absorbed_yen == (held[name] if lost else 0), row
            if row.invoice_id is None:
                self.model.own_lost[row.organization_id] += row.lost_yen
            elif lost:
                self.model.sales[row.sale_ref].lost[row.id] = row.lost_yen


def rows(statement: str, **values: object) -> list[Any]:
    """Ask the database."""
    with transaction():
        return list(db.session.execute(text(statement), values))


def posted() -> int:
    """How many transactions the ledger holds."""
    return int(rows("SELECT count(*) AS n FROM ledger_txn")[0].n)


def refusal_of(deed: Callable[[], object]) -> Refusal | WireError | None:
    """Do something, and return with what it was refused, if it was; no money has moved then."""
    before, refusal = posted(), None
    try:
        deed()
    except (Refusal, WireError) as refused:
        refusal = refused
        db.session.rollback()
    assert refusal is None or posted() == before, f"{deed} was refused ({refusal!r}) and moved money"
    return refusal


def pages() -> list[Any]:
    """The gateway's pages that are open or wait for money, newest first."""
    return rows(
        "SELECT id, status, document ->> 'customer' AS customer FROM sandbox_object"
        " WHERE kind = 'checkout.session' ORDER BY sequence DESC LIMIT 12"
    )


def charges() -> list[Any]:
    """The gateway's charges that took money."""
    return rows(
        "SELECT id, (document ->> 'amount')::int AS yen FROM sandbox_object"
        " WHERE kind = 'charge' AND status = 'succeeded' ORDER BY sequence DESC LIMIT 12"
    )


def standing(kind: str) -> list[str]:
    """The gateway's refunds, disputes or payouts, newest first."""
    return [
        row.id for row in rows("SELECT id FROM sandbox_object WHERE kind = :kind ORDER BY sequence DESC", kind=kind)
    ]


def move_clock(world: World, by: timedelta) -> None:
    """Let the clock jump, also back."""
    world.now += by
    with clock.stopped(world.now):
        controls.pass_time()
