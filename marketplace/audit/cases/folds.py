"""How each anomaly rule reads: from what it remembers of a key and the next deed to what it remembers then. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

from marketplace.audit.verbs import Verb
from marketplace.kit import clock

LOOP_DAYS = 30
"""A month of accounts: turnover that is pretended is pretended for a month's figures."""
CIRCLE_YEN = 10_000
"""Each way. Below it cities and universities that share small data would be named all the time."""
LOOP_REFUNDS = 3
"""One may be a slip and two a coincidence."""
LOOP_KEPT = 100
"""The latest refunds of two parties that are remembered: many more than a loop takes."""
JUMP_FACTOR = 3
"""Discounts for classes of buyers end at half the price; one digit too many is ten times."""
JUMP_YEN = 10_000
"""From 100 yen to 300 is a jump that nobody needs to look into."""
CHANGE_DAYS = 7
"""As long as the hold of a sale (MARKETPLACE_HOLD_DAYS): time to notice that somebody else has named an account."""
NIGHT_FROM, NIGHT_TO = 22, 5
"""The hours of late-night work in the Labour Standards Act (art. 37 (4)): nobody is expected at a desk."""
EVIDENCE_MAX = 20
"""Entries that a case names; the search leads to the rest."""
_OWED = frozenset({"service_level", "adjustment"})
_at, _largest = itemgetter("at"), itemgetter("largest")


@dataclass(frozen=True, slots=True)
class Limits:
    """The thresholds that differ between installations."""

    night_bytes: int
    dormant_days: int


@dataclass(frozen=True, slots=True)
class Deed:
    """An entry as the rules read it; ``parties`` are buyer and provider where the entry is about a sale."""

    id: str
    occurred_at: datetime
    organization_id: str
    verb: str
    subject: str
    counterparty_id: str | None = None
    dataset_id: str | None = None
    amount_minor: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    parties: tuple[str, str] | None = None


class Finding(NamedTuple):
    """What somebody should look into: of whom, in which window, with which entries and figures."""

    subject: str
    span: str
    evidence: list[str]
    figures: dict[str, Any]


class Step(NamedTuple):
    """What a rule remembers after a deed, and what it found, if anything."""

    kept: dict[str, Any]
    finding: Finding | None = None


def pair_of(deed: Deed) -> str | None:
    """Return the two parties of a sale as one key, whoever buys."""
    parties = deed.parties or (deed.organization_id, deed.counterparty_id)
    return " ".join(sorted(party for party in parties if party)) if all(parties) else None


def payee_of(deed: Deed) -> str | None:
    """Return whose account is named, or to whom a payout goes."""
    return deed.organization_id if deed.verb == Verb.PAYOUT_ACCOUNT_NAMED else deed.counterparty_id


def grant_of(deed: Deed) -> str | None:
    """Return the grant that is issued or fetched from."""
    return deed.subject if deed.verb == Verb.GRANT_ISSUED else deed.facts.get("grant_id")


def night_of(deed: Deed) -> str | None:
    """Return who fetched in which night, named after its evening in Japan; None by day."""
    # What a store or a provider has sent is closed when somebody tells of it, which may be days later.
    served = deed.facts.get("served_at")
    local = (clock.parse(served) if served else deed.occurred_at).astimezone(clock.JST)
    if NIGHT_TO <= local.hour < NIGHT_FROM:
        return None
    evening = local.date() if local.hour >= NIGHT_FROM else local.date() - timedelta(days=1)
    return f"{deed.organization_id} {evening}"


