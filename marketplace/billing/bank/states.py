"""What becomes of a bank line, and by which rule."""

from enum import StrEnum


class BankLineState(StrEnum):
    """Where the money of a bank line stands; only what lies in suspense or is unapplied waits for somebody."""

    MATCHED = "matched"
    UNAPPLIED = "unapplied"
    SUSPENSE = "suspense"
    RETURNED = "returned"


class MatchRule(StrEnum):
    """Why a bank line was taken for what it was taken for."""

    INVOICE_NUMBER = "invoice_number"
    EXACT_AMOUNT = "exact_amount"
    OLDEST_FIRST = "oldest_first"
    PAID_ALREADY = "paid_already"
    NOTHING_OPEN = "nothing_open"
    UNKNOWN_PAYER = "unknown_payer"
    CONTRADICTION = "contradiction"
    OPERATOR = "operator"
