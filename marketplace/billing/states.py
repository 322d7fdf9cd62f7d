"""The states of orders, payments and invoices, and the moves between them."""

from enum import StrEnum


class OrderState(StrEnum):
    """How far an order has come; ``credited`` is what will be paid by invoice afterwards."""

    PLACED = "placed"
    CREDITED = "credited"
    PAID = "paid"
    FULFILLED = "fulfilled"
    FAILED = "failed"
    EXPIRED = "expired"


# Money that arrives after all is honoured: a failed or expired order may still be paid, never the reverse.
ORDER_MOVES = {
    OrderState.CREDITED: {OrderState.PLACED},
    OrderState.PAID: {OrderState.PLACED, OrderState.FAILED, OrderState.EXPIRED},
    OrderState.FULFILLED: {OrderState.PAID, OrderState.CREDITED},
    OrderState.FAILED: {OrderState.PLACED},
    OrderState.EXPIRED: {OrderState.PLACED},
}
"""From which states an order may come into the state named by the key."""


class PaymentState(StrEnum):
    """How far one attempt to pay has come, lowest first: facts only ever raise it."""

    CREATED = "created"
    OPEN = "open"
    PROCESSING = "processing"
    EXPIRED = "expired"
    FAILED = "failed"
    HELD = "held"
    PAID = "paid"


LIVE_PAYMENT_STATES = (PaymentState.CREATED, PaymentState.OPEN, PaymentState.PROCESSING, PaymentState.HELD)


class FactKind(StrEnum):
    """What is known of a payment; each kind of each gateway object is known once."""

    SESSION_OPENED = "session_opened"
    SESSION_COMPLETED_PAID = "session_completed_paid"
    SESSION_COMPLETED_UNPAID = "session_completed_unpaid"
    SESSION_ASYNC_FAILED = "session_async_failed"
    SESSION_EXPIRED = "session_expired"
    INTENT_SUCCEEDED = "intent_succeeded"
    INTENT_FAILED = "intent_failed"
    INTENT_PARTIALLY_FUNDED = "intent_partially_funded"
    CHARGE_FEE = "charge_fee"


class InvoiceKind(StrEnum):
    """What an invoice bills."""

    SALE = "sale"
    USAGE = "usage"


class InvoiceState(StrEnum):
    """Whether an invoice has been paid."""

    OPEN = "open"
    PAID = "paid"


class Dunning(StrEnum):
    """What an invoice that is not paid in time has led to."""

    NONE = "none"
    REMINDED = "reminded"
    SUSPENDED = "suspended"


class AccountKind(StrEnum):
    """The five kinds of ledger account; debit is positive, credit negative."""

    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"


ACCOUNT_ROOTS = {
    "Assets": AccountKind.ASSET,
    "Liabilities": AccountKind.LIABILITY,
    "Equity": AccountKind.EQUITY,
    "Income": AccountKind.INCOME,
    "Expenses": AccountKind.EXPENSE,
}
"""The first word of an account's code decides its kind."""


class Via(StrEnum):
    """By which way the money of a sale comes."""

    GATEWAY = "gateway"
    RECEIVABLE = "receivable"
    OUTSIDE = "outside"


class SellerRole(StrEnum):
    """In whose name the exchange sells: as the provider's agent (媒介), or in its own (仕入れて販売)."""

    AGENT = "agent"
    PRINCIPAL = "principal"


class EarningKind(StrEnum):
    """What made or unmade an earning."""

    SALE = "sale"
    REVERSAL = "reversal"
    RESTORATION = "restoration"
