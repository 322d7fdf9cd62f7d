"""What every sale has in common: the parties on its invoice and how its money is split."""

from marketplace.billing import shares, tax
from marketplace.billing.invoices import InvoiceLine, InvoiceParty
from marketplace.billing.models import Order
from marketplace.billing.shares import Sale, Shares
from marketplace.catalog import queries as catalog
from marketplace.identity import queries as identity
from marketplace.identity.models import Organization
from marketplace.kit import clock, settings

LABELS_JA = {"coupon": "クーポン", "eligibility": "適格者割引"}
LABELS_EN = {"coupon": "coupon", "eligibility": "eligibility"}


def invoice_party(organization: Organization) -> InvoiceParty:
    """Return an organization as an invoice names it."""
    return InvoiceParty(organization.id, organization.name_ja, organization.name_en)


def seller_of(provider_organization_id: str) -> str:
    """Return who sells to buyers: the provider, or the exchange itself where it is principal."""
    if settings.current().seller == "principal":
        return identity.operator_organization().id
    return provider_organization_id


def sale(among: Shares, quote: tax.Quote) -> Sale:
    """Split a quote between those who share it and the exchange, whose commission is taxed at today's rate."""
    commission = settings.current().commission_basis_points
    return shares.sale_of(among, quote, commission, tax.rate_on(clock.today()))


def order_lines(order: Order) -> list[InvoiceLine]:
    """Return what an order is billed for: the list price, and a line below zero for each deduction."""
    dataset = catalog.get_dataset(order.dataset_id)
    period_ja, period_en = _period(order)
    licence = InvoiceLine(
        description_ja=f"データ利用許諾料 {dataset.title_ja or dataset.title_en}{period_ja}",
        description_en=f"Data licence: {dataset.title_en or dataset.title_ja}{period_en}",
        quantity="1",
        unit="licence",
        unit_price_yen=order.list_net_yen,
        amount_net_yen=order.list_net_yen,
        tax_rate_basis_points=order.tax_rate_basis_points,
    )
    deducted = [
        InvoiceLine(
            description_ja=f"割引（{LABELS_JA[one['kind']]}）",
            description_en=f"Discount ({LABELS_EN[one['kind']]})",
            # A price below zero is no price (EN 16931, BR-27): what is given back counts minus one.
            quantity="-1",
            unit="discount",
            unit_price_yen=one["amount_yen"],
            amount_net_yen=-one["amount_yen"],
            tax_rate_basis_points=order.tax_rate_basis_points,
        )
        for one in order.deductions
    ]
    return [licence, *deducted]


def _period(order: Order) -> tuple[str, str]:
    if order.term_from is None or order.term_to is None:
        return "", ""
    return f"（{order.term_from}から{order.term_to}まで）", f", {order.term_from} to {order.term_to}"
