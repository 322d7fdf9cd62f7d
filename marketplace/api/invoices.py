"""Invoices: reading and paying them."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import replay_mark
from marketplace.api.schemas import trade as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.billing import queries
from marketplace.exchange import payment
from marketplace.identity.permissions import Permission

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
    return shown(queries.get_invoice(actor(), invoice_id))


@blp.route("/<invoice_id>/pay", methods=["POST"])
@guarded(Permission.INVOICES_PAY)
@blp.response(201, schemas.InvoiceView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def pay(invoice_id: str) -> Any:
    """Open a payment page for an open invoice; `checkout_url` says where."""
    caller = actor()
    answer, replayed = once({}, lambda: {"payment_id": payment.pay_invoice(caller, invoice_id)})
    payment.begin(answer["payment_id"])
    return shown(queries.get_invoice(caller, invoice_id)), 201, replay_mark(replayed)


def shown(invoice: Any) -> dict[str, Any]:
    """Return an invoice as the wire shows it, with where to pay it while it is open."""
    tried = queries.list_payments(invoice_id=invoice.id)
    columns = {name: getattr(invoice, name) for name in schemas.InvoiceView().fields if hasattr(invoice, name)}
    return columns | {"checkout_url": tried[0].checkout_url if tried and invoice.state == "open" else None}
