"""The kinds of documents, their series of numbers, and the words of Japanese tax papers."""

from enum import StrEnum


class DocumentKind(StrEnum):
    """What a document is, in the order in which one story issues several (see ``service``)."""

    QUOTE = "quote"
    PURCHASE_ORDER = "purchase_order"
    ORDER_ACKNOWLEDGEMENT = "order_acknowledgement"
    INSPECTION = "inspection"
    INVOICE = "invoice"
    CORRECTION = "correction"
    CREDIT_NOTE = "credit_note"
    COMMISSION_INVOICE = "commission_invoice"
    PURCHASE_STATEMENT = "purchase_statement"
    RECEIPT = "receipt"


SERIES = {
    DocumentKind.QUOTE: "QT",
    DocumentKind.PURCHASE_ORDER: "PO",
    DocumentKind.ORDER_ACKNOWLEDGEMENT: "OA",
    DocumentKind.INSPECTION: "IA",
    DocumentKind.INVOICE: "",
    DocumentKind.CORRECTION: "CR",
    DocumentKind.CREDIT_NOTE: "CN",
    DocumentKind.COMMISSION_INVOICE: "CI",
    DocumentKind.PURCHASE_STATEMENT: "PS",
    DocumentKind.RECEIPT: "RC",
}
"""The letters that tell the series apart in a number; invoices, which came first, have none."""


class TaxCategory(StrEnum):
    """UNCL5305 as JP PINT uses it."""

    STANDARD = "S"
    REDUCED = "AA"
    EXEMPT = "E"
    OUTSIDE = "O"
    EXPORT = "G"
