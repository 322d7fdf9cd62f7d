"""What documents are called and say, in Japanese and English. Pure."""

from typing import Any

from marketplace.billing.documents.rules import rate_text
from marketplace.billing.documents.states import DocumentKind, TaxCategory

TITLES = {
    DocumentKind.QUOTE: ("見積書", "Quote"),
    DocumentKind.PURCHASE_ORDER: ("注文書", "Purchase Order"),
    DocumentKind.ORDER_ACKNOWLEDGEMENT: ("注文請書", "Order Acknowledgement"),
    DocumentKind.INSPECTION: ("検収書", "Certificate of Acceptance"),
    DocumentKind.INVOICE: ("請求書", "Invoice"),
    DocumentKind.CREDIT_NOTE: ("返還請求書", "Credit Note"),
    DocumentKind.COMMISSION_INVOICE: ("請求書（販売手数料）", "Invoice (Commission)"),
    DocumentKind.PURCHASE_STATEMENT: ("仕入明細書", "Purchase Statement"),
    DocumentKind.RECEIPT: ("領収書", "Receipt"),
}
AMOUNTS = {
    DocumentKind.QUOTE: ("お見積金額", "Amount quoted"),
    DocumentKind.PURCHASE_ORDER: ("ご注文金額", "Amount ordered"),
    DocumentKind.ORDER_ACKNOWLEDGEMENT: ("お請け金額", "Amount acknowledged"),
    DocumentKind.INSPECTION: ("検収金額", "Amount accepted"),
    DocumentKind.CREDIT_NOTE: ("ご返還金額", "Amount given back"),
    DocumentKind.PURCHASE_STATEMENT: ("お支払金額", "Amount payable"),
    DocumentKind.RECEIPT: ("領収金額", "Amount received"),
}
QUALIFIED = frozenset({DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE, DocumentKind.COMMISSION_INVOICE})
REDUCED_MARK = "※"
CATEGORIES = {
    TaxCategory.STANDARD: ("{rate} 対象", "Taxed at {rate}"),
    TaxCategory.REDUCED: ("軽減税率 {rate} 対象※", "Reduced rate {rate}"),
    TaxCategory.EXEMPT: ("非課税", "Exempt"),
    TaxCategory.OUTSIDE: ("不課税等", "Not taxed"),
    TaxCategory.EXPORT: ("輸出免税", "Export, zero-rated"),
}


def kind_of(content: dict[str, Any]) -> DocumentKind:
    """Return what a content is: for a correction, what it corrects."""
    return DocumentKind(content["facts"].get("corrected_kind", content["kind"]))


def title(content: dict[str, Any]) -> tuple[str, str]:
    """Return a document's title in both languages; 適格 where it bears a registration number."""
    kind = kind_of(content)
    japanese, english = TITLES[kind]
    if kind in QUALIFIED and content["issuer"]["registration_number"]:
        japanese, english = f"適格{japanese}", f"Qualified {english}"
    if content["kind"] == DocumentKind.CORRECTION.value:
        return f"修正{japanese}", f"Corrected {english}"
    return japanese, english


def amount_label(content: dict[str, Any]) -> tuple[str, str]:
    """Return what the total is called."""
    return AMOUNTS.get(kind_of(content), ("ご請求金額", "Amount due"))


def category_label(total: dict[str, Any]) -> tuple[str, str]:
    """Return what the net of one rate is called."""
    japanese, english = CATEGORIES[TaxCategory(total["category"])]
    rate = rate_text(total["rate_basis_points"])
    return japanese.format(rate=rate), english.format(rate=rate)


def days(content: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the days a document names: what each is called in both languages, and the day."""
    period = f"{content['period_from']} – {content['period_to']}" if content["period_from"] else ""
    named = [
        ("発行日", "Issued", content["issued_on"]),
        ("取引期間", "Period", period) if period else ("取引年月日", "Transaction date", content["transaction_on"]),
        ("お支払期限", "Due", content["due_on"]),
        ("見積有効期限", "Valid until", content["valid_until"]),
        ("当初の取引年月日", "First transacted", content["facts"].get("original_transaction_on")),
    ]
    return [(japanese, english, day) for japanese, english, day in named if day]


def notes(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Return every sentence that a document says below its figures, in both languages."""
    said = [_corrected(content), _transitional(content), _reverse_charge(content), _reduced(content)]
    said += [(remark["ja"], remark["en"]) for remark in content["remarks"]]
    said += [_facts(content), _delivered(content)]
    return [note for note in said if note]


def _corrected(content: dict[str, Any]) -> tuple[str, str] | None:
    before = content["corrects"]
    if before is None:
        return None
    number, day = before["number"], before["issued_on"]
    if content["kind"] == DocumentKind.CORRECTION.value and int(content["amount_gross_yen"]) == 0:
        return f"本書は {number}（{day} 発行）を取り消すものです。", f"This cancels {number} of {day}."
    if content["kind"] == DocumentKind.CORRECTION.value:
        return f"本書は {number}（{day} 発行）を修正したものです。", f"This corrects {number} of {day}."
    return f"対象の請求書：{number}（{day} 発行）", f"Concerns invoice {number} of {day}."


def _transitional(content: dict[str, Any]) -> tuple[str, str] | None:
    percent = content["transitional_credit_percent"]
    if percent is None:
        return None
    if percent == 0:
        return (
            "発行者は適格請求書発行事業者ではありません。仕入税額控除の経過措置の対象外です。",
            "The issuer is not registered; no input tax can be deducted.",
        )
    return (
        f"発行者は適格請求書発行事業者ではありません。買手の経過措置：{percent}%控除対象。",
        f"The issuer is not registered; the buyer may deduct {percent}% of the input tax (transitional measure).",
    )


def _reverse_charge(content: dict[str, Any]) -> tuple[str, str] | None:
    if not content["reverse_charge"]:
        return None
    return (
        "リバースチャージ方式の対象取引です。消費税は買手が申告・納付する義務を負います。",
        "Reverse charge: the buyer is liable for the consumption tax.",
    )


def _reduced(content: dict[str, Any]) -> tuple[str, str] | None:
    if not any(line["tax_category"] == TaxCategory.REDUCED.value for line in content["lines"]):
        return None
    return (
        f"{REDUCED_MARK} は軽減税率対象であることを示します。",
        f"{REDUCED_MARK} marks what the reduced rate applies to.",
    )


def _facts(content: dict[str, Any]) -> tuple[str, str] | None:
    grant = content["facts"].get("grant_id")
    return (f"利用許諾番号：{grant}", f"Grant: {grant}") if grant else None


def _delivered(content: dict[str, Any]) -> tuple[str, str] | None:
    operator = content["delivered_by"]
    if operator is None:
        return None
    return (
        f"本書は {operator['name_ja']} が発行者に代わって電磁的に交付しています。",
        f"Delivered electronically by {operator['name_en']} in the issuer's stead.",
    )
