"""Which accounts a deed moves: debit positive, credit negative, always summing to zero per currency. Pure."""

from collections.abc import Mapping, Sequence

from marketplace.billing.shares import Part, Sale, sale_of
from marketplace.billing.states import SellerRole

__all__ = ["Entry", "Sale", "sale_of"]  # a sale is read where its postings are

Entry = tuple[str, int] | tuple[str, int, str]
"""Account code, minor units, and the currency where it is another than the transaction's."""

BANK = "Assets:Bank"
CLEARING = "Assets:Clearing:Stripe"
DISPUTES_HELD = "Assets:DisputesHeld"
INPUT_TAX = "Assets:ConsumptionTax:Input"
SUSPENSE = "Assets:Suspense"
OUTPUT_TAX = "Liabilities:ConsumptionTax:Output"
REFUNDS_IN_TRANSIT = "Liabilities:RefundsInTransit"
PAYOUTS_IN_TRANSIT = "Liabilities:PayoutsInTransit"
FEE_INCOME = "Income:MarketplaceFee"
SALES = "Income:Sales"
COST_OF_SALES = "Expenses:CostOfSales"
PROCESSING = "Expenses:PaymentProcessing"
DISPUTE_FEE = "Expenses:DisputeFee"
DISPUTE_LOSS = "Expenses:DisputeLoss"
ROUNDING = "Expenses:Rounding"
HOME = "JPY"


def receivable(debtor: str) -> str:
    """Return the account of what an organization owes on invoices."""
    return f"Assets:Receivable:{debtor}"


def provider_pending(provider: str) -> str:
    """Return the account of what a provider is owed but cannot draw yet."""
    return f"Liabilities:Provider:{provider}:Pending"


def provider_available(provider: str) -> str:
    """Return the account of what a provider may be paid out."""
    return f"Liabilities:Provider:{provider}:Available"


def unapplied(payer: str) -> str:
    """Return the account of money that a payer sent for nothing open: owed back to the payer."""
    return f"Liabilities:Unapplied:{payer}"


def in_currency(account: str, currency: str) -> str:
    """Return the account's twin in a currency: an account is of one currency, and yen need no suffix."""
    return account if currency == HOME else f"{account}:{currency}"


def conversion(currency: str) -> str:
    """Return the account through which money is changed into or out of a currency."""
    return f"Equity:Conversion:{currency}"


def sold(parts: Sequence[Part], money: str, role: SellerRole) -> list[Entry]:
    """Book a sale in parts, whose gross stands on the account ``money``; a sale for nothing books nothing.

    As agent the exchange earns its commission and owes tax on that alone. As principal it sells the
    whole in its own name, with the whole tax, and buys from the provider for what it owes it: net less
    commission as cost, and the tax of that purchase as input tax (仕入税額控除).
    """
    return _merged([(money, _gross(parts)), *_owed(parts, available=False), *_own_legs(parts, role)])


def sold_outside(parts: Sequence[Part], role: SellerRole) -> list[Entry]:
    """Book a sale that the buyer paid to the provider: it owes the exchange commission and its tax."""
    fees = [(receivable(part.provider), part.commission + part.commission_tax) for part in parts]
    return _merged([*fees, *_own_legs(parts, role)])


def taken_back(parts: Sequence[Part], credit_to: str, role: SellerRole, *, available: bool) -> list[Entry]:
    """Book (part of) a sale back: what every side got goes to ``credit_to``, such as refunds in transit.

    ``available`` says on which account of the provider the money lies by now.
    """
    return _negated([(credit_to, _gross(parts)), *_owed(parts, available=available), *_own_legs(parts, role)])


def taken_back_outside(parts: Sequence[Part], role: SellerRole) -> list[Entry]:
    """Book (part of) a sale back that was paid outside: the provider owes the commission no longer."""
    return _negated(sold_outside(parts, role))


def accounts_of_invoice(providers: Sequence[str], consumer: str) -> list[str]:
    """Return every account that an issued invoice may move."""
    own = [FEE_INCOME, OUTPUT_TAX, SALES, COST_OF_SALES, INPUT_TAX]
    return [receivable(consumer), *map(provider_pending, providers), *own]


