"""Reading Stripe's refunds, disputes, transfers and balance as plain JSON; imports no Stripe."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marketplace.billing.gateways import wire
from marketplace.billing.gateways.reports import (
    BalanceTransaction,
    DisputeReport,
    RefundReport,
    TransferReport,
    UnreadableMovement,
)

_SOURCE_NAMES = ("id", "charge", "payment_intent", "transfer")


def read_refund(refund: Mapping[str, Any]) -> RefundReport:
    """Return our view of a refund."""
    return RefundReport(
        refund_id=str(refund["id"]),
        payment_intent_id=wire.id_of(refund.get("payment_intent")),
        charge_id=wire.id_of(refund.get("charge")),
        amount_minor=_amount(refund, "amount"),
        currency=wire.currency_of(refund),
        status=str(refund.get("status")),
        failure_reason=refund.get("failure_reason"),
        balance_transaction_id=wire.id_of(refund.get("balance_transaction")),
        failure_balance_transaction_id=wire.id_of(refund.get("failure_balance_transaction")),
        labels=_labels(refund),
    )


def read_transfer(transfer: Mapping[str, Any]) -> TransferReport:
    """Return our view of a transfer."""
    return TransferReport(
        transfer_id=str(transfer["id"]),
        destination=wire.id_of(transfer.get("destination")) or "",
        amount_minor=_amount(transfer, "amount"),
        amount_reversed_minor=_amount(transfer, "amount_reversed"),
        currency=wire.currency_of(transfer),
        group=transfer.get("transfer_group"),
        balance_transaction_id=wire.id_of(transfer.get("balance_transaction")),
        labels=_labels(transfer),
    )


def read_dispute(dispute: Mapping[str, Any]) -> DisputeReport:
    """Return our view of a dispute."""
    details = dispute.get("evidence_details") or {}
    return DisputeReport(
        dispute_id=str(dispute["id"]),
        charge_id=wire.id_of(dispute.get("charge")),
        payment_intent_id=wire.id_of(dispute.get("payment_intent")),
        amount_minor=_amount(dispute, "amount"),
        currency=wire.currency_of(dispute),
        status=str(dispute.get("status")),
        reason=str(dispute.get("reason")),
        evidence_due_at=_instant(details.get("due_by")),
        movements=tuple(read_balance_transaction(one) for one in dispute.get("balance_transactions") or ()),
    )


def read_movement(movement: Mapping[str, Any]) -> BalanceTransaction | UnreadableMovement:
    """Return our view of a balance transaction, or what is wrong with it: one must not hide those beside it."""
    try:
        return read_balance_transaction(movement)
    except ValueError as error:
        return UnreadableMovement(
            str(movement["id"]), str(movement.get("type")), wire.currency_of(movement), str(error)
        )


def read_balance_transaction(movement: Mapping[str, Any]) -> BalanceTransaction:
    """Return our view of a balance transaction, whose source may be expanded; ValueError for what is no amount."""
    source = movement.get("source")
    expanded = source if isinstance(source, Mapping) else {}
    names = [wire.id_of(source), *(wire.id_of(expanded.get(name)) for name in _SOURCE_NAMES)]
    return BalanceTransaction(
        transaction_id=str(movement["id"]),
        type=str(movement.get("type")),
        amount_minor=_amount(movement, "amount"),
        fee_minor=_amount(movement, "fee"),
        net_minor=_amount(movement, "net"),
        currency=wire.currency_of(movement),
        created_at=wire.instant(_whole(movement, "created")),
        available_at=wire.instant(_whole(movement, "available_on")),
        source_id=wire.id_of(source),
        names=tuple(dict.fromkeys(name for name in names if name)),
        labels=_labels(expanded),
    )


def _amount(thing: Mapping[str, Any], name: str) -> int:
    amount = wire.minor_of(thing, name)
    if amount is None:
        told = f"{thing.get(name)!r} {wire.currency_of(thing)}"
        raise ValueError(f"{thing.get('id')}: {name} is {told}, which is no whole number of minor units")
    return amount


def _whole(thing: Mapping[str, Any], name: str) -> int:
    number = wire.whole(thing.get(name))
    if number is None:
        raise ValueError(f"{thing.get('id')}: {name} is {thing.get(name)!r}, which is no whole number")
    return number


def _instant(seconds: Any) -> datetime | None:
    known = wire.whole(seconds)
    return wire.instant(known) if known is not None else None


def _labels(thing: Mapping[str, Any]) -> dict[str, str]:
    given = thing.get("metadata")
    return {str(key): str(value) for key, value in given.items()} if isinstance(given, Mapping) else {}
