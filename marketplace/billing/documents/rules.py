"""What a document says: from a draft to its content. Pure; money inside a content is decimal text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from marketplace.billing import tax
from marketplace.billing.documents.states import SERIES, DocumentKind, TaxCategory
from marketplace.billing.tax import Rounding

SCHEMA = "musubi-document/1"
REDUCED_SINCE = date(2019, 10, 1)
YEARS_LEAST = 7
"""For so long at least a document is kept (消費税法施行令70条の13)."""
SELLER_ISSUES = frozenset(
    {DocumentKind.INVOICE, DocumentKind.CORRECTION, DocumentKind.CREDIT_NOTE, DocumentKind.COMMISSION_INVOICE}
)
"""Kinds on which the issuer is the seller, so that a missing registration number needs the buyer's note."""


@dataclass(frozen=True, slots=True)
class Party:
    """An organization as a document names it, with the registration number valid on the transaction date."""

    organization_id: str
    name_ja: str
    name_en: str
    registration_number: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """One line in whole yen before tax. ``quantity`` and ``unit_price_yen`` are decimal texts.

    Without a ``category`` the rate decides: 10 % is S, 8 % since 2019-10-01 is AA, nothing is E from a
    registered issuer and O from any other.
    """

    description_ja: str
    description_en: str
    amount_net_yen: int
    tax_rate_basis_points: int = 0
    quantity: str = "1"
    unit: str = ""
    unit_price_yen: str | None = None
    category: TaxCategory | None = None
    grant_id: str | None = None


@dataclass(frozen=True, slots=True)
class TaxTotal:
    """The net of one category and rate on one document, and its tax."""

    category: TaxCategory
    rate_basis_points: int
    net_yen: int
    tax_yen: int


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence on a document, in both languages."""

    ja: str
    en: str


@dataclass(frozen=True, slots=True)
class DocumentDraft:
    """What to issue. ``idem`` names the deed that the document is of, ``about`` the ids it concerns.

    ``totals`` are given where they follow from another document, as on credit notes and receipts;
    otherwise tax is computed here, once per category and rate. ``corrects`` is the document before.
    """

    kind: DocumentKind
    idem: str
    issuer: Party
    recipient: Party
    lines: Sequence[DocumentLine]
    transaction_on: date
    period_from: date | None = None
    period_to: date | None = None
    due_on: date | None = None
    valid_until: date | None = None
    about: tuple[str, ...] = ()
    corrects: str | None = None
    totals: tuple[TaxTotal, ...] | None = None
    reverse_charge: bool = False
    remarks: tuple[Remark, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)


def number(code: int, kind: DocumentKind, year: int, serial: int) -> str:
    """Return a document's number: issuer, series, year, serial."""
    series = f"-{SERIES[kind]}" if SERIES[kind] else ""
    return f"M{code:04d}{series}-{year}-{serial:06d}"


def retain_until(issued_on: date, years: int = YEARS_LEAST) -> date:
    """Return the day until which a document is kept: so many years after any tax return it can belong to, at least 7.

    A tax period lasts a year at most and its return is due two months later (消費税法施行令50条・70条の13).
    """
    return date(issued_on.year + 2 + max(years, YEARS_LEAST), 3, 31)


def category_of(line: DocumentLine, day: date, *, registered: bool) -> TaxCategory:
    """Return the tax category of a line."""
    if line.category is not None:
        return line.category
    if line.tax_rate_basis_points == 0:
        return TaxCategory.EXEMPT if registered else TaxCategory.OUTSIDE
    reduced = line.tax_rate_basis_points == 800 and day >= REDUCED_SINCE
    return TaxCategory.REDUCED if reduced else TaxCategory.STANDARD


def totals(draft: DocumentDraft, rounding: Rounding) -> tuple[TaxTotal, ...]:
    """Return the draft's totals: as given, or each category and rate summed, and its tax rounded once."""
    if draft.totals is not None:
        return draft.totals
    registered = _seller(draft).registration_number is not None
    nets: dict[tuple[int, TaxCategory], int] = {}
    for line in draft.lines:
        key = (line.tax_rate_basis_points, category_of(line, draft.transaction_on, registered=registered))
        nets[key] = nets.get(key, 0) + line.amount_net_yen
    return tuple(
        TaxTotal(category, rate, net, _signed_tax(net, rate, rounding))
        for (rate, category), net in sorted(nets.items(), key=lambda item: (-item[0][0], item[0][1]))
    )


def check(draft: DocumentDraft, sums: Sequence[TaxTotal]) -> None:
    """Raise ValueError for a draft that no law would call a document."""
    if not draft.lines:
        raise ValueError("a document has lines")
    if sum(line.amount_net_yen for line in draft.lines) != sum(total.net_yen for total in sums):
        raise ValueError("the lines of a document sum to its totals")
    if draft.kind in SELLER_ISSUES and draft.issuer.registration_number is None and any(t.tax_yen for t in sums):
        raise ValueError("an issuer without a registration number charges no tax")
    amounts = [line.amount_net_yen for line in draft.lines] + [total.tax_yen for total in sums]
    if draft.kind is DocumentKind.CREDIT_NOTE and any(amount > 0 for amount in amounts):
        raise ValueError("a credit note gives back: its lines and its tax are below zero")


