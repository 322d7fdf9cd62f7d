"""Documents as JP PINT, Japan's Peppol invoice in UBL 2.1: whole yen, the seller's T-number, tax once per rate."""

import re
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET  # only written here, never read from others

from marketplace.billing.documents import words
from marketplace.billing.documents.errors import NotRendered
from marketplace.billing.documents.models import Document
from marketplace.billing.documents.states import DocumentKind, TaxCategory

ROOT = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
PROFILES = {
    "billing": ("urn:peppol:pint:billing-1@jp-1", "urn:peppol:bis:billing"),
    "selfbilling": ("urn:peppol:pint:selfbilling-1@jp-1", "urn:peppol:bis:selfbilling"),
    "nontax": ("urn:peppol:pint:nontaxinvoice-1@jp-1", "urn:peppol:bis:billing"),
}
REGISTRATION_SCHEME = "0221"  # ISO 6523: registration numbers of qualified invoice issuers of Japan
RENDERED = frozenset(
    {
        DocumentKind.INVOICE,
        DocumentKind.CREDIT_NOTE,
        DocumentKind.COMMISSION_INVOICE,
        DocumentKind.PURCHASE_STATEMENT,
    }
)
_UNWRITABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(document: Document) -> bytes:
    """Return the document as UBL 2.1 Invoice XML; raises NotRendered for kinds that JP PINT does not know.

    A credit note has type 381 and amounts above zero, since its type says the direction. What a party's
    Peppol address is we know only where it has a registration number; others stand without ``EndpointID``.
    """
    content = document.content
    if words.kind_of(content) not in RENDERED:
        raise NotRendered
    ET.register_namespace("", ROOT)
    ET.register_namespace("cac", CAC)
    ET.register_namespace("cbc", CBC)
    root = ET.Element(f"{{{ROOT}}}Invoice")
    _head(root, content)
    _parties(root, content)
    _tax(root, content)
    _totals(root, content)
    for place, line in enumerate(content["lines"], start=1):
        _line(root, content, place, line)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def type_code(content: dict[str, Any]) -> str:
    """Return the UNCL1001 code: 389 self-billed, 381 credit note, 480 without registration number, 380 else."""
    kind = words.kind_of(content)
    if kind is DocumentKind.PURCHASE_STATEMENT:
        return "389"
    if kind is DocumentKind.CREDIT_NOTE:
        return "381"
    return "380" if content["issuer"]["registration_number"] else "480"


def _head(root: ET.Element, content: dict[str, Any]) -> None:
    code = type_code(content)
    profile = {"389": "selfbilling", "480": "nontax"}.get(code, "billing")
    customization, process = PROFILES[profile]
    _add(root, "CustomizationID", customization)
    _add(root, "ProfileID", process)
    _add(root, "ID", content["number"])
    _add(root, "IssueDate", content["issued_on"])
    if content["due_on"]:
        _add(root, "DueDate", content["due_on"])
    _add(root, "InvoiceTypeCode", code)
    for japanese, english in words.notes(content):
        _add(root, "Note", f"{japanese} / {english}")
    _add(root, "DocumentCurrencyCode", "JPY")
    period = _group(root, "InvoicePeriod")
    _add(period, "StartDate", content["period_from"] or content["transaction_on"])
    _add(period, "EndDate", content["period_to"] or content["transaction_on"])
    if content["corrects"]:
        before = _group(_group(root, "BillingReference"), "InvoiceDocumentReference")
        _add(before, "ID", content["corrects"]["number"])
        _add(before, "IssueDate", content["corrects"]["issued_on"])


def _parties(root: ET.Element, content: dict[str, Any]) -> None:
    seller, buyer = content["issuer"], content["recipient"]
    if type_code(content) == "389":
        seller, buyer = buyer, seller
    _party(_group(root, "AccountingSupplierParty"), seller)
    _party(_group(root, "AccountingCustomerParty"), buyer)


