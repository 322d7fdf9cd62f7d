"""The trail of a trade: from any of its ids to all others, with the record's entries and what is missing."""

from collections.abc import Collection
from dataclasses import dataclass

from marketplace.access import queries as access
from marketplace.access.models import Grant
from marketplace.audit import queries as record
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import trail as billing
from marketplace.billing.models import Order
from marketplace.billing.trail import TradeLine
from marketplace.exchange import trail_ends, trail_gaps, trail_links, trail_nodes
from marketplace.exchange.trail_nodes import Found, Gap, Node
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.states import Capacity
from marketplace.kit import pages
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import Page
from marketplace.licensing import queries as licensing
from marketplace.metering import trail as metering

MACHINE = Actor(SYSTEM.organization_id, capacities=frozenset({Capacity.OPERATOR}))
"""Who asks on the machine of the exchange itself: it oversees."""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """How many deliveries a trade has; those among its nodes are one page of them, newest first."""

    count: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Trail:
    """One trade with all that belongs to it and is shown to the caller; it closes where nothing is missing."""

    order_id: str
    nodes: list[Node]
    missing: list[Gap]
    deliveries: Deliveries

    @property
    def closes(self) -> bool:
        """Whether every part has the links that it must have by its state."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class Trace:
    """What an id leads to: the trades that it belongs to, and the trail of that trade where it is one."""

    asked: str
    trades: Page[TradeLine]
    trail: Trail | None


def trace(actor: Actor, asked: str, cursor: str | None = None, size: int = pages.SIZE_DEFAULT) -> Trace:
    """Return the trade of a thing by its id, in the open transaction; of several, which they are.

    ``cursor`` pages the deliveries of one trade, or the trades of what several share: terms, an acceptance, an offer,
    a payout, an invoice over usage. A party sees its own trades, and of those what it may see elsewhere; NotFound for
    all else. That an overseer looks stands in the record.
    """
    order_ids = trail_ends.orders_of(actor, asked)
    trades = billing.list_trades(actor, order_ids, after=None, most=2)
    if not trades:
        raise NotFound
    alone = len(trades) == 1
    first = _trail(actor, trades[0].order_id, asked, cursor if alone else None, size)
    if not first.nodes or not (actor.oversees or trail_nodes.has(first.nodes, asked)):
        # What several trades share is shown in each of them to whoever may see it.
        raise NotFound
    if actor.oversees:
        audit.record(actor, Verb.TRADE_TRACED, subject=actor.organization_id, facts={"asked": asked})
        first.missing.extend(trail_links.gone(asked, first.nodes))
    page = Page(trades, None) if alone else _page(actor, order_ids, cursor, size)
    return Trace(asked, page, first if alone else None)


def _page(actor: Actor, order_ids: Collection[str], cursor: str | None, size: int) -> Page[TradeLine]:
    key = pages.decode_cursor(cursor, 1)
    trades = billing.list_trades(actor, order_ids, str(key[0]) if key else None, size + 1)
    return pages.cut(trades, size, lambda one: [one.order_id])


def _trail(actor: Actor, order_id: str, asked: str, cursor: str | None, size: int) -> Trail:
    found = _found(order_id, asked, cursor, size)
    made = trail_nodes.nodes(found)
    mentions = record.list_mentions(trail_nodes.subjects_of(found, made))
    made = trail_nodes.with_entries(made, mentions)
    missing, deliveries = trail_gaps.gaps(found, made, mentions), Deliveries(found.used.count, found.used.next_cursor)
    if made and actor.oversees:
        return Trail(order_id, made, missing, deliveries)
    seen = trail_nodes.seen_by(actor.organization_id, made)
    known = {(node.kind, node.id) for node in seen}
    told = [one for one in missing if (one.kind, one.id) in known and one.missing in trail_gaps.SHOWN_TO_PARTIES]
    return Trail(order_id, seen, told, deliveries)


def _found(order_id: str, asked: str, cursor: str | None, size: int) -> Found:
    orders = billing.find_orders(order_id)
    grants = access.list_of_orders({order_id, *(one.id for one in orders)})
    grant_ids = [one.id for one in grants]
    on: list[Order | Grant] = [*orders, *grants]
    terms, acceptances, offers = licensing.list_agreed(
        {one.provider_organization_id for one in on},
        {one.terms_sha256 for one in on},
        {one.acceptance_id for one in on},
        {one.offer_id for one in on},
    )
    billed = billing.find(orders, order_id, grant_ids)
    used = metering.find(grant_ids, asked, cursor, size)
    return Found(order_id, terms, acceptances, offers, billed, grants, used)
