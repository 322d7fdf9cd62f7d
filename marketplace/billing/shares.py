"""A sale, its parts for each provider and dataset, and what of them a refund takes back. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from marketplace.billing import tax
from marketplace.billing.splitting import allocate

Shares = tuple[tuple[str, int], ...]
"""Who gets how many basis points of a sale; together 10,000."""


def alone(provider: str) -> Shares:
    """Return the shares of a provider who shares with nobody."""
    return ((provider, tax.WHOLE),)


@dataclass(frozen=True, slots=True)
class Sale:
    """One sale through the exchange: G = N + T, commission F (on the net after deductions) and its tax f.

    ``tax`` is that of the invoice, passed on to the providers when the exchange is their agent.
    """

    shares: Shares
    net: int
    tax: int
    commission: int
    commission_tax: int

    def __post_init__(self) -> None:
        if min(self.net, self.tax, self.commission, self.commission_tax) < 0:
            raise ValueError("a sale has no negative part")
        if self.payable < 0:
            raise ValueError("the commission is larger than the sale")
        points = [point for _provider, point in self.shares]
        if sum(points) != tax.WHOLE or min(points) <= 0 or len(dict(self.shares)) != len(points):
            raise ValueError("shares are above zero, one for each provider, and together 10,000 basis points")

    @property
    def provider(self) -> str:
        """The first of those who share it: who sells, and issues the invoice."""
        return self.shares[0][0]

    @property
    def gross(self) -> int:
        """What the buyer pays."""
        return self.net + self.tax

    @property
    def payable(self) -> int:
        """What the providers are owed together."""
        return self.gross - self.commission - self.commission_tax


@dataclass(frozen=True, slots=True)
class Part:
    """What of a sale (or of a reversal) belongs to one provider and one dataset; no amount is negative."""

    provider: str
    dataset: str
    net: int
    tax: int
    commission: int
    commission_tax: int

    @property
    def gross(self) -> int:
        """What the buyer paid for it."""
        return self.net + self.tax

    @property
    def payable(self) -> int:
        """What the provider gets of it."""
        return self.gross - self.commission - self.commission_tax


def sale_of(shares: Shares, quote: tax.Quote, commission_basis_points: int, fee_tax_basis_points: int) -> Sale:
    """Split a quote into what the providers and the exchange get; both fees are floored.

    The base of the commission is the net after all deductions and before tax.
    """
    commission = tax.commission_on(quote.net_yen, commission_basis_points)
    return Sale(shares, quote.net_yen, quote.tax_yen, commission, tax.tax_on(commission, fee_tax_basis_points))


def owed(sale: Sale) -> list[Part]:
    """Return the part of each provider, in the order of the shares: what is payable by largest remainder."""
    points = [point for _provider, point in sale.shares]
    payables = allocate(sale.payable, points)
    commissions = allocate(sale.commission, points)
    commission_taxes = allocate(sale.commission_tax, points)
    grosses = [sum(parts) for parts in zip(payables, commissions, commission_taxes, strict=True)]
    taxes = allocate(sale.tax, points, grosses)
    return [
        Part(provider, "", gross - its_tax, its_tax, commission, commission_tax)
        for (provider, _points), gross, its_tax, commission, commission_tax in zip(
            sale.shares, grosses, taxes, commissions, commission_taxes, strict=True
        )
    ]


def parts_of(sale: Sale, nets_by_dataset: Mapping[str, int]) -> list[Part]:
    """Return the parts of each provider and dataset; ValueError unless the datasets' nets sum to the sale's."""
    if sum(nets_by_dataset.values()) != sale.net or not nets_by_dataset:
        raise ValueError("the nets of the datasets do not sum to the net of the sale")
    return [part for whole in owed(sale) for part in _by_dataset(whole, nets_by_dataset)]


def _by_dataset(whole: Part, nets: Mapping[str, int]) -> list[Part]:
    weights = list(nets.values())
    net = allocate(whole.net, weights)
    its_tax = allocate(whole.tax, weights)
    gross = [sum(amounts) for amounts in zip(net, its_tax, strict=True)]
    commission = allocate(whole.commission, weights, gross)
    room = [amount - fee for amount, fee in zip(gross, commission, strict=True)]
    commission_tax = allocate(whole.commission_tax, weights, room)
    amounts = zip(nets, net, its_tax, commission, commission_tax, strict=True)
    return [Part(whole.provider, dataset, *its) for dataset, *its in amounts]


def take_back(amount: int, left: Sequence[Part]) -> list[Part]:
    """Split a reversal of ``amount`` gross over what is left of a sale, in the order of its parts.

    Every leg gives in proportion to what is left of it, by largest remainder, so none ever gives more
    than it got, and reversals of the whole sum to the original exactly. Net and tax are split for the
    sale as a whole first, since they stand on one credit note. ValueError when less is left.
    """
    net, its_tax = allocate_pair(amount, sum(part.net for part in left), sum(part.tax for part in left))
    nets = allocate(net, [part.net for part in left], [part.net for part in left])
    taxes = allocate(its_tax, [part.tax for part in left], [part.tax for part in left])
    return [_give(part, *given) for part, *given in zip(left, nets, taxes, strict=True)]


def allocate_pair(amount: int, net: int, its_tax: int) -> tuple[int, int]:
    """Split a gross amount in proportion to what is left of net and tax; neither gives more than it has."""
    net_part, tax_part = allocate(amount, [net, its_tax], [net, its_tax])
    return net_part, tax_part


def _give(part: Part, net: int, its_tax: int) -> Part:
    room = [part.payable, part.commission, part.commission_tax]
    _payable, commission, commission_tax = allocate(net + its_tax, room, room)
    return replace(part, net=net, tax=its_tax, commission=commission, commission_tax=commission_tax)
