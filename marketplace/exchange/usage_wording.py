"""How usage is put into words on an invoice, equal in Japanese and English."""

from decimal import Decimal

from marketplace.access import queries as access
from marketplace.billing import queries as orders
from marketplace.billing.invoices import InvoiceLine
from marketplace.billing.models import Order, RatedLine
from marketplace.billing.rating import LIFETIME, OpenLine
from marketplace.catalog import queries as catalog
from marketplace.exchange.commerce import LABELS_EN, LABELS_JA
from marketplace.licensing import queries as licensing
from marketplace.licensing.prices import Price, decimal_text
from marketplace.licensing.states import PriceKind


def usage_line(one: OpenLine, tax_rate_basis_points: int) -> InvoiceLine:
    """Return a rated line as its invoice states it; quantities are in bytes, rows, requests or downloads.

    A price that is not one number for each unit is told in words, and has no unit price; nor has one of which
    shares come off, which are told beside it.
    """
    grant = access.require_grant(one.line.grant_id)
    order = orders.require_order(grant.order_id)
    price = licensing.price_of(licensing.get_offer(grant.offer_id))
    dataset = catalog.get_dataset(grant.dataset_id)
    title_ja, title_en = dataset.title_ja or dataset.title_en, dataset.title_en or dataset.title_ja
    is_simple = price.kind is PriceKind.PER_UNIT and not shares_off(order)
    return InvoiceLine(
        description_ja=f"データ利用料 {title_ja}{_when_ja(one)}（{_price_ja(price)}{_off_ja(order)}）",
        description_en=f"Data used: {title_en}{_when_en(one)} ({_price_en(price)}{_off_en(order)})",
        quantity=str(one.line.quantity_to - one.line.quantity_from),
        unit=one.line.unit,
        unit_price_yen=int(price.unit_yen) if is_simple else one.line.line_yen,
        unit_price=decimal_text(price.unit_yen) if is_simple else None,
        amount_net_yen=one.line.line_yen,
        tax_rate_basis_points=tax_rate_basis_points,
        grant_id=grant.id,
    )


def shares_off(order: Order) -> tuple[int, ...]:
    """Return the basis points that an order takes off its usage, one after the other."""
    return tuple(one["basis_points"] for one in order.deductions if one["basis_points"])


def _off_ja(order: Order) -> str:
    return "".join(f"、{LABELS_JA[kind]} {percent}% 引き" for kind, percent in _percents(order))


def _off_en(order: Order) -> str:
    return "".join(f", less {percent} % ({LABELS_EN[kind]})" for kind, percent in _percents(order))


def _percents(order: Order) -> list[tuple[str, str]]:
    taken = [(one["kind"], one["basis_points"]) for one in order.deductions if one["basis_points"]]
    return [(kind, decimal_text(Decimal(points) / 100)) for kind, points in taken]


def _when_ja(one: OpenLine) -> str:
    if one.line.period == LIFETIME:
        return ""
    year, month = _month(one.line)
    return f" {year}年{month}月分{'の調整' if one.is_adjustment else ''}"


def _when_en(one: OpenLine) -> str:
    if one.line.period == LIFETIME:
        return ""
    return f", {'adjustment of ' if one.is_adjustment else ''}{one.line.period}"


def _month(line: RatedLine) -> tuple[int, int]:
    year, month = line.period.split("-")
    return int(year), int(month)


def _price_ja(price: Price) -> str:
    unit = price.unit.ja if price.unit else ""
    if price.kind is PriceKind.PER_UNIT:
        return f"1 {unit} あたり {decimal_text(price.unit_yen)} 円"
    if price.kind is PriceKind.PACKAGE:
        return f"{price.package_size:,} {unit} ごとに {price.amount_yen:,} 円"
    return f"{price.kind.ja}、{unit} 単位"


def _price_en(price: Price) -> str:
    unit = price.unit.en if price.unit else ""
    if price.kind is PriceKind.PER_UNIT:
        return f"{decimal_text(price.unit_yen)} yen per {unit}"
    if price.kind is PriceKind.PACKAGE:
        return f"{price.amount_yen:,} yen for every {price.package_size:,} {unit}"
    return f"{price.kind.value} price by {unit}"
