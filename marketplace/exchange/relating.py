"""What ties data together: datasets about the same, and those that share a key, each with the reason in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.catalog import joins, keys, likeness, listings, sketches
from marketplace.catalog.errors import IndexBroken
from marketplace.catalog.groups.queries import sight_of
from marketplace.catalog.joins import Join, Shared
from marketplace.catalog.key_kinds import KeyKind
from marketplace.catalog.sketches import Match
from marketplace.exchange import discovery, facilities
from marketplace.identity.actors import Actor

SHOWN_MAX = 20
OTHER_THEME, OTHER_PUBLISHER = 15, 5
"""What it is worth that data of another field, or of somebody else, can be joined: nobody has had both yet."""
MEETING, APART = 20, 40
"""What it is worth where all values of a key meet, and what it costs where none does."""
_KINDS = {
    KeyKind.DATE: ("日付", "date"),
    KeyKind.MESH: ("地域メッシュコード", "grid-square code"),
    KeyKind.GOVERNMENT_CODE: ("全国地方公共団体コード", "local-government code"),
    KeyKind.POSTAL_CODE: ("郵便番号", "postal code"),
    KeyKind.CORPORATE_NUMBER: ("法人番号", "corporate number"),
    KeyKind.COORDINATES: ("緯度・経度", "coordinates"),
}
_GRAINS = {
    "year": ("年", "year"),
    "month": ("月", "month"),
    "day": ("日", "day"),
    "time": ("時刻", "time"),
    "prefecture": ("都道府県", "prefecture"),
    "municipality": ("市区町村", "municipality"),
    "town": ("町域", "town"),
    "corporation": ("法人", "corporation"),
    "point": ("地点", "point"),
}


def list_similar(reader: Actor | None, dataset_id: str, size: int = 10) -> list[dict[str, Any]]:
    """Return datasets that share the most telling words with one that the reader sees; raises NotFound."""
    own = discovery.read_listing(reader, dataset_id).document
    sight = sight_of(reader)
    ids = facilities.current().index.alike(_texts(own), dataset_id, min(size, SHOWN_MAX), sight)
    documents = listings.find_listings(ids, sight)
    return [_similar(own, documents[one]) for one in ids if one in documents]


def list_joins(reader: Actor | None, dataset_id: str, size: int = 10) -> list[dict[str, Any]]:
    """Return public datasets that can be joined with one that the reader sees, by which keys and why; raises NotFound.

    Those of another field and of somebody else come before those that are as near.
    """
    own = discovery.read_listing(reader, dataset_id).document
    found = joins.find(dataset_id, keys.keys_of(own))[: 3 * SHOWN_MAX]
    documents = listings.find_listings(one.dataset_id for one in found)
    near = [(_worth(own, documents[one.dataset_id], one), one) for one in found if one.dataset_id in documents]
    nearest = sorted(near, key=lambda pair: (-pair[0], pair[1].dataset_id))[:SHOWN_MAX]
    matches = sketches.compared(own, [(documents[one.dataset_id], one.shared) for _, one in nearest])
    told = [
        _joined(documents[one.dataset_id], one, worth + sum(map(_meeting, found)), found)
        for (worth, one), found in zip(nearest, matches, strict=True)
    ]
    return sorted(told, key=lambda one: (-one["score"], one["dataset_id"]))[: min(size, SHOWN_MAX)]


def find_related(reader: Actor | None, dataset_id: str, size: int = 5) -> dict[str, list[dict[str, Any]]]:
    """Return both for the page of a dataset; without what is similar while the search index is made anew."""
    try:
        similar = list_similar(reader, dataset_id, size)
    except IndexBroken:
        similar = []
    return {"similar": similar, "joins": list_joins(reader, dataset_id, size)}


def _texts(document: Mapping[str, Any]) -> list[str]:
    return [document["title_ja"], *document["keywords"], document["title_en"]]


def _named(document: Mapping[str, Any]) -> dict[str, Any]:
    named = ("title_ja", "title_en", "themes", "region")
    return {"dataset_id": document["id"], "publisher": document["publisher"]} | {name: document[name] for name in named}


def _similar(own: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    shared = [word.forms[0] for word in likeness.telling(_texts(own)) if word in set(likeness.telling(_texts(other)))]
    themes = sorted(set(own["themes"]) & set(other["themes"]))
    words_ja = f"「{'」「'.join(shared[:5])}」が共通" if shared else "関連する語が共通"
    words_en = f"shares “{'”, “'.join(shared[:5])}”" if shared else "shares words"
    return _named(other) | {
        "words": shared,
        "reason_ja": f"{words_ja}{'、同じ分野' if themes else ''}",
        "reason_en": f"{words_en}{', same theme' if themes else ''}",
    }


def _worth(own: Mapping[str, Any], other: Mapping[str, Any], join: Join) -> int:
    is_other_field = not set(own["themes"]) & set(other["themes"])
    is_other_publisher = bool(own["publisher"]["id"] != other["publisher"]["id"])
    worth = OTHER_THEME * is_other_field + OTHER_PUBLISHER * is_other_publisher
    return join.score + worth


def _meeting(found: Match | None) -> int:
    """Return what it is worth that values meet; nothing where nobody knows."""
    if found is None:
        return 0
    share = max(found.share_percent, found.other_share_percent)
    return MEETING * share // 100 if share else -APART


def _joined(other: Mapping[str, Any], join: Join, worth: int, matches: Sequence[Match | None]) -> dict[str, Any]:
    days = (join.time_from.isoformat(), join.time_to.isoformat()) if join.time_from and join.time_to else None
    keyed = list(zip(join.shared, matches, strict=True))
    by_ja = "、".join(_said(one, match, 0) for one, match in keyed)
    by_en = "; ".join(_said(one, match, 1) for one, match in keyed)
    return _named(other) | {
        "keys": [_key(one) | {"match": match._asdict() if match else None} for one, match in keyed],
        "time_from": join.time_from,
        "time_to": join.time_to,
        "score": worth,
        "reason_ja": f"{by_ja}で結合できます。" + (f"{days[0]}から{days[1]}までが重なります。" if days else ""),
        "reason_en": f"Joins by {by_en}." + (f" Both reach from {days[0]} to {days[1]}." if days else ""),
    }


def _key(shared: Shared) -> dict[str, Any]:
    return {
        "kind": shared.kind.value,
        "columns": list(shared.columns),
        "other_columns": list(shared.other_columns),
        "grain": shared.grain,
        "other_grain": shared.other_grain,
        "common_grain": shared.common_grain,
        "areas": list(shared.areas),
    }


def _said(shared: Shared, match: Match | None, language: int) -> str:
    """Return by what two are joined: the kind, the fineness of both, the columns on both sides, and how many meet."""
    grain = _GRAINS.get(shared.common_grain, (shared.common_grain, shared.common_grain))[language]
    own, other = "・".join(shared.columns), "・".join(shared.other_columns)
    if language == 0:
        return f"{_KINDS[shared.kind][0]}（{grain}単位、{own} = {other}{_met(match, 0)}）"
    return f"{_KINDS[shared.kind][1]} (by {grain}, {own} = {other}{_met(match, 1)})"


def _met(match: Match | None, language: int) -> str:
    """Return how many values meet, in words; nothing where nobody knows."""
    if match is None:
        return ""
    share, other = match.share_percent, match.other_share_percent
    if language == 0:
        about = "" if match.is_exact else "約"
        return f"、値の{about}{share}%が相手にあり、相手の値の{about}{other}%がこちらにある"
    about = "" if match.is_exact else "about "
    return f", {about}{share} % of its values are there, {about}{other} % of those here"
