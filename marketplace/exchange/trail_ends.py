"""The ends of a trade's trail: from the id of any thing of a trade to the orders that it belongs to."""

import re
from collections.abc import Collection

from marketplace.access import queries as access
from marketplace.audit import queries as record
from marketplace.billing import trail as billing
from marketplace.identity.actors import Actor
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.licensing import queries as licensing
from marketplace.metering import trail as metering

SHA256 = re.compile("[0-9a-f]{64}")
TXN = re.compile("[0-9]{1,18}")
# The texts of terms and offers are those of many trades, so that an entry about a thing that is gone leads past them.
_OF_ONE_TRADE = frozenset({"ord", "sub", "pay", "inv", "grt", "dlv", "use", "rfd", "dsp", "doc", "pyt"})


def orders_of(actor: Actor, asked: str) -> set[str]:
    """Return the orders that a thing belongs to, by its id; raises NotFound for what is of no trade.

    Accepted are the hash of terms, the number of a ledger transaction and the ids of all else. For an overseer, what
    is there no longer is found by what the record tells of it, and an entry of the record by what it is about.
    """
    if SHA256.fullmatch(asked):
        return _required(billing.list_towards_orders("sha256", [asked]))
    if TXN.fullmatch(asked) and actor.oversees:
        return _required(_followed(billing.list_booked_by([int(asked)])))
    if not is_id(asked) or (asked.startswith("aud_") and not actor.oversees):
        raise NotFound
    found = _of_entry(asked) if asked.startswith("aud_") else _followed({asked})
    return _required(found or (_by_the_record(asked) if actor.oversees else set()))


def _required(order_ids: set[str]) -> set[str]:
    if not order_ids:
        raise NotFound
    return order_ids


def _followed(names: set[str]) -> set[str]:
    """Follow names towards orders, all of a kind at once: each kind leads to kinds nearer to the order."""
    orders: set[str] = set()
    seen: set[str] = set()
    while names:
        seen |= names
        found: set[str] = set()
        for prefix, ids in _by_prefix(names).items():
            found |= _nearer(prefix, ids)
        orders |= {name for name in names if name.startswith("ord_")}
        names = found - seen
    return orders


def _nearer(prefix: str, ids: Collection[str]) -> set[str]:
    if prefix == "ord":
        return set()
    if prefix == "grt":
        return access.list_orders_of(ids)
    if prefix == "trm":
        terms = (licensing.find_terms(name) for name in ids)
        return billing.list_towards_orders("sha256", [one.sha256 for one in terms if one is not None])
    ours = billing.list_towards_orders(prefix, ids) | metering.list_grants_of(prefix, ids)
    return ours or billing.list_named_by_gateway(ids)


def _by_prefix(names: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        found.setdefault(name.partition("_")[0], []).append(name)
    return found


def _of_entry(entry_id: str) -> set[str]:
    entry = record.find_mention(entry_id)
    if entry is None:
        return set()
    return _followed({entry.subject}) or _followed(_ids_in([entry]))


def _by_the_record(asked: str) -> set[str]:
    return _followed(_ids_in(record.list_mentions([asked])))


def _ids_in(entries: Collection[record.Mention]) -> set[str]:
    told = {value for entry in entries for value in entry.facts.values() if isinstance(value, str) and is_id(value)}
    return {name for name in told if name.partition("_")[0] in _OF_ONE_TRADE}
