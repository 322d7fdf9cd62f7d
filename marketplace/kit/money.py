"""Money in integer minor units; never a float."""

from dataclasses import dataclass

MINOR_DIGITS = {"JPY": 0}
AMOUNT_MAX = 999_999_999_999


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount of one currency in minor units (yen are their own minor unit)."""

    amount_minor: int
    currency: str = "JPY"

    def __post_init__(self) -> None:
        if isinstance(self.amount_minor, bool) or not isinstance(self.amount_minor, int):
            raise TypeError("money is counted in integers")
        if self.currency not in MINOR_DIGITS:
            raise ValueError(f"currency {self.currency} is not traded here")

    def __add__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise ValueError("amounts of two currencies do not add")
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __str__(self) -> str:
        return f"{self.amount_minor:,} {self.currency}"
