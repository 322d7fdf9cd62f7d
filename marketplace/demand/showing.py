"""Requests and prices as they are shown: what everybody may see, and what is a reader's own."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from marketplace.demand import queries
from marketplace.demand.models import DataRequest
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor

_SHOWN = (
    "id", "state", "title", "problem", "theme", "region", "detail", "period_from", "period_to", "budget_yen",
    "deadline", "merged_into_id", "closing_words", "created_at", "answered_at", "ended_at",
)  # fmt: skip
_FIGURES = ("deals_min", "buyers_min", "lower_yen", "median_yen", "upper_yen")


def requests(rows: Sequence[DataRequest], reader: Actor | None = None) -> list[dict[str, Any]]:
    """Return requests as a reader sees them; who asks is named where they allow it, and to themselves."""
    followers = queries.count_followers(row.id for row in rows)
    askers = identity.find_organizations({row.organization_id for row in rows})
    return [_request(row, followers.get(row.id, 0), askers[row.organization_id], reader) for row in rows]


def request(row: DataRequest, reader: Actor | None = None) -> dict[str, Any]:
    """Return one request as a reader sees it."""
    return requests([row], reader)[0]


def price_guide(theme: str, price_kind: str, region: str) -> dict[str, Any]:
    """Return what comparable deals cost, of a prefecture or of the country; without figures where too few compare."""
    found = queries.find_price_guide(theme, price_kind, region)
    asked = {"theme": theme, "price_kind": price_kind}
    if found is None:
        return asked | dict.fromkeys(("region", "month", *_FIGURES))
    return asked | {name: getattr(found, name) for name in ("region", "month", *_FIGURES)}


def _request(row: DataRequest, followers: int, asker: Any, reader: Actor | None) -> dict[str, Any]:
    standing = queries.standing_of(row, reader)
    is_named = row.shows_name or (reader is not None and (reader.organization_id == asker.id or reader.oversees))
    return {name: getattr(row, name) for name in _SHOWN} | {
        "requester": {"id": asker.id, "name_ja": asker.name_ja, "name_en": asker.name_en} if is_named else None,
        "followers": followers,
        "pledges": _pledges(row),
        "standing": asdict(standing) if standing else None,
    }


def _pledges(row: DataRequest) -> dict[str, Any] | None:
    if row.pledged_organizations is None:
        return None
    shown = {"organizations": row.pledged_organizations, "amount_yen": row.pledged_yen}
    return shown | {"as_of": row.pledged_at}
