"""The ledger, for operator and auditor."""

from typing import Any

from marketplace.api.endpoint import blueprint, guarded
from marketplace.api.schemas import oversight as schemas
from marketplace.billing import ledger_queries as ledger
from marketplace.billing.balance import queries as balance
from marketplace.billing.balance.states import MovementState
from marketplace.identity.permissions import Permission

blp = blueprint("ledger", "/v1/ledger", "Double-entry books, balanced by the database.")


@blp.route("/trial-balance")
@guarded(Permission.LEDGER_READ)
@blp.arguments(schemas.TrialBalanceQuery, location="query")
@blp.response(200, schemas.TrialBalanceView)
def read_trial_balance(query: dict[str, Any]) -> Any:
    """Add up every account of a currency; the total is 0."""
    return ledger.trial_balance(query.get("until"), query["currency"])


@blp.route("/transactions")
@guarded(Permission.LEDGER_READ)
@blp.arguments(schemas.TransactionQuery, location="query")
@blp.response(200, schemas.TransactionPage)
def list_transactions(query: dict[str, Any]) -> Any:
    """List booked transactions with their entries, newest first."""
    page = {name: query.pop(name) for name in ("cursor", "size") if name in query}
    return ledger.list_transactions(**page, chosen=ledger.TransactionFilter(**query))


@blp.route("/balance-transactions")
@guarded(Permission.LEDGER_READ)
@blp.arguments(schemas.MovementQuery, location="query")
@blp.response(200, schemas.MovementPage)
def list_movements(query: dict[str, Any]) -> Any:
    """List what moved the payment gateway's balance; ``suspense`` and ``waiting`` are what nothing explains yet."""
    state = query.pop("state", None)
    return balance.list_movements(**query, state=MovementState(state) if state else None)
