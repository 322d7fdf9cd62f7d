"""Correcting: usage that was counted wrongly is set right beside what was counted, in quota, budgets and bills."""

from marketplace.exchange import spending
from marketplace.identity.actors import Actor
from marketplace.identity.states import Capacity
from marketplace.metering import corrections, queries
from marketplace.metering.corrections import Correction
from marketplace.metering.errors import CorrectionNotYours
from marketplace.metering.models import Delivery, UsageEvent


def correct(actor: Actor, delivery_id: str, correction: Correction) -> UsageEvent:
    """Correct the usage of a delivery: its provider may take off, the operator may add as well.

    The same again under its reference changes nothing. What the grant's budgets have come to follows, and so does the
    next settlement. To be called in a transaction. Raises NotFound, CorrectionNotYours and what
    ``metering.corrections.correct`` raises.
    """
    delivery = queries.get_delivery(actor, delivery_id)
    _require_right(actor, delivery, correction)
    event, is_new = corrections.correct(actor, delivery, correction)
    if is_new:
        spending.count_corrected(delivery.organization_id, delivery.grant_id)
    return event


def _require_right(actor: Actor, delivery: Delivery, correction: Correction) -> None:
    if Capacity.OPERATOR in actor.capacities:
        return
    if actor.organization_id != delivery.provider_organization_id or max(correction.news.values()) > 0:
        raise CorrectionNotYours
