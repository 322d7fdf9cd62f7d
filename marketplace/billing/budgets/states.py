"""Over what a budget counts."""

from enum import StrEnum


class BudgetPeriod(StrEnum):
    """``month`` begins anew with each calendar month in Japan; ``none`` counts for good."""

    MONTH = "month"
    NONE = "none"
