"""Transfers to connected accounts, and their reversals; any ``acct_`` id takes money, none is asked."""

import re
from typing import Any

from sqlalchemy import BigInteger, func, select

from marketplace.kit.db import db
from marketplace.sandbox import balance, listing, store, wire
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.wire import WireError

KIND = "transfer"
REVERSAL = "transfer_reversal"
AMOUNT_HIGHEST_YEN = 10**12
_ACCOUNT = re.compile(r"acct_[A-Za-z0-9]{1,64}")


def create(form: Reader, story: Recorder) -> dict[str, Any]:
    """Send yen from the balance, or from one charge even before it settles, to an account; raises WireError."""
    form.required("currency")
    form.choice("currency", ("jpy",))
    amount = form.integer("amount", 1, AMOUNT_HIGHEST_YEN)
    if amount is None:
        raise form.absent("amount")
    wish = {
        "amount": amount,
        "destination": _destination(form),
        "description": form.text("description"),
        "metadata": form.metadata(),
        "source_transaction": form.text("source_transaction"),
        "transfer_group": form.text("transfer_group"),
    }
    form.finish()
    wish["transfer_group"] = _source_group(wish, story) or wish["transfer_group"]
    return _send(wish, story)


def listed(query: Reader) -> dict[str, Any]:
    """Answer ``GET /v1/transfers``."""
    wanted = listing.equal(query, "destination", "transfer_group")
    return listing.list_objects(query, KIND, "/v1/transfers", wanted)


def reverse(transfer_id: str, form: Reader, story: Recorder) -> dict[str, Any]:
    """Take a transfer back, wholly or in part; raises WireError when more is asked than is left of it."""
    amount = form.integer("amount", 1, AMOUNT_HIGHEST_YEN)
    description, metadata = form.text("description"), form.metadata()
    form.finish()
    transfer = store.locked(KIND, transfer_id)
    left = transfer.document["amount"] - transfer.document["amount_reversed"]
    if left == 0 or (amount or left) > left:
        message = f"Reversal amount (¥{amount or 0:,}) is greater than unreversed amount on transfer (¥{left:,})"
        raise WireError(message, param="amount")
    document = _reversal(transfer.id, amount or left, metadata, story)
    row = store.keep(document, story.now, parent_id=transfer.id)
    source = row.document | {"description": description}
    booked = balance.book(source, amount or left, kind="transfer_refund", category="transfer_reversal", story=story)
    store.change(row, balance_transaction=booked["id"])
    _count(transfer, row.document, story)
    return row.document


def reversals(transfer_id: str, query: Reader) -> dict[str, Any]:
    """Answer ``GET /v1/transfers/{id}/reversals``."""
    store.get(KIND, transfer_id)
    address = f"/v1/transfers/{transfer_id}/reversals"
    return listing.list_objects(query, REVERSAL, address, [SandboxObject.parent_id == transfer_id])


def reversal(transfer_id: str, reversal_id: str) -> dict[str, Any]:
    """Return one reversal of this transfer; raises WireError 404."""
    found = store.get(REVERSAL, reversal_id)
    if found.parent_id != transfer_id:
        raise wire.missing(REVERSAL, reversal_id[:100])
    return found.document


def _destination(form: Reader) -> str:
    account = form.required("destination")
    if not _ACCOUNT.fullmatch(account):
        raise WireError(f"No such destination: '{account[:100]}'", code="resource_missing", param="destination")
    return account


def _source_group(wish: dict[str, Any], story: Recorder) -> str | None:
    if wish["source_transaction"] is None:
        balance.require_available(wish["amount"], story.now)
        return None
    charge = store.locked("charge", wish["source_transaction"], "source_transaction")
    left = charge.document["amount"] - _sent_from(charge.id)
    if charge.status != "succeeded" or wish["amount"] > left:
        message = f"The transfer amount may not be greater than what is left of the charge (¥{left:,})."
        raise WireError(message, code="balance_insufficient", param="source_transaction")
    return wish["transfer_group"] or charge.document["transfer_group"] or f"group_{charge.document['payment_intent']}"


def _sent_from(charge_id: str) -> int:
    left = SandboxObject.document["amount"].astext.cast(BigInteger)
    left -= SandboxObject.document["amount_reversed"].astext.cast(BigInteger)
    sent = select(func.coalesce(func.sum(left), 0)).where(
        SandboxObject.kind == KIND, SandboxObject.parent_id == charge_id
    )
    return int(db.session.execute(sent).scalar_one())


def _send(wish: dict[str, Any], story: Recorder) -> dict[str, Any]:
    identifier = wire.new_id("tr_1")
    document = {
        "id": identifier,
        "object": KIND,
        "amount_reversed": 0,
        "balance_transaction": None,
        "created": int(story.now.timestamp()),
        "currency": "jpy",
        "destination_payment": wire.new_id("py_1"),
        "livemode": False,
        "reversals": _list_of(identifier, []),
        "reversed": False,
        "source_type": "card",
        **wish,
    }
    row = store.keep(document, story.now, parent_id=wish["source_transaction"])
    booked = balance.book(row.document, -wish["amount"], kind="transfer", story=story)
    store.change(row, balance_transaction=booked["id"])
    story.record("transfer.created", row.document)
    return row.document


def _count(transfer: SandboxObject, taken: dict[str, Any], story: Recorder) -> None:
    before = {"amount_reversed": transfer.document["amount_reversed"], "reversed": transfer.document["reversed"]}
    total = transfer.document["amount_reversed"] + taken["amount"]
    kept = [taken, *transfer.document["reversals"]["data"]]
    store.change(
        transfer,
        amount_reversed=total,
        reversed=total == transfer.document["amount"],
        reversals=_list_of(transfer.id, kept),
    )
    story.record("transfer.reversed", transfer.document, before)


def _list_of(transfer_id: str, kept: list[dict[str, Any]]) -> dict[str, Any]:
    address = f"/v1/transfers/{transfer_id}/reversals"
    return {"object": "list", "data": kept, "has_more": False, "url": address}


def _reversal(transfer_id: str, amount: int, metadata: dict[str, str], story: Recorder) -> dict[str, Any]:
    return {
        "id": wire.new_id("trr_1"),
        "object": REVERSAL,
        "amount": amount,
        "balance_transaction": None,
        "created": int(story.now.timestamp()),
        "currency": "jpy",
        "destination_payment_refund": None,
        "metadata": metadata,
        "source_refund": None,
        "transfer": transfer_id,
    }