def circle(kept: Mapping[str, Any], deed: Deed, limits: Limits) -> Step:
    """Sum up what each of two parties has ordered from the other within the window, and name the largest orders."""
    del limits
    # By day, so that however many small orders push out no large one.
    recent = _recent(kept, deed, f"{deed.organization_id} {deed.occurred_at.astimezone(clock.JST).date()}")
    by_buyer: dict[str, list[dict[str, Any]]] = {}
    for row in recent:
        by_buyer.setdefault(row["group"].partition(" ")[0], []).append(row)
    sums = {buyer: sum(row["yen"] for row in rows) for buyer, rows in by_buyer.items()}
    if len(sums) < 2 or min(sums.values()) < CIRCLE_YEN:
        return Step({"recent": recent})
    largest = [row for rows in by_buyer.values() for row in sorted(rows, key=_largest)[-EVIDENCE_MAX // 2 :]]
    return Step({"recent": recent}, _loop(deed, sorted(largest, key=_at), {"yen_by_buyer": sums}))


def refund_loop(kept: Mapping[str, Any], deed: Deed, limits: Limits) -> Step:
    """Count the refunds between two parties within the window, but for those that are owed by rule.

    What goes back in several ways at once is one refund.
    """
    del limits
    if deed.facts.get("reason") in _OWED:
        return Step(dict(kept))
    recent = _recent(kept, deed, deed.facts.get("request", deed.subject))[-LOOP_KEPT:]
    if len(recent) < LOOP_REFUNDS:
        return Step({"recent": recent})
    figures = {"refunds": len(recent), "yen": sum(row["yen"] for row in recent)}
    return Step({"recent": recent}, _loop(deed, recent[-EVIDENCE_MAX:], figures))


def jump(kept: Mapping[str, Any], deed: Deed, limits: Limits) -> Step:
    """Compare a new price with the one whose place it takes."""
    del limits
    since = clock.text(deed.occurred_at - timedelta(days=LOOP_DAYS))
    offers = {one: told for one, told in kept.get("offers", {}).items() if (told["gone_at"] or since) >= since}
    yen = deed.amount_minor or 0
    price: dict[str, Any] = {"kind": deed.facts.get("price_kind"), "buyer": deed.counterparty_id, "yen": yen}
    told = price | {"entry": deed.id, "gone_at": None}
    if deed.verb == Verb.OFFER_WITHDRAWN:
        offers[deed.subject] = told | {"gone_at": clock.text(deed.occurred_at)}
        return Step({"offers": offers})
    before = _replaced(offers, deed, price)
    # A price that was compared once is compared with no third one.
    if before is not None:
        offers.pop(before[0])
    offers[deed.subject] = told
    return Step({"offers": offers}, _leap(deed, yen, before[1]) if before else None)


def payout_after_change(kept: Mapping[str, Any], deed: Deed, limits: Limits) -> Step:
    """Find payouts that are drawn soon after another account took the place of the first."""
    del limits
    if deed.verb == Verb.PAYOUT_ACCOUNT_NAMED:
        return Step(_named(kept, deed))
    changed = kept.get("changed_at")
    if changed is None or deed.facts.get("way") == "claim":
        return Step(dict(kept))
    after = deed.occurred_at - clock.parse(changed)
    if after > timedelta(days=CHANGE_DAYS):
        return Step(dict(kept))
    figures = {"yen": deed.amount_minor, "hours_after_change": int(after.total_seconds() // 3600)}
    return Step(dict(kept), Finding(str(payee_of(deed)), deed.subject, [kept["entry"], deed.id], figures))


def night_bulk(kept: Mapping[str, Any], deed: Deed, limits: Limits) -> Step:
    """Sum up what an organization receives in a night, and name the largest deliveries."""
    fetched = int(deed.facts.get("bytes_acked") or 0)
    largest = sorted([*kept.get("largest", []), [fetched, deed.id]], reverse=True)[:EVIDENCE_MAX]
    sums = {"bytes": kept.get("bytes", 0) + fetched, "deliveries": kept.get("deliveries", 0) + 1}
    told = kept.get("told", False) or sums["bytes"] > limits.night_bytes
    step = sums | {"largest": largest, "told": told}
    if not told or kept.get("told", False):
        return Step(step)
    subject, _, night = (night_of(deed) or "").partition(" ")
    return Step(step, Finding(subject, night, [entry for _bytes, entry in largest], dict(sums)))


def dormant(kept: Mapping[str, Any], deed: Deed, limits: Limits) -> Step:
    """Find the first fetch after a grant has rested."""
    now = {"used_at": clock.text(deed.occurred_at), "entry": deed.id}
    if deed.verb == Verb.GRANT_ISSUED or not kept:
        return Step(now)
    rested = deed.occurred_at - clock.parse(kept["used_at"])
    if rested < timedelta(days=limits.dormant_days):
        # What was told late, by a batch, is not when the grant was used last.
        return Step(now if rested > timedelta(0) else dict(kept))
    day = str(deed.occurred_at.astimezone(clock.JST).date())
    return Step(now, Finding(str(grant_of(deed)), day, [kept["entry"], deed.id], {"days_rested": rested.days}))


def _recent(kept: Mapping[str, Any], deed: Deed, group: str) -> list[dict[str, Any]]:
    """Return what is remembered of the window that ends with a deed, and the deed; free ones are nothing.

    A group is one row: its yen, when it last grew, and its largest entry with the yen of that.
    """
    at, yen = clock.text(deed.occurred_at), deed.amount_minor or 0
    since = clock.text(deed.occurred_at - timedelta(days=LOOP_DAYS))
    before = [row for row in kept.get("recent", []) if row["at"] >= since]
    if yen <= 0:
        return before
    first: dict[str, Any] = {"at": at, "yen": 0, "largest": 0}
    own = next((row for row in before if row["group"] == group), first)
    grown = own | {"group": group, "at": max(own["at"], at), "yen": own["yen"] + yen}
    if yen > own["largest"]:
        grown |= {"entry": deed.id, "largest": yen}
    return [*(row for row in before if row is not own), grown]


def _loop(deed: Deed, rows: list[dict[str, Any]], figures: dict[str, Any]) -> Finding:
    month = f"{deed.occurred_at.astimezone(clock.JST):%Y-%m}"
    return Finding(str(pair_of(deed)), month, [row["entry"] for row in rows], figures)


def _replaced(offers: Mapping[str, Any], deed: Deed, price: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Find the offer whose place a new one takes: the one it names, or one that was withdrawn shortly before."""
    named = deed.facts.get("supersedes")
    if named is not None:
        return (named, offers[named]) if named in offers else None
    alike = [
        (offer, told)
        for offer, told in offers.items()
        if told["gone_at"] and (told["kind"], told["buyer"]) == (price["kind"], price["buyer"])
    ]
    return max(alike, key=lambda one: one[1]["gone_at"], default=None)


def _leap(deed: Deed, yen: int, before: Mapping[str, Any]) -> Finding | None:
    low, high = sorted((yen, before["yen"]))
    if before["kind"] != deed.facts.get("price_kind") or low == 0:
        return None
    if high < low * JUMP_FACTOR or high - low < JUMP_YEN:
        return None
    figures = {"yen_before": before["yen"], "yen": yen}
    return Finding(str(deed.dataset_id), deed.subject, [before["entry"], deed.id], figures)


def _named(kept: Mapping[str, Any], deed: Deed) -> dict[str, Any]:
    # Entries of former versions have the bare hash: the first account named since then counts as another one.
    account = deed.facts.get("account_commitment") or deed.facts.get("account_sha256")
    if not kept:
        return {"account": account}
    if account == kept["account"]:
        return dict(kept)
    return {"account": account, "changed_at": clock.text(deed.occurred_at), "entry": deed.id}