def content(draft: DocumentDraft, sums: Sequence[TaxTotal]) -> dict[str, Any]:
    """Return what a document says by its draft alone; the exchange adds number, day, and what it knows of both."""
    net, taxed = sum(total.net_yen for total in sums), sum(total.tax_yen for total in sums)
    registered = _seller(draft).registration_number is not None
    return {
        "schema": SCHEMA,
        "kind": draft.kind.value,
        "issuer": _party(draft.issuer),
        "recipient": _party(draft.recipient),
        "transaction_on": draft.transaction_on.isoformat(),
        "period_from": _day(draft.period_from),
        "period_to": _day(draft.period_to),
        "due_on": _day(draft.due_on),
        "valid_until": _day(draft.valid_until),
        "lines": [_line(line, draft.transaction_on, registered=registered) for line in draft.lines],
        "totals": [_total(total) for total in sums],
        "amount_net_yen": str(net),
        "amount_tax_yen": str(taxed),
        "amount_gross_yen": str(net + taxed),
        "reverse_charge": draft.reverse_charge,
        "about": list(draft.about),
        "remarks": [{"ja": remark.ja, "en": remark.en} for remark in draft.remarks],
        "facts": dict(draft.facts),
    }


def read_totals(written: Iterable[dict[str, Any]]) -> tuple[TaxTotal, ...]:
    """Return the totals of an issued content."""
    return tuple(
        TaxTotal(
            TaxCategory(total["category"]), total["rate_basis_points"], int(total["net_yen"]), int(total["tax_yen"])
        )
        for total in written
    )


def read_line(said: dict[str, Any]) -> DocumentLine:
    """Return a line of an issued content."""
    return DocumentLine(
        description_ja=said["description_ja"],
        description_en=said["description_en"],
        amount_net_yen=int(said["amount_net_yen"]),
        tax_rate_basis_points=said["tax_rate_basis_points"],
        quantity=said["quantity"],
        unit=said["unit"],
        unit_price_yen=said["unit_price_yen"],
        category=TaxCategory(said["tax_category"]),
        grant_id=said["grant_id"],
    )


def left_of(invoice: dict[str, Any], credited: Iterable[dict[str, Any]]) -> tuple[TaxTotal, ...]:
    """Return what is left of an invoice's totals after the credit notes issued so far."""
    left = {(one.category, one.rate_basis_points): one for one in read_totals(invoice["totals"])}
    for note in credited:
        for gone in read_totals(note["totals"]):
            key = (gone.category, gone.rate_basis_points)
            now = left[key]
            left[key] = TaxTotal(*key, now.net_yen + gone.net_yen, now.tax_yen + gone.tax_yen)
    return tuple(left.values())


def part_of(sums: Sequence[TaxTotal], amount_yen: int) -> tuple[TaxTotal, ...]:
    """Return a part of some totals, each net and each tax by its share; ValueError beyond the whole."""
    weights = [amount for total in sums for amount in (total.net_yen, total.tax_yen)]
    if not 0 < amount_yen <= sum(weights):
        raise ValueError(f"{amount_yen} yen are no part of {sum(weights)} yen")
    parts = shared(amount_yen, weights)
    return tuple(
        TaxTotal(total.category, total.rate_basis_points, parts[2 * place], parts[2 * place + 1])
        for place, total in enumerate(sums)
    )


def shared(amount: int, weights: Sequence[int]) -> list[int]:
    """Split an amount by weights, the largest remainders first; the parts sum to it, and none exceeds its weight.

    That holds for amounts of at most the sum of the weights; without any weight, the amount is 0.
    """
    whole = sum(weights)
    if whole == 0:
        return [0 for _weight in weights]
    parts = [amount * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda place: (-(amount * weights[place] % whole), place))
    for place in order[: amount - sum(parts)]:
        parts[place] += 1
    return parts


def rate_text(rate_basis_points: int) -> str:
    """Return a rate as people read it, such as ``10%``."""
    whole, rest = divmod(rate_basis_points, 100)
    return f"{whole}.{rest:02d}".rstrip("0") + "%" if rest else f"{whole}%"


def _seller(draft: DocumentDraft) -> Party:
    return draft.recipient if draft.kind is DocumentKind.PURCHASE_STATEMENT else draft.issuer


def _signed_tax(net: int, rate: int, rounding: Rounding) -> int:
    # What is given back is rounded as what was charged: by its size.
    return tax.tax_on(net, rate, rounding) if net >= 0 else -tax.tax_on(-net, rate, rounding)


def _party(party: Party) -> dict[str, str | None]:
    return {
        "organization_id": party.organization_id,
        "name_ja": party.name_ja,
        "name_en": party.name_en,
        "registration_number": party.registration_number,
    }


def _line(line: DocumentLine, day: date, *, registered: bool) -> dict[str, Any]:
    return {
        "description_ja": line.description_ja,
        "description_en": line.description_en,
        "quantity": line.quantity,
        "unit": line.unit,
        "unit_price_yen": line.unit_price_yen,
        "amount_net_yen": str(line.amount_net_yen),
        "tax_rate_basis_points": line.tax_rate_basis_points,
        "tax_category": category_of(line, day, registered=registered).value,
        "grant_id": line.grant_id,
    }


def _total(total: TaxTotal) -> dict[str, Any]:
    return {
        "category": total.category.value,
        "rate_basis_points": total.rate_basis_points,
        "net_yen": str(total.net_yen),
        "tax_yen": str(total.tax_yen),
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
