"""The operator's balance: one balance transaction for each movement of money, lists of them, their sums."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, func, select

from marketplace.kit.db import db
from marketplace.sandbox import listing, store, wire
from marketplace.sandbox.config import SandboxConfig
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.wire import WireError

KIND = "balance_transaction"
SETTLING = timedelta(days=4)
_LOCK = 0x62616C61  # "bala": apart from other advisory locks of this database
_FEES = {"stripe_fee": "Stripe processing fees", "dispute_fee": "Dispute fee"}


def book(
    source: dict[str, Any],
    amount: int,
    *,
    kind: str,
    story: Recorder,
    category: str | None = None,
    fee: int = 0,
    fee_kind: str = "stripe_fee",
    settling: timedelta = timedelta(0),
) -> dict[str, Any]:
    """Keep and return what ``source`` brings to the balance (takes, if negative), in yen; ``fee`` lessens it."""
    document = {
        "id": wire.new_id("txn_3" if kind in {"charge", "refund"} else "txn_1"),
        "object": KIND,
        "amount": amount,
        "available_on": _available_on(story.now, settling),
        "balance_type": "payments",
        "created": int(story.now.timestamp()),
        "currency": "jpy",
        "description": source.get("description"),
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [_fee_detail(fee, fee_kind)] if fee else [],
        "net": amount - fee,
        "reporting_category": category or kind,
        "source": source["id"],
        "status": "pending" if settling else "available",
        "type": kind,
    }
    return store.keep(document, story.now, parent_id=source["id"]).document


def fee_of(method: str, amount: int, config: SandboxConfig) -> int:
    """Return what the sandbox keeps of a payment, in yen rounded down."""
    if method == "customer_balance":
        share = amount * config.bank_transfer_fee_basis_points // 10_000
        return min(amount, max(share, config.bank_transfer_fee_yen_min))
    share = amount * config.fee_basis_points // 10_000
    return min(amount, max(share, config.konbini_fee_yen_min)) if method == "konbini" else share


def transactions(query: Reader) -> dict[str, Any]:
    """Answer ``GET /v1/balance_transactions``."""
    wanted: list[ColumnElement[bool]] = []
    kind, source, payout = query.text("type"), query.text("source"), query.text("payout")
    query.choice("currency", ("jpy",))
    if kind:
        wanted.append(SandboxObject.document["type"].astext == kind)
    if source:
        wanted.append(SandboxObject.parent_id == source)
    if payout:
        _require_automatic(payout)
        wanted.append(SandboxObject.details["payout"].astext == payout)
    return listing.list_objects(query, KIND, "/v1/balance_transactions", wanted)


def show(now: datetime) -> dict[str, Any]:
    """Answer ``GET /v1/balance``."""
    available, pending = sums(now)
    return {
        "object": "balance",
        "available": [_amount(available)],
        "livemode": False,
        "pending": [_amount(pending)],
    }


def sums(now: datetime) -> tuple[int, int]:
    """Return what is available and what is pending, in yen."""
    ripe = SandboxObject.document["available_on"].astext.cast(BigInteger) <= int(now.timestamp())
    net = func.coalesce(func.sum(SandboxObject.document["net"].astext.cast(BigInteger)), 0)
    mine = SandboxObject.kind == KIND
    available = db.session.execute(select(net).where(mine, ripe)).scalar_one()
    pending = db.session.execute(select(net).where(mine, ~ripe)).scalar_one()
    return int(available), int(pending)


def require_available(amount: int, now: datetime) -> None:
    """Refuse to send more than is available; who asks next waits until this transaction ends. Raises WireError."""
    hold()
    available, _pending = sums(now)
    if amount > available:
        message = (
            "You have insufficient available funds in your Stripe account."
            f" One-time transfers and payouts can only use the available balance, which is ¥{available:,}."
        )
        raise WireError(message, code="balance_insufficient", param="amount")


def hold() -> None:
    """Let nobody else spend from the balance until the transaction ends."""
    db.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def ripe(now: datetime) -> list[SandboxObject]:
    """Return the available balance transactions that no payout has carried away, oldest first, locked."""
    wanted = (
        select(SandboxObject)
        .where(
            SandboxObject.kind == KIND,
            SandboxObject.document["available_on"].astext.cast(BigInteger) <= int(now.timestamp()),
            SandboxObject.details["payout"].is_(None),
        )
        .order_by(SandboxObject.sequence)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(db.session.execute(wanted).scalars())


def _require_automatic(payout_id: str) -> None:
    if not store.get("payout", payout_id).document["automatic"]:
        message = "Balance transaction history can only be filtered on automatic payouts, not manual."
        raise WireError(message, param="payout")


def _available_on(now: datetime, settling: timedelta) -> int:
    seconds = int((now + settling).timestamp())
    return seconds // 86_400 * 86_400 if settling else seconds


def _fee_detail(fee: int, kind: str) -> dict[str, Any]:
    return {
        "amount": fee,
        "application": None,
        "currency": "jpy",
        "description": _FEES[kind],
        "type": "stripe_fee",
    }


def _amount(yen: int) -> dict[str, Any]:
    return {"amount": yen, "currency": "jpy", "source_types": {"card": yen}}