def invoice_paid(amount: int, consumer: str, money: str = CLEARING) -> list[Entry]:
    """Book money as payment of an invoice, from where it lies: the gateway, the bank, or what was unapplied."""
    return _pair(money, receivable(consumer), amount)


def paid_twice_by_card(gross: int, payer: str) -> list[Entry]:
    """Book a payment by card of what another payment has paid already."""
    return _pair(CLEARING, unapplied(payer), gross)


def transfer_unapplied(amount: int, payer: str, money: str = BANK) -> list[Entry]:
    """Book what of a bank transfer pays nothing: it stays the payer's own. ``money`` is where it lies."""
    return _pair(money, unapplied(payer), amount)


def transfer_returned(amount: int, payer: str | None) -> list[Entry]:
    """Book that what of a transfer pays nothing was sent back: to its payer, or to whom nobody could name."""
    return _pair(SUSPENSE if payer is None else unapplied(payer), BANK, amount)


def unapplied_used(amount: int, payer: str) -> list[Entry]:
    """Book money of a payer, received before, as payment of an invoice."""
    return _pair(unapplied(payer), receivable(payer), amount)


def unapplied_returned(amount: int, payer: str) -> list[Entry]:
    """Book that money which paid nothing is on its way back to the payer."""
    return _pair(unapplied(payer), REFUNDS_IN_TRANSIT, amount)


def unapplied_again(amount: int, payer: str) -> list[Entry]:
    """Book that money on its way back never went, or came back: it is its payer's as before."""
    return _pair(REFUNDS_IN_TRANSIT, unapplied(payer), amount)


def unexplained(account: str, amount: int) -> list[Entry]:
    """Book money on an account of which nobody knows the reason (debit positive), until somebody does."""
    return _merged([(account, amount), (SUSPENSE, -amount)])


def explained(account: str, amount: int) -> list[Entry]:
    """Move money that was unexplained (as it stood on its account: debit positive) to where it belongs."""
    return _merged([(SUSPENSE, amount), (account, -amount)])


def hold_over(amounts: Mapping[str, int]) -> list[Entry]:
    """Book that providers may draw what was pending; an amount below zero takes back what was booked so."""
    entries: list[Entry] = []
    for provider, amount in amounts.items():
        entries += [(provider_pending(provider), amount), (provider_available(provider), -amount)]
    return _merged(entries)


def processing_fee(fee: int) -> list[Entry]:
    """Book the gateway's fee, which it keeps back from what it owes us."""
    return _pair(PROCESSING, CLEARING, fee)


def processing_fee_returned(fee: int) -> list[Entry]:
    """Book a fee that the gateway gives back."""
    return _pair(CLEARING, PROCESSING, fee)


def gateway_payout(amount: int) -> list[Entry]:
    """Book that the gateway paid to the exchange's bank account."""
    return _pair(BANK, CLEARING, amount)


def gateway_payout_failed(amount: int) -> list[Entry]:
    """Book that the bank sent the gateway's payout back to it."""
    return _pair(CLEARING, BANK, amount)


def refund_settled(amount: int, source: str = CLEARING) -> list[Entry]:
    """Book that a refund has left us, from the gateway or (``BANK``) from the bank account."""
    return _pair(REFUNDS_IN_TRANSIT, source, amount)


def refund_bounced(amount: int, source: str = CLEARING) -> list[Entry]:
    """Book that a refund which had left us came back."""
    return _pair(source, REFUNDS_IN_TRANSIT, amount)


def dispute_opened(amount: int, fee: int) -> list[Entry]:
    """Book that the gateway holds back a disputed amount, and charges for it."""
    _require(amount, fee)
    return _merged([(DISPUTES_HELD, amount), (DISPUTE_FEE, fee), (CLEARING, -amount - fee)])


def dispute_won(amount: int, fee_returned: int = 0) -> list[Entry]:
    """Book that the disputed amount came back, and what of the fee came with it."""
    _require(amount, fee_returned)
    return _merged([(CLEARING, amount + fee_returned), (DISPUTES_HELD, -amount), (DISPUTE_FEE, -fee_returned)])


def dispute_absorbed(amount: int) -> list[Entry]:
    """Book what a lost dispute took though it had gone back already: nobody but the exchange can bear it."""
    return _pair(DISPUTE_LOSS, DISPUTES_HELD, amount)


