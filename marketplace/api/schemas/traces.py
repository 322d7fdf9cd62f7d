"""The trail of a trade on the wire."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Instant, PageQuery, Whole, one_of, page_of
from marketplace.exchange.trail_nodes import Part


class MentionView(Schema):
    """An entry of the record, with its place in the tree once it has one."""

    id = fields.String(required=True)
    position = Whole(required=True, allow_none=True)
    verb = fields.String(required=True)
    occurred_at = Instant(required=True)


class NodeView(Schema):
    """One thing of a trade."""

    kind = one_of(Part, required=True)
    id = fields.String(required=True)
    state = fields.String(required=True, allow_none=True)
    at = Instant(required=True)
    amounts = fields.Dict(
        keys=fields.String(), values=fields.Integer(), required=True, metadata={"description": "by what they count"}
    )
    facts = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    leads_to = fields.List(
        fields.String(), required=True, metadata={"description": "the ids of the things that this one names"}
    )
    entries = fields.List(
        fields.Nested(MentionView), required=True, metadata={"description": "what the record says of it, to overseers"}
    )


class GapView(Schema):
    """A link that a part of a trade must have by its state, and lacks."""

    kind = one_of(Part, required=True)
    id = fields.String(required=True)
    missing = one_of(Part, required=True)
    name = fields.String(required=True, metadata={"description": "what it should be known by"})


class DeliveriesView(Schema):
    """How many deliveries a trade has; among its nodes is one page of them, newest first."""

    count = fields.Integer(required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class TrailView(Schema):
    """One trade from end to end."""

    order_id = fields.String(required=True)
    closes = fields.Boolean(required=True, metadata={"description": "whether nothing is missing"})
    missing = fields.List(fields.Nested(GapView), required=True)
    nodes = fields.List(fields.Nested(NodeView), required=True)
    deliveries = fields.Nested(DeliveriesView, required=True)


class TradeView(Schema):
    """One trade, named by its first order; overseers are told of one whose order is gone by its id alone."""

    order_id = fields.String(required=True)
    organization_id = fields.String(required=True, allow_none=True)
    provider_organization_id = fields.String(required=True, allow_none=True)
    dataset_id = fields.String(required=True, allow_none=True)
    state = fields.String(required=True, allow_none=True)
    amount_gross_yen = fields.Integer(required=True, allow_none=True)
    created_at = Instant(required=True, allow_none=True)


TradePage = page_of(TradeView)


class TraceView(Schema):
    """What an id leads to: the trades that it belongs to, and the trail of that trade where it is one."""

    asked = fields.String(required=True)
    trades = fields.Nested(TradePage, required=True)
    trail = fields.Nested(TrailView, required=True, allow_none=True)


class TraceQuery(PageQuery):
    """Which page: of the deliveries of one trade, or of the trades that share a thing."""
