"""What the world outside did with its money, in plain Python, and what the books must say of it."""

from collections import defaultdict
from dataclasses import dataclass, field

COMMISSION_BASIS_POINTS = 1000
TAX_PERCENT = 10
GATEWAY_RAILS = {"card", "konbini", "bank_transfer"}


def gross_of(net: int, *, taxed: bool) -> int:
    """A price with its consumption tax, which is rounded down once."""
    return net + (net * TAX_PERCENT // 100 if taxed else 0)


def payable_of(net: int, gross: int) -> int:
    """What of a sale is the providers': all but the commission and the tax on it."""
    commission = net * COMMISSION_BASIS_POINTS // 10_000
    return gross - commission - commission * TAX_PERCENT // 100


@dataclass
class Sale:
    """One order, or one invoice over usage."""

    ref: str
    buyer: str
    net: int
    gross: int
    rail: str | None
    slip: bool = False
    cancelled: bool = False
    charges: dict[str, int] = field(default_factory=dict)
    returned: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    lapsed: bool = False
    """Whether its term was paid by another order, so that money for this one pays nothing."""

    @property
    def sold(self) -> bool:
        """Whether it must have been delivered: what is paid at the gateway or outside only once it is."""
        if self.rail == "outside":
            return self.slip
        return (bool(self.charges) and not self.lapsed) if self.rail in GATEWAY_RAILS else True

    @property
    def left(self) -> int:
        """What of it neither went back nor was lost."""
        return self.gross - sum(self.returned.values()) - sum(self.lost.values())

    @property
    def payable(self) -> int:
        """What the providers were to get of the whole, money paid outside apart, which they have."""
        return 0 if self.rail == "outside" else payable_of(self.net, self.gross)

    def check_left(self, gross: int, payable: int) -> None:
        """Compare what the books say is left of it with what must be: exact in all, within a yen a deed in parts."""
        assert gross == self.left >= 0, (self, gross)
        if self.left in {0, self.gross}:
            assert payable == (self.payable if self.left else 0), (self, payable)
        deeds = 1 + len(self.returned) + len(self.lost)
        assert abs(payable * self.gross - self.payable * self.left) <= deeds * self.gross, (self, payable)


@dataclass
class Model:
    """Everybody's money: what came, what went, and for what."""

    sales: dict[str, Sale] = field(default_factory=dict)
    bank_in: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    bank_back: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    strangers: int = 0
    gateway_net: int = 0
    gateway_paid_out: int = 0
    credited: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    own_returned: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    own_lost: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    riddles: int = 0
    """What left the gateway though nobody could say of what: it lies in suspense, for somebody to look at."""
    bank_refunds: int = 0
    payouts_by_bank: int = 0

    def owes(self, buyer: str) -> int:
        """What a buyer owes (below zero: what is its own) once everything is known that happened."""
        its = [sale for sale in self.sales.values() if sale.buyer == buyer]
        bought = sum(sale.gross for sale in its if sale.sold and sale.rail != "outside")
        charged = sum(sum(sale.charges.values()) for sale in its)
        came = charged + self.bank_in[buyer] - self.bank_back[buyer]
        return bought - came - self.credited[buyer] + self.own_returned[buyer] + self.own_lost[buyer]

    @property
    def bank(self) -> int:
        """What lies on our bank account."""
        came = sum(self.bank_in.values()) + self.strangers - sum(self.bank_back.values())
        return came + self.gateway_paid_out - self.bank_refunds - self.payouts_by_bank
