"""Customers: who pays, with a cash balance of its own that bank transfers fill."""

from typing import Any

from marketplace.sandbox import listing, store, wire
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.reader import Reader

KIND = "customer"
_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_TEXTS = {"description": 5000, "email": 512, "name": 256, "phone": 20}


def create(form: Reader, story: Recorder) -> dict[str, Any]:
    """Answer ``POST /v1/customers``; raises WireError."""
    given = _read(form)
    metadata = form.metadata()
    form.finish()
    document = _document(story) | given | {"metadata": metadata}
    row = store.keep(document, story.now, details={"cash_yen": 0})
    story.record("customer.created", row.document)
    return row.document


def update(identifier: str, form: Reader, story: Recorder) -> dict[str, Any]:
    """Answer ``POST /v1/customers/{id}``; raises WireError."""
    given = _read(form)
    changes = form.metadata_changes()
    form.finish()
    row = store.locked(KIND, identifier)
    if changes:
        merged = row.document["metadata"] | changes
        given["metadata"] = {name: value for name, value in merged.items() if value}
    before = {name: row.document[name] for name in given}
    store.change(row, **given)
    story.record("customer.updated", row.document, before)
    return row.document


def listed(query: Reader) -> dict[str, Any]:
    """Answer ``GET /v1/customers``."""
    return listing.list_objects(query, KIND, "/v1/customers", listing.equal(query, "email"))


def _read(form: Reader) -> dict[str, Any]:
    given: dict[str, Any] = {name: form.text(name, length) for name, length in _TEXTS.items() if form.has(name)}
    if form.has("preferred_locales"):
        given["preferred_locales"] = form.texts("preferred_locales")
    if form.has("address"):
        address = form.child("address")
        given["address"] = {name: address.text(name) for name in _ADDRESS}
    return given


def _document(story: Recorder) -> dict[str, Any]:
    nulls = ("address", "currency", "default_source", "description", "email", "name", "phone", "shipping")
    return dict.fromkeys((*nulls, "customer_account", "test_clock")) | {
        "id": wire.new_id("cus_", 14),
        "object": KIND,
        "balance": 0,
        "created": int(story.now.timestamp()),
        "delinquent": False,
        "discount": None,
        "invoice_prefix": wire.new_id("", 8).upper(),
        "invoice_settings": dict.fromkeys(("custom_fields", "default_payment_method", "footer", "rendering_options")),
        "livemode": False,
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
    }