def dispute_lost_unapplied(amount: int, payer: str) -> list[Entry]:
    """Book the loss of money that paid nothing: it was its payer's own, and the payer has it again."""
    return _pair(unapplied(payer), DISPUTES_HELD, amount)


def payout_created(provider: str, payable: int, offset: int = 0) -> list[Entry]:
    """Book that a provider's money is on its way, less the commission that it owes of sales paid outside."""
    _require(payable - offset)
    entries = [(provider_available(provider), payable), (receivable(provider), -offset)]
    return _merged([*entries, (PAYOUTS_IN_TRANSIT, offset - payable)])


def debt_claimed(provider: str, payable: int) -> list[Entry]:
    """Book that a provider is asked to pay what it owes: what it may draw (a debt below zero) joins the claim."""
    return _merged([(provider_available(provider), payable), (receivable(provider), -payable)])


def payout_paid(amount: int, source: str = BANK) -> list[Entry]:
    """Book that a payout has left us: from the bank, or (``CLEARING``) as a transfer inside the gateway."""
    return _pair(PAYOUTS_IN_TRANSIT, source, amount)


def payout_failed(provider: str, payable: int, offset: int = 0) -> list[Entry]:
    """Book that a payout never left us: the provider may draw it again, and owes again what it had netted."""
    return _negated(payout_created(provider, payable, offset))


def payout_returned(provider: str, payable: int, offset: int = 0, source: str = BANK) -> list[Entry]:
    """Book that a payout which had left us came back: the provider may draw it again."""
    back = [(account, -amount) for account, amount, *_ in payout_created(provider, payable, offset)]
    return _merged([(source if account == PAYOUTS_IN_TRANSIT else account, amount) for account, amount in back])


def commission_tax_rounded(difference: int) -> list[Entry]:
    """Book by how much the tax of a commission invoice, rounded once, exceeds that of its sales (or falls short).

    The provider was charged the sum of the single taxes; the exchange bears the difference.
    """
    return _merged([(ROUNDING, difference), (OUTPUT_TAX, -difference)])


def exchanged(sold_amount: int, currency: str, bought_amount: int, account: str = CLEARING) -> list[Entry]:
    """Book that money in a currency on an account was changed into yen; each currency sums to zero."""
    _require(sold_amount, bought_amount)
    entries: list[Entry] = [
        (conversion(currency), sold_amount, currency),
        (in_currency(account, currency), -sold_amount, currency),
        (account, bought_amount, HOME),
        (conversion(HOME), -bought_amount, HOME),
    ]
    return [entry for entry in entries if entry[1]]


def _gross(parts: Sequence[Part]) -> int:
    return sum(part.gross for part in parts)


def _owed(parts: Sequence[Part], *, available: bool) -> list[tuple[str, int]]:
    account = provider_available if available else provider_pending
    return [(account(part.provider), -part.payable) for part in parts]


def _own_legs(parts: Sequence[Part], role: SellerRole) -> list[tuple[str, int]]:
    commission = sum(part.commission for part in parts)
    commission_tax = sum(part.commission_tax for part in parts)
    if role == SellerRole.AGENT:
        return [(FEE_INCOME, -commission), (OUTPUT_TAX, -commission_tax)]
    net, tax = sum(part.net for part in parts), sum(part.tax for part in parts)
    return [
        (SALES, -net),
        (OUTPUT_TAX, -tax),
        (COST_OF_SALES, net - commission),
        (INPUT_TAX, tax - commission_tax),
    ]


def _pair(debit: str, credit: str, amount: int) -> list[Entry]:
    _require(amount)
    return _merged([(debit, amount), (credit, -amount)])


def _require(*amounts: int) -> None:
    if min(amounts) < 0:
        raise ValueError("amounts are zero or more: the accounts say the direction")


def _merged(entries: Sequence[Entry]) -> list[Entry]:
    """One leg for each account, in the order of their first naming, and none of zero."""
    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry[0]] = sums.get(entry[0], 0) + entry[1]
    return [(account, amount) for account, amount in sums.items() if amount]


def _negated(entries: Sequence[Entry]) -> list[Entry]:
    return [(entry[0], -entry[1]) for entry in _merged(entries)]
