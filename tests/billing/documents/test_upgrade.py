"""Upgrading an exchange that has issued invoices: each gets its document, under its number, and its hash."""

import json
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from marketplace.billing import invoices
from marketplace.billing.documents import papers, service
from marketplace.billing.documents.models import Document
from marketplace.billing.models import Invoice
from marketplace.identity.actors import SYSTEM
from marketplace.kit import migrations
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.billing import InvoiceDraftFactory, InvoiceLineFactory


@pytest.fixture
def issued(own_database: Flask) -> list[str]:
    """Two invoices of before: one qualified, one of an unregistered issuer."""
    with transaction():
        lines = (InvoiceLineFactory(tax_rate_basis_points=0),)
        drafts = [InvoiceDraftFactory(), InvoiceDraftFactory(registration_number=None, lines=lines)]
        return [invoices.issue(SYSTEM, draft).id for draft in drafts]


def test_invoices_of_before_get_their_documents_and_numbers_go_on(own_database: Flask, issued: list[str]) -> None:
    url = db.engine.url
    with transaction():
        before = {document.number: document.content for document in db.session.query(Document)}
        issuer = db.session.get(Invoice, issued[0]).issuer_organization_id
    db.session.remove()
    db.engine.dispose()
    engine = create_engine(url)
    migrations.downgrade(engine, "0016")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT sum(last_serial) FROM invoice_counter")).scalar_one() == 2
    migrations.upgrade(engine)
    engine.dispose()
    with transaction():
        for invoice_id in issued:
            invoice = db.session.get(Invoice, invoice_id)
            document = papers.document_of(invoice)
            assert document.content_sha256 == digest_of(document.content)
            told = {
                name: said for name, said in before[invoice.number].items() if name != "transitional_credit_percent"
            }
            assert json.loads(json.dumps(document.content)) | told == document.content
            assert invoice.id in document.about
        last = db.session.get(Invoice, issued[0])
        draft = papers.draft_of(papers.document_of(last))
        following = service.issue(SYSTEM, replace(draft, idem="next"))
        assert following.issuer_organization_id == issuer
        assert following.number.endswith("-000002")
