"""Which accounts a deed moves: debit positive, credit negative, always summing to zero. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.billing import tax

Entry = tuple[str, int]

CLEARING = "Assets:Clearing:Stripe"
FEE_INCOME = "Income:MarketplaceFee"
OUTPUT_TAX = "Liabilities:ConsumptionTax:Output"
PROCESSING = "Expenses:PaymentProcessing"


@dataclass(frozen=True, slots=True)
class Sale:
    """One sale by a provider through the exchange as agent: G = N + T, commission F and its tax f.

    ``tax`` is the provider's own output tax, passed on; the exchange owes only ``commission_tax``.
    """

    provider: str
    net: int
    tax: int
    commission: int
    commission_tax: int

    def __post_init__(self) -> None:
        if min(self.net, self.tax, self.commission, self.commission_tax) < 0:
            raise ValueError("a sale has no negative part")
        if self.payable < 0:
            raise ValueError("the commission is larger than the sale")

    @property
    def gross(self) -> int:
        """What the buyer pays."""
        return self.net + self.tax

    @property
    def payable(self) -> int:
        """What the provider is owed."""
        return self.gross - self.commission - self.commission_tax


def sale_of(provider: str, quote: tax.Quote, commission_basis_points: int, fee_tax_basis_points: int) -> Sale:
    """Split a quote into what the provider and the exchange get; both fees are floored."""
    commission = tax.commission_on(quote.net_yen, commission_basis_points)
    return Sale(provider, quote.net_yen, quote.tax_yen, commission, tax.tax_on(commission, fee_tax_basis_points))


def receivable(consumer: str) -> str:
    """Return the account of what a buyer owes on invoices."""
    return f"Assets:Receivable:{consumer}"


def provider_pending(provider: str) -> str:
    """Return the account of what a provider is owed but cannot draw yet."""
    return f"Liabilities:Provider:{provider}:Pending"


def unapplied(payer: str) -> str:
    """Return the account of money that a payer sent for what was paid already: owed back to the payer."""
    return f"Liabilities:Unapplied:{payer}"


def card_sale(sale: Sale) -> list[Entry]:
    """Book a sale paid by card; a sale for nothing books nothing."""
    return _sale(CLEARING, sale)


def invoice_issued(sale: Sale, consumer: str) -> list[Entry]:
    """Book a sale billed by invoice: the buyer owes it."""
    return _sale(receivable(consumer), sale)


def accounts_of_invoice(provider: str, consumer: str) -> list[str]:
    """Return every account that an issued invoice may move."""
    return [receivable(consumer), provider_pending(provider), FEE_INCOME, OUTPUT_TAX]


def invoice_paid_by_card(gross: int, consumer: str) -> list[Entry]:
    """Book the payment of an invoice by card."""
    return _pair(CLEARING, receivable(consumer), gross)


def paid_twice_by_card(gross: int, payer: str) -> list[Entry]:
    """Book a payment by card of what another payment has paid already."""
    return _pair(CLEARING, unapplied(payer), gross)


def processing_fee(fee: int) -> list[Entry]:
    """Book the gateway's fee, which it keeps back from what it owes us."""
    return _pair(PROCESSING, CLEARING, fee)


def _sale(debit: str, sale: Sale) -> list[Entry]:
    return _without_zeros(
        [
            (debit, sale.gross),
            (provider_pending(sale.provider), -sale.payable),
            (FEE_INCOME, -sale.commission),
            (OUTPUT_TAX, -sale.commission_tax),
        ]
    )


def _pair(debit: str, credit: str, amount: int) -> list[Entry]:
    if amount < 0:
        raise ValueError("amounts are zero or more: the accounts say the direction")
    return _without_zeros([(debit, amount), (credit, -amount)])


def _without_zeros(entries: Sequence[Entry]) -> list[Entry]:
    return [(account, amount) for account, amount in entries if amount]
