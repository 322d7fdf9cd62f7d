"""Our JP PINT against OASIS's own UBL 2.1 schema, and against the sums and references that a schema cannot check."""

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
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


def one(within: etree._Element, path: str) -> str:
    return within.findtext(path, namespaces=NS) or ""


def whole(within: etree._Element, path: str) -> list[int]:
    return [int(found.text) for found in within.findall(path, NS)]


def sums(root: etree._Element) -> dict[str, bool]:
    [net] = whole(root, "cac:LegalMonetaryTotal/cbc:LineExtensionAmount")
    [gross] = whole(root, "cac:LegalMonetaryTotal/cbc:PayableAmount")
    [tax] = whole(root, "cac:TaxTotal/cbc:TaxAmount")
    return {
        "lines do not sum to the net": sum(whole(root, "cac:InvoiceLine/cbc:LineExtensionAmount")) == net,
        "net and tax are not the total": [net + tax, gross]
        == [gross, *whole(root, "cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount")],
        "rates do not sum to the tax": sum(whole(root, "cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount")) == tax,
    }


def rates(root: etree._Element) -> dict[str, bool]:
    item = "cac:Item/cac:ClassifiedTaxCategory/cbc"
    answer = {}
    for subtotal in root.findall("cac:TaxTotal/cac:TaxSubtotal", NS):
        key = one(subtotal, "cac:TaxCategory/cbc:ID"), one(subtotal, "cac:TaxCategory/cbc:Percent")
        [taxable], [taxed] = whole(subtotal, "cbc:TaxableAmount"), whole(subtotal, "cbc:TaxAmount")
        lines = [
            int(one(line, "cbc:LineExtensionAmount"))
            for line in root.findall("cac:InvoiceLine", NS)
            if (one(line, f"{item}:ID"), one(line, f"{item}:Percent")) == key
        ]
        # A credit note over a part may differ by the yen that its invoice rounded.
        slack = 200 if one(root, "cbc:InvoiceTypeCode") == "381" else 100
        answer |= {
            f"lines of {key[0]} do not sum to what is taxed": sum(lines) == taxable,
            f"category {key[0]} is none of ours": key[0] in {"S", "AA", "E", "O", "G"},
            f"category {key[0]} with rate {key[1]}": (key[0] == "O") == (key[1] == ""),
            f"the tax of {key[0]} is not {key[1]} percent": abs(taxed * 100 - taxable * int(key[1] or 0)) < slack,
        }
    return answer


def prices(root: etree._Element) -> dict[str, bool]:
    answer = {}
    for line in root.findall("cac:InvoiceLine", NS):
        price, quantity = one(line, "cac:Price/cbc:PriceAmount"), one(line, "cbc:InvoicedQuantity")
        net = int(one(line, "cbc:LineExtensionAmount"))
        answer[f"price of line {one(line, 'cbc:ID')}"] = (
            Decimal(price) >= 0 and Decimal(price) * Decimal(quantity) == net
        )
    return answer


def names(root: etree._Element) -> dict[str, bool]:
    code = one(root, "cbc:InvoiceTypeCode")
    supplier = one(root, "cac:AccountingSupplierParty/cac:Party/cac:PartyTaxScheme/cbc:CompanyID")
    before = one(root, "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID")
    return {
        "not in yen": {money.get("currencyID") for money in root.iter() if "currencyID" in money.attrib} == {"JPY"},
        "the seller's number": bool(re.fullmatch("T[0-9]{13}", supplier)) == (code != "480"),
        "a credit note names its invoice": code != "381" or before != "",
        "no period": one(root, "cac:InvoicePeriod/cbc:StartDate") != "",
        "no profile of Japan": one(root, "cbc:CustomizationID").endswith("@jp-1"),
    }


def faults(xml: bytes) -> list[str]:
    """What a schema cannot say: the sums, the prices, the references, the currency, the seller's number."""
    root = etree.fromstring(xml)
    checked = sums(root) | rates(root) | prices(root) | names(root)
    return [fault for fault, holds in checked.items() if not holds]


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
