"""What a provider's money does: the account it goes to, and the report of what it sold."""

from typing import Any

from flask import Response

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import payouts as schemas
from marketplace.billing import revenue
from marketplace.billing.payouts import queries, service
from marketplace.billing.payouts.rules import AccountDraft
from marketplace.billing.payouts.states import AccountType
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("revenue", "/v1", "Revenue (売上) and the account it is paid to (振込先口座).")
BOTH = {
    200: {
        "description": "The report, as JSON or as CSV for spreadsheets (UTF-8 with BOM)",
        "content": {"application/json": {"schema": schemas.RevenuesView}, "text/csv": {}},
    }
}


@blp.route("/payout-account")
@guarded(Permission.PAYOUT_ACCOUNT_READ)
@blp.response(200, schemas.PayoutAccountView)
def read_account() -> Any:
    """Read where one's own money goes."""
    return queries.get_account(actor().organization_id)


@blp.route("/payout-account", methods=["PUT"])
@guarded(Permission.PAYOUT_ACCOUNT_NAME)
@blp.arguments(schemas.PayoutAccountDraft)
@blp.response(200, schemas.PayoutAccountView)
def name_account(draft: dict[str, Any]) -> Any:
    """Set where one's own money goes from the next payout on. Individuals and accounts abroad are refused."""
    draft.pop("accepts_receipt_agency")
    kind = AccountType(draft.pop("account_type"))
    with transaction():
        return service.name_account(actor(), AccountDraft(**draft, account_type=kind))


@blp.route("/revenue")
@guarded(Permission.REVENUE_READ)
@blp.arguments(schemas.RevenueQuery, location="query")
@blp.response(200, schemas.RevenuesView)
@blp.doc(responses=BOTH)
def report(query: dict[str, Any]) -> Any:
    """Report revenue by dataset, class of buyers and month, with fee and tax; overseers see every provider's."""
    form = query.pop("format")
    rows = revenue.list_revenue(actor(), **query)
    if form == "json":
        return {"items": rows}
    answer = Response(b"".join(revenue.as_csv(rows)), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="revenue.csv"'
    return answer
