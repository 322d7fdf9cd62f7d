"""What the parts of a trade name, by their own words or by the record's, and what of it is there no longer. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from marketplace.audit.queries import Mention
from marketplace.audit.verbs import Verb
from marketplace.exchange.trail_nodes import Found, Gap, Node, Part, has
from marketplace.kit.ids import is_id

_WHOLE: Mapping[str, Part] = {
    "acc": Part.ACCEPTANCE, "sub": Part.SUBSCRIPTION, "ord": Part.ORDER, "pay": Part.PAYMENT, "bnk": Part.BANK_LINE,
    "inv": Part.INVOICE, "doc": Part.DOCUMENT, "grt": Part.GRANT, "stl": Part.SETTLEMENT, "rtl": Part.RATED_LINE,
    "rfd": Part.REFUND, "dsp": Part.DISPUTE, "ern": Part.EARNING, "pyt": Part.PAYOUT,
}  # fmt: skip
"""What comes whole by the beginnings of ids. Of texts and offers older ones are named too, which are of no trade."""
_PAGED: Mapping[str, Part] = {"dlv": Part.DELIVERY, "use": Part.USAGE}


def loose_ends(nodes: Sequence[Node]) -> Iterator[Gap]:
    """Return what is named somewhere in a trade and is not in it; deliveries and usage are looked at where they lie."""
    there = {name for node in nodes for name in (node.id, *node.names)}
    for node in nodes:
        for name in _named_by(node):
            kind = _kind_of(name, _WHOLE)
            if kind is not None and name not in there:
                yield Gap(node.kind, node.id, kind, name)


def unbooked(found: Found, nodes: Sequence[Node], mentions: Sequence[Mention]) -> Iterator[Gap]:
    """Return what was booked for a trade, as the record says, and is in the ledger no longer."""
    booked, kinds = {one.idem for one in found.billed.postings}, {node.id: node.kind for node in nodes}
    for mention in mentions:
        if mention.verb == Verb.LEDGER_POSTED and mention.subject in found.billed.booked_under:
            idem = str(mention.facts["idem"])
            if idem not in booked:
                yield Gap(kinds.get(mention.subject, Part.POSTING), mention.subject, Part.POSTING, idem)


def gone(asked: str, nodes: Sequence[Node]) -> list[Gap]:
    """Return that a thing of the trade is there no longer, which only the record or other things still tell of."""
    kind = _kind_of(asked, {**_WHOLE, **_PAGED})
    return [] if kind is None or has(nodes, asked) else [Gap(kind, asked, kind, asked)]


def _kind_of(name: str, kinds: Mapping[str, Part]) -> Part | None:
    return kinds.get(name.partition("_")[0]) if is_id(name) else None


def _named_by(node: Node) -> Iterator[str]:
    # A bill over usage is about the grants of its buyer's other trades as well.
    yield from (name for name in node.leads_to if (node.kind, name[:3]) != (Part.DOCUMENT, "grt"))
    # What is booked or earned for a thing is known by its name: "refund_settled:rfd_…".
    yield from node.facts.get("idem", "").split(":")
    for entry in node.entries:
        yield from (value for value in entry.facts.values() if isinstance(value, str))
