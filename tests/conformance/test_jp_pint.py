"""Our JP PINT against OASIS's own UBL 2.1 schema, and against the sums and references that a schema cannot check."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from lxml import etree
from sqlalchemy.orm import Session

from marketplace.billing import invoices
from marketplace.billing.documents import papers, service, ubl
from marketplace.billing.documents.errors import NotRendered
from marketplace.billing.documents.rules import Remark
from marketplace.billing.documents.states import DocumentKind, TaxCategory
from marketplace.identity.actors import SYSTEM
from tests.factories.billing import InvoiceDraftFactory
from tests.factories.documents import DraftFactory, LineFactory
from tests.factories.identity import OrganizationFactory

NS = {"cac": ubl.CAC, "cbc": ubl.CBC}
ARCHIVE = Path(__file__).with_name("ubl-2.1-invoice-xsd.zip")


@dataclass(frozen=True)
class Back:
    net: int
    tax: int


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> etree.XMLSchema:
    home = tmp_path_factory.mktemp("ubl")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(home)
    return etree.XMLSchema(etree.parse(home / "maindoc" / "UBL-Invoice-2.1.xsd"))


def mixed():
    return (
        LineFactory(amount_net_yen=1001, description_ja='人流 <データ> & "統計"'),
        LineFactory(amount_net_yen=333, tax_rate_basis_points=800, quantity="3", unit_price_yen="111"),
        LineFactory(
            amount_net_yen=70, tax_rate_basis_points=0, unit_price_yen="0.0125", quantity="123456789", unit="byte"
        ),
        LineFactory(amount_net_yen=-100, quantity="-1", unit_price_yen="100"),
        LineFactory(amount_net_yen=10, tax_rate_basis_points=0, category=TaxCategory.EXPORT, unit_price_yen=None),
    )


def invoice():
    return service.issue(SYSTEM, DraftFactory(lines=mixed(), due_on=date(2026, 12, 31)))


def unregistered():
    return service.issue(SYSTEM, DraftFactory(number=None, lines=[LineFactory(tax_rate_basis_points=0)]))


def credit_note():
    issued = invoices.issue(SYSTEM, InvoiceDraftFactory())
    return papers.credit_note(SYSTEM, issued, Back(100, 10), Remark("欠損", "Missing"), "ref_1", date(2026, 11, 25))


def statement():
    OrganizationFactory(operator=True)
    provider = OrganizationFactory(invoice_registration_number="T9000020011002")
    return papers.purchase_statement(SYSTEM, provider.id, [LineFactory()], "payout", date(2026, 11, 25))


def correction():
    changed = papers.Changes(recipient_name_ja="正しい宛名")
    return papers.correct(SYSTEM, invoice().id, changed, Remark("宛名の誤り", "Wrong name"))


KINDS: dict[str, Callable] = {
    "380": invoice, "480": unregistered, "381": credit_note, "389": statement, "corrected": correction,
}  # fmt: skip


def faults(xml: bytes) -> list[str]:
    """What a schema cannot say: the sums, the references, the currency, the numbers of the parties."""
    root = etree.fromstring(xml)

    def one(path: str, within=root) -> str:
        return within.findtext(path, namespaces=NS) or ""

    def whole(path: str, within=root) -> list[int]:
        return [int(found.text) for found in within.findall(path, NS)]

    found = []
    lines = whole("cac:InvoiceLine/cbc:LineExtensionAmount")
    [net], [gross] = (
        whole("cac:LegalMonetaryTotal/cbc:LineExtensionAmount"),
        whole("cac:LegalMonetaryTotal/cbc:PayableAmount"),
    )
    [tax] = whole("cac:TaxTotal/cbc:TaxAmount")
    if sum(lines) != net:
        found.append("lines do not sum to the net")
    if net + tax != gross or whole("cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount") != [gross]:
        found.append("net and tax are not the total")
    if sum(whole("cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount")) != tax:
        found.append("rates do not sum to the tax")
    for subtotal in root.findall("cac:TaxTotal/cac:TaxSubtotal", NS):
        category, rate = one("cac:TaxCategory/cbc:ID", subtotal), one("cac:TaxCategory/cbc:Percent", subtotal)
        [taxable], [taxed] = whole("cbc:TaxableAmount", subtotal), whole("cbc:TaxAmount", subtotal)
        mine = [
            int(one("cbc:LineExtensionAmount", line))
            for line in root.findall("cac:InvoiceLine", NS)
            if (
                one("cac:Item/cac:ClassifiedTaxCategory/cbc:ID", line),
                one("cac:Item/cac:ClassifiedTaxCategory/cbc:Percent", line),
            )
            == (category, rate)
        ]
        if sum(mine) != taxable:
            found.append(f"lines of {category} do not sum to their taxable amount")
        if category not in {"S", "AA", "E", "O", "G"} or (category == "O") != (rate == ""):
            found.append(f"category {category} with rate {rate!r}")
        # Notes over a part may differ by the yen that was rounded before.
        if abs(taxed * 100 - taxable * int(rate or 0)) >= 100 * (2 if one("cbc:InvoiceTypeCode") == "381" else 1):
            found.append(f"the tax of {category} is not {rate} percent")
    for line in root.findall("cac:InvoiceLine", NS):
        from decimal import Decimal

        product = Decimal(one("cbc:InvoicedQuantity", line)) * Decimal(one("cac:Price/cbc:PriceAmount", line))
        if product != int(one("cbc:LineExtensionAmount", line)) or Decimal(one("cac:Price/cbc:PriceAmount", line)) < 0:
            found.append("a price is below zero or not that of its line")
    if {money.get("currencyID") for money in root.iter() if "currencyID" in money.attrib} != {"JPY"}:
        found.append("not in yen")
    supplier = one("cac:AccountingSupplierParty/cac:Party/cac:PartyTaxScheme/cbc:CompanyID")
    if (len(supplier) == 14 and supplier[0] == "T" and supplier[1:].isdigit()) != (one("cbc:InvoiceTypeCode") != "480"):
        found.append("the seller's number")
    if one("cbc:InvoiceTypeCode") == "381" and not one("cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID"):
        found.append("a credit note names its invoice")
    if not one("cac:InvoicePeriod/cbc:StartDate") or not one("cbc:CustomizationID").startswith("urn:peppol:pint:"):
        found.append("period or profile")
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_valid_ubl_and_adds_up(session: Session, schema: etree.XMLSchema, kind: str) -> None:
    xml = ubl.render(KINDS[kind]())
    assert schema.validate(etree.parse(io.BytesIO(xml))), schema.error_log
    assert faults(xml) == []
    code = etree.fromstring(xml).findtext("cbc:InvoiceTypeCode", namespaces=NS)
    assert code == {"corrected": "380"}.get(kind, kind)


def test_corrections_and_credit_notes_name_the_document_before(session: Session) -> None:
    for document in (correction(), credit_note()):
        root = etree.fromstring(ubl.render(document))
        before = root.find("cac:BillingReference/cac:InvoiceDocumentReference", NS)
        assert before.findtext("cbc:ID", namespaces=NS) == document.content["corrects"]["number"]


def test_on_a_statement_the_provider_is_the_seller(session: Session) -> None:
    document = statement()
    root = etree.fromstring(ubl.render(document))
    names = "cac:Party/cac:PartyLegalEntity/cbc:RegistrationName"
    assert (
        root.findtext(f"cac:AccountingSupplierParty/{names}", namespaces=NS) == document.content["recipient"]["name_ja"]
    )
    assert root.findtext(f"cac:AccountingCustomerParty/{names}", namespaces=NS) == document.content["issuer"]["name_ja"]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (b"<cbc:DocumentCurrencyCode>JPY</cbc:DocumentCurrencyCode>", b""),
        (b"<cbc:IssueDate>", b"<cbc:IssueDate>yesterday"),
        (b"<cbc:ID>S</cbc:ID>", b"<cbc:Kind>S</cbc:Kind>"),
        (b'currencyID="JPY"', b""),
        (b"<cac:AccountingCustomerParty>", b"<cac:SellerCustomerParty/><cac:AccountingCustomerParty>"),
    ],
)
def test_the_schema_refuses_what_is_wrong(
    session: Session, schema: etree.XMLSchema, wrong: bytes, right: bytes
) -> None:
    xml = ubl.render(invoice())
    assert wrong in xml
    changed = xml.replace(wrong, right)
    if wrong == b"<cbc:DocumentCurrencyCode>JPY</cbc:DocumentCurrencyCode>":
        # UBL itself lets the currency be absent; each amount must have its own.
        assert schema.validate(etree.parse(io.BytesIO(changed)))
    else:
        assert not schema.validate(etree.parse(io.BytesIO(changed)))


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        (b">1001<", b">1002<", "lines"),
        (b'TaxInclusiveAmount currencyID="JPY">', b'TaxInclusiveAmount currencyID="JPY">1', "total"),
        (b'currencyID="JPY"', b'currencyID="USD"', "yen"),
        (b"<cbc:CompanyID>T9000020011002", b"<cbc:CompanyID>9000020011002", "number"),
        (b"<cbc:Percent>8<", b"<cbc:Percent>10<", "percent"),
        (b"<cbc:ID>G</cbc:ID>", b"<cbc:ID>Z</cbc:ID>", "category Z"),
        (b"<cbc:StartDate>2026-11-20</cbc:StartDate>", b"", "period"),
    ],
)
def test_the_checker_refuses_what_does_not_add_up(session: Session, right: bytes, wrong: bytes, fault: str) -> None:
    xml = ubl.render(invoice())
    assert right in xml
    assert any(fault in found for found in faults(xml.replace(right, wrong)))


@pytest.mark.parametrize("kind", [DocumentKind.QUOTE, DocumentKind.RECEIPT, DocumentKind.INSPECTION])
def test_papers_that_jp_pint_does_not_know_are_refused(session: Session, kind: DocumentKind) -> None:
    with pytest.raises(NotRendered):
        ubl.render(service.issue(SYSTEM, DraftFactory(kind=kind)))
