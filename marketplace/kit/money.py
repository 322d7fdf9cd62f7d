"""Money in integer minor units; never a float. What a minor unit is, ISO 4217 and the gateway say per currency."""

from dataclasses import dataclass
from decimal import Decimal

AMOUNT_MAX = 999_999_999_999
"""The largest price that may be asked: the gateway takes no more than twelve digits."""

BOOKABLE_MAX = 2**53
"""The largest amount of one ledger entry, in minor units.

Up to here every whole number survives a JSON reader that knows doubles alone, and a thousand such
entries still fit BIGINT; sums over entries are NUMERIC in the database, which ends nowhere.
"""

# ISO 4217, list one, by the number of decimals.
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP"
    " CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES"
    " KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK"
    " NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB"
    " TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW"
)
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
_DECIMALS = {code: count for count, codes in ((0, _NONE), (2, _TWO), (3, _THREE), (4, _FOUR)) for code in codes.split()}
# Stripe counts these in hundredths though ISO gives them no decimals; the last two digits must be 0.
_GATEWAY_TWO = frozenset({"ISK", "UGX"})


class UnknownCurrency(ValueError):
    """A text that is no currency of ISO 4217."""


class MixedMoney(TypeError):
    """Two amounts of different currencies, or a plain number and an amount."""


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in minor units of one currency; nothing else can be added to it or compared with it."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        decimals(self.currency)
        if type(self.minor) is not int:
            raise MixedMoney(f"{self.minor!r} is no whole number of minor units")

    def __add__(self, other: object) -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: object) -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: object) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: object) -> bool:
        return self.minor <= self._same(other)

    def __str__(self) -> str:
        return f"{decimal_text(self.minor, self.currency)} {self.currency}"

    def _same(self, other: object) -> int:
        if not isinstance(other, Money) or other.currency != self.currency:
            raise MixedMoney(f"{self} cannot be taken together with {other!r}")
        return other.minor


def is_known(currency: str) -> bool:
    """Tell whether this is a currency code of ISO 4217 in capitals."""
    return currency in _DECIMALS


def decimals(currency: str) -> int:
    """Return how many decimals ISO 4217 gives a currency; raises UnknownCurrency."""
    if not is_known(currency):
        raise UnknownCurrency(f"{currency!r} is no currency of ISO 4217")
    return _DECIMALS[currency]


def decimal_text(minor: int, currency: str) -> str:
    """Return minor units as a decimal number with all its decimals: 1234 USD is 12.34, 1234 JPY is 1234."""
    places = decimals(currency)
    return f"{Decimal(minor).scaleb(-places):f}" if places else str(minor)


def gateway_decimals(currency: str) -> int:
    """Return how many decimals Stripe's amounts of a currency have (docs.stripe.com/currencies)."""
    return 2 if currency in _GATEWAY_TWO else decimals(currency)


def to_gateway(minor: int, currency: str) -> int:
    """Return ISO minor units as Stripe counts them: 500 JPY stay 500, 500 UGX are 50000.

    Raises ValueError where Stripe cannot take the amount: three decimals must end in 0.
    """
    amount = minor * _gateway_factor(currency)
    if decimals(currency) == 3 and amount % 10:
        raise ValueError(f"{currency}: the last of three decimals must be 0")
    return amount


def from_gateway(amount: int, currency: str) -> int:
    """Return Stripe's amount in ISO minor units; raises ValueError for a fraction of one."""
    minor, rest = divmod(amount, _gateway_factor(currency))
    if rest:
        raise ValueError(f"{currency}: {amount} is a fraction of a minor unit")
    return minor


def _gateway_factor(currency: str) -> int:
    return int(10 ** (gateway_decimals(currency) - decimals(currency)))
