"""What a dataset is worth beside its nearness to a query: quality, trust and freshness, in whole points.

The points hang on the document alone, not on the clock: who is younger by sixty days has one point more, today and in
ten years. So no page shifts while time goes by, and an index made anew ranks as the old one did.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from marketplace.kit import clock

QUALITY_POINTS_MAX, TRUST_POINTS_MAX, FRESHNESS_POINTS_MAX = 30, 20, 400
POINTS_MAX = QUALITY_POINTS_MAX + TRUST_POINTS_MAX + FRESHNESS_POINTS_MAX
DAYS_PER_POINT = 60
SCORE_MAX = 100
TAIL_BITS = 20
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_SECONDS_BITS = 32
_LOW = (1 << (_SECONDS_BITS + TAIL_BITS)) - 1


@dataclass(frozen=True, slots=True)
class Standing:
    """The points of a dataset, part by part."""

    quality: int
    trust: int
    freshness: int

    @property
    def points(self) -> int:
        """Return what nearness is increased by."""
        return self.quality + self.trust + self.freshness


def standing_of(document: dict[str, Any]) -> Standing:
    """Return the points of a document; what it does not state counts nothing."""
    days = max(0, _seconds(document.get("published_at"))) // 86_400
    return Standing(
        quality=score(document, "quality") * QUALITY_POINTS_MAX // SCORE_MAX,
        trust=score(document, "trust") * TRUST_POINTS_MAX // SCORE_MAX,
        freshness=min(days // DAYS_PER_POINT, FRESHNESS_POINTS_MAX),
    )


def score(document: dict[str, Any], name: str) -> int:
    """Return a figure of 0 to 100 that stands in a document, alone or as the ``score`` of a member; 0 for none."""
    stated = document.get(name)
    found = stated.get("score") if isinstance(stated, dict) else stated
    return min(SCORE_MAX, max(0, found)) if isinstance(found, int) else 0


def key_of(document: dict[str, Any]) -> int:
    """Return a number that grows with the points, then with the instant of publication, and is hardly ever shared."""
    seconds = min(max(0, _seconds(document.get("published_at"))), (1 << _SECONDS_BITS) - 1)
    return (standing_of(document).points << _SECONDS_BITS | seconds) << TAIL_BITS | tail_of(document["id"])


def points_in(key: int) -> int:
    """Return the points that a key begins with."""
    return key >> (_SECONDS_BITS + TAIL_BITS)


def key_with(points: int, key: int) -> int:
    """Return a key with these points, and with what else stands in another."""
    return points << (_SECONDS_BITS + TAIL_BITS) | key & _LOW


def tail_of(dataset_id: str) -> int:
    """Return some bits by which hardly any two datasets of one second are alike."""
    return int.from_bytes(hashlib.sha256(dataset_id.encode("utf-8", "replace")).digest()[:3]) >> (24 - TAIL_BITS)


def _seconds(published_at: str | None) -> int:
    return int((clock.parse(published_at) - _EPOCH).total_seconds()) if published_at else 0
