"""What is said of budgets."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, Strict, Whole, identifier, line, one_of, page_of
from marketplace.billing.budgets.rules import GRANTS_MAX, NAME_LENGTH_MAX
from marketplace.billing.budgets.states import BudgetPeriod

_LIMIT = validate.Range(1, 999_999_999_999)


class BudgetDraft(Strict):
    """A budget in yen before tax; without ``grant_ids`` it is for all grants, also those to come."""

    name = line(NAME_LENGTH_MAX, required=True)
    limit_yen = Whole(required=True, validate=_LIMIT)
    period = one_of(BudgetPeriod, load_default=BudgetPeriod.MONTH.value)
    grant_ids = fields.List(
        identifier("grt"), load_default=None, allow_none=True, validate=validate.Length(1, GRANTS_MAX)
    )


class BudgetChanges(Strict):
    """What may be changed of a budget; for other grants or another period, set another one."""

    name = line(NAME_LENGTH_MAX)
    limit_yen = Whole(validate=_LIMIT)


class BudgetAlertView(Schema):
    """That a share of the limit was reached, and when."""

    percent = fields.Integer(required=True)
    alerted_at = Instant(required=True)


class BudgetView(Schema):
    """A budget with what it has come to in the running period."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    limit_yen = fields.Integer(required=True)
    period = one_of(BudgetPeriod, required=True)
    grant_ids = fields.List(fields.String(), allow_none=True, required=True)
    version = fields.Integer(required=True)
    created_at = Instant(required=True)
    running_period = fields.String(required=True)
    yen_used = fields.Integer(required=True)
    yen_held = fields.Integer(required=True)
    yen_left = fields.Integer(required=True)
    alerts = fields.List(fields.Nested(BudgetAlertView), required=True)


BudgetPage = page_of(BudgetView)
