"""What the record must say of the parts of a trade, and which of it is missing. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from marketplace.audit.verbs import Verb
from marketplace.billing.payouts.states import PayoutWay
from marketplace.billing.refunds.states import RefundWay
from marketplace.exchange.trail_nodes import Gap, Node, Part
from marketplace.licensing.states import Rail

_ALWAYS: Mapping[Part, Collection[Verb]] = {
    Part.TERMS: (Verb.TERMS_WRITTEN,),
    Part.OFFER: (Verb.OFFER_MADE, Verb.OFFER_SUPERSEDED),
    Part.ACCEPTANCE: (Verb.TERMS_ACCEPTED,),
    Part.SUBSCRIPTION: (Verb.SUBSCRIPTION_BEGUN,),
    Part.ORDER: (Verb.ORDER_PLACED,),
    Part.PAYMENT: (Verb.PAYMENT_OPENED,),
    Part.BANK_LINE: (Verb.BANK_LINE_RECEIVED,),
    Part.INVOICE: (Verb.INVOICE_ISSUED,),
    Part.POSTING: (Verb.LEDGER_POSTED,),
    Part.DOCUMENT: (Verb.DOCUMENT_ISSUED, Verb.INVOICE_ISSUED),
    Part.GRANT: (Verb.GRANT_ISSUED,),
    Part.USAGE: (Verb.DELIVERY_CLOSED, Verb.USAGE_CORRECTED),
    Part.SETTLEMENT: (Verb.USAGE_SETTLED,),
    Part.REFUND: (Verb.REFUND_OPENED,),
    Part.PAYOUT: (Verb.PAYOUT_CREATED,),
}
"""The entry that each part has from its beginning, of several one. All deliveries are looked at where they lie."""
_BY_STATE: Mapping[tuple[Part, str], Collection[Verb]] = {
    (Part.ORDER, "fulfilled"): (Verb.ORDER_FULFILLED,),
    (Part.ORDER, "failed"): (Verb.ORDER_FAILED,),
    (Part.ORDER, "expired"): (Verb.ORDER_EXPIRED,),
    (Part.PAYMENT, "paid"): (Verb.PAYMENT_CAPTURED,),
    (Part.PAYMENT, "held"): (Verb.PAYMENT_HELD,),
    (Part.PAYMENT, "failed"): (Verb.PAYMENT_FAILED,),
    (Part.PAYMENT, "expired"): (Verb.PAYMENT_EXPIRED,),
    (Part.SUBSCRIPTION, "past_due"): (Verb.SUBSCRIPTION_PAST_DUE,),
    (Part.SUBSCRIPTION, "ended"): (Verb.SUBSCRIPTION_ENDED,),
    (Part.GRANT, "suspended"): (Verb.GRANT_SUSPENDED,),
    (Part.GRANT, "revoked"): (Verb.GRANT_REVOKED,),
    (Part.REFUND, "succeeded"): (Verb.REFUND_SUCCEEDED,),
    (Part.REFUND, "failed"): (Verb.REFUND_FAILED,),
    (Part.DISPUTE, "warning"): (Verb.DISPUTE_WARNED,),
    (Part.DISPUTE, "opened"): (Verb.DISPUTE_OPENED,),
    (Part.DISPUTE, "lost"): (Verb.DISPUTE_LOST,),
    (Part.DISPUTE, "won"): (Verb.DISPUTE_WON,),
    (Part.PAYOUT, "approved"): (Verb.PAYOUT_APPROVED,),
    (Part.PAYOUT, "sent"): (Verb.PAYOUT_APPROVED, Verb.PAYOUT_SENT),
    (Part.PAYOUT, "paid"): (Verb.PAYOUT_APPROVED, Verb.PAYOUT_SENT, Verb.PAYOUT_PAID),
    (Part.PAYOUT, "failed"): (Verb.PAYOUT_APPROVED, Verb.PAYOUT_SENT, Verb.PAYOUT_FAILED),
    (Part.PAYOUT, "cancelled"): (Verb.PAYOUT_CANCELLED,),
}
"""The entries that a part has once it is in a state."""
_NEVER = {
    (Part.REFUND, RefundWay.CREDIT.value, Verb.REFUND_SUCCEEDED),
    (Part.REFUND, RefundWay.OUTSIDE.value, Verb.REFUND_SUCCEEDED),
    (Part.PAYOUT, PayoutWay.CLAIM.value, Verb.PAYOUT_APPROVED),
    (Part.PAYOUT, PayoutWay.CLAIM.value, Verb.PAYOUT_SENT),
}
"""What has no entry of its own on some ways: it comes with the beginning, and nothing has to be sent first."""


def silences(nodes: Iterable[Node]) -> Iterator[Gap]:
    """Return what the record does not say of parts of a trade, and ought to by their states."""
    for node in nodes:
        told = {one.verb for one in node.entries}
        for verbs in _required(node):
            if not told & set(verbs):
                yield Gap(node.kind, node.id, Part.ENTRY, verbs[0].value)
        if node.kind is Part.SETTLEMENT and node.amounts["events"] < _settled(node):
            yield Gap(Part.SETTLEMENT, node.id, Part.USAGE, node.id)


def _required(node: Node) -> Iterator[tuple[Verb, ...]]:
    if node.kind in _ALWAYS:
        yield tuple(_ALWAYS[node.kind])
    for later in _BY_STATE.get((node.kind, node.state or ""), ()):
        if (node.kind, node.facts.get("way"), later) not in _NEVER:
            yield (later,)
    if (node.kind, node.state) == (Part.ORDER, "fulfilled"):
        # What is sold by invoice is delivered before it is paid.
        yield (Verb.ORDER_CREDITED if node.facts.get("rail") == Rail.INVOICE else Verb.ORDER_PAID,)


def _settled(node: Node) -> int:
    """Return of how many events the record says that a settlement took them from this grant."""
    of_grant = (one for one in node.entries if one.verb == Verb.USAGE_SETTLED and one.subject in node.leads_to)
    return sum(int(one.facts["events"]) for one in of_grant)