def _party(role: ET.Element, said: dict[str, Any]) -> None:
    party, number = _group(role, "Party"), said["registration_number"]
    if number:
        _add(party, "EndpointID", number, schemeID=REGISTRATION_SCHEME)
    _add(_group(party, "PartyName"), "Name", said["name_en"])
    _add(_group(_group(party, "PostalAddress"), "Country"), "IdentificationCode", "JP")
    if number:
        scheme = _group(party, "PartyTaxScheme")
        _add(scheme, "CompanyID", number)
        _add(_group(scheme, "TaxScheme"), "ID", "VAT")
    _add(_group(party, "PartyLegalEntity"), "RegistrationName", said["name_ja"])


def _tax(root: ET.Element, content: dict[str, Any]) -> None:
    total = _group(root, "TaxTotal")
    _amount(total, "TaxAmount", content, content["amount_tax_yen"])
    for one in content["totals"]:
        subtotal = _group(total, "TaxSubtotal")
        _amount(subtotal, "TaxableAmount", content, one["net_yen"])
        _amount(subtotal, "TaxAmount", content, one["tax_yen"])
        _category(_group(subtotal, "TaxCategory"), one["category"], one["rate_basis_points"])


def _totals(root: ET.Element, content: dict[str, Any]) -> None:
    total = _group(root, "LegalMonetaryTotal")
    _amount(total, "LineExtensionAmount", content, content["amount_net_yen"])
    _amount(total, "TaxExclusiveAmount", content, content["amount_net_yen"])
    _amount(total, "TaxInclusiveAmount", content, content["amount_gross_yen"])
    _amount(total, "PayableAmount", content, content["amount_gross_yen"])


def _line(root: ET.Element, content: dict[str, Any], place: int, said: dict[str, Any]) -> None:
    line, net = _group(root, "InvoiceLine"), _signed(content, said["amount_net_yen"])
    quantity, price = _quantity_and_price(said, net)
    _add(line, "ID", str(place))
    _add(line, "InvoicedQuantity", quantity, unitCode="C62")
    _add(line, "LineExtensionAmount", str(net), currencyID="JPY")
    item = _group(line, "Item")
    _add(item, "Description", f"{said['quantity']} {said['unit']}".strip())
    _add(item, "Name", f"{said['description_ja']} / {said['description_en']}")
    _category(_group(item, "ClassifiedTaxCategory"), said["tax_category"], said["tax_rate_basis_points"])
    _add(_group(line, "Price"), "PriceAmount", price, currencyID="JPY")


def _quantity_and_price(said: dict[str, Any], net: int) -> tuple[str, str]:
    """Return the quantity and unit price as told where they multiply to the net, otherwise one unit at the net.

    Tiers, minimums and discounts have no single unit price, and a price below zero is not allowed.
    """
    if said["unit_price_yen"] is not None:
        quantity, price = Decimal(said["quantity"]), Decimal(said["unit_price_yen"])
        if quantity * price == net and price >= 0:
            return said["quantity"], said["unit_price_yen"]
    return ("-1", str(-net)) if net < 0 else ("1", str(net))


def _category(category: ET.Element, code: str, rate_basis_points: int) -> None:
    _add(category, "ID", code)
    if code != TaxCategory.OUTSIDE.value:
        _add(category, "Percent", str(rate_basis_points // 100))
    _add(_group(category, "TaxScheme"), "ID", "VAT")


def _amount(parent: ET.Element, name: str, content: dict[str, Any], yen: str) -> None:
    _add(parent, name, str(_signed(content, yen)), currencyID="JPY")


def _signed(content: dict[str, Any], yen: str) -> int:
    return -int(yen) if type_code(content) == "381" else int(yen)


def _group(parent: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(parent, f"{{{CAC}}}{name}")


def _add(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    element = ET.SubElement(parent, f"{{{CBC}}}{name}", attributes)
    element.text = _UNWRITABLE.sub("�", text)
