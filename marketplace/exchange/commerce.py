"""What every sale has in common: the parties on its invoice and how its money is split."""

from marketplace.billing import shares, tax
from marketplace.billing.invoices import InvoiceParty
from marketplace.billing.shares import Sale, Shares
from marketplace.identity.models import Organization
from marketplace.kit import clock, settings


def invoice_party(organization: Organization) -> InvoiceParty:
    """Return an organization as an invoice names it."""
    return InvoiceParty(organization.id, organization.name_ja, organization.name_en)


def sale(among: Shares, quote: tax.Quote) -> Sale:
    """Split a quote between those who share it and the exchange, whose commission is taxed at today's rate."""
    commission = settings.current().commission_basis_points
    return shares.sale_of(among, quote, commission, tax.rate_on(clock.today()))
