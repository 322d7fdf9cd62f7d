"""Invoices: reading, paying and giving them back."""

from typing import Any

from flask import request

from marketplace.api.endpoint import actor, blueprint, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import may_pay, replay_mark
from marketplace.api.schemas import givingback
from marketplace.api.schemas import trade as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.billing import queries
from marketplace.billing.refunds import queries as refunds
from marketplace.exchange import overriding, payment, refund
from marketplace.exchange.refund import Why
from marketplace.identity.actors import Actor
from marketplace.identity.overrides.states import OverrideDeed
from marketplace.identity.permissions import Permission
from marketplace.kit.canonical import sha256_hex

blp = blueprint("invoices", "/v1/invoices", "Invoices (請求書).")


@blp.route("")
@guarded(Permission.INVOICES_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.InvoicePage)
def list_invoices(query: dict[str, Any]) -> Any:
    """List the invoices one is a party to, newest first; overseers see all."""
    return queries.list_invoices(actor(), **query)


@blp.route("/<invoice_id>")
@guarded(Permission.INVOICES_READ)
@blp.response(200, schemas.InvoiceView)
def read(invoice_id: str) -> dict[str, Any]:
    """Read an invoice."""
    caller = actor()
    return shown(caller, queries.get_invoice(caller, invoice_id))


@blp.route("/<invoice_id>/pay", methods=["POST"])
@guarded(Permission.INVOICES_PAY)
@blp.response(201, schemas.InvoiceView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def pay(invoice_id: str) -> Any:
    """Open a payment page for an open invoice; `checkout_url` says where."""
    caller = actor()
    answer, replayed = once({}, lambda: {"payment_id": payment.pay_invoice(caller, invoice_id)})
    payment.begin(answer["payment_id"])
    return shown(caller, queries.get_invoice(caller, invoice_id)), 201, replay_mark(replayed)


@blp.route("/<invoice_id>/refunds", methods=["POST"])
@guarded(Permission.REFUNDS_MAKE)
@blp.arguments(givingback.RefundDraft)
@blp.response(201, givingback.RefundsView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def give_back(draft: dict[str, Any], invoice_id: str) -> Any:
    """Give back an amount of an invoice, or all that is left of it: what is owed first, the rest as it came.

    For the provider and the operator. Giving back all of it ends access; a part keeps it unless `ends_access`.
    """
    caller, key = actor(), request.headers.get("Idempotency-Key", "")
    overriding.refuse_alone(caller, OverrideDeed.REFUND, invoice_id)
    why = Why(_named(caller.organization_id, key), note=draft["note"], ends_access=draft["ends_access"])

    def deed() -> dict[str, Any]:
        return {"refund_ids": refund.request_refund(caller, invoice_id, draft.get("amount_yen"), why)}

    answer, replayed = once(draft, deed)
    made = [refunds.get_refund(caller, refund_id) for refund_id in answer["refund_ids"]]
    return {"items": made}, 201, replay_mark(replayed)


def _named(organization_id: str, key: str) -> str:
    # The key outlives the store of answers, so that even a very late retry gives back nothing twice.
    return f"asked:{organization_id}:{sha256_hex(key.encode())}"


def shown(caller: Actor, invoice: Any) -> dict[str, Any]:
    """Return an invoice as the wire shows it; where to pay it, to its recipient while it is open."""
    payable = invoice.state == "open" and may_pay(caller, invoice.recipient_organization_id)
    tried = queries.list_payments(invoice_id=invoice.id)
    columns = {name: getattr(invoice, name) for name in schemas.InvoiceView().fields if hasattr(invoice, name)}
    return columns | {"checkout_url": tried[0].checkout_url if tried and payable else None}
