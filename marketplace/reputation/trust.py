"""The trust figure of a dataset, 0 to 100, of nothing but what is told of it and its provider. Pure."""

from typing import Any

BASE = 40
QUALIFIED = 10
RATINGS_MAX, RATINGS_UNKNOWN, RATINGS_LEAST = 25, 12, 3
PUNCTUAL_MAX, PUNCTUAL_UNKNOWN, PROMISED_LEAST = 15, 7, 2
PEACE_MAX, PEACE_UNKNOWN = 10, 5


def weigh(
    *, qualified: bool, stars: dict[int, int], on_time: int, promised: int, told: dict[str, Any]
) -> dict[str, Any]:
    """Return the figure with its parts; what is not known counts as the middle.

    ``stars`` is how many gave each number of them, ``told`` what was told of the provider last.
    """
    parts = {
        "base": BASE,
        "provider": QUALIFIED if qualified else 0,
        "ratings": _of_ratings(stars),
        "punctuality": PUNCTUAL_MAX * on_time // promised if promised >= PROMISED_LEAST else PUNCTUAL_UNKNOWN,
        "disputes": _of_disputes(told.get("disputes", {}).get("percent")),
    }
    return {"score": sum(parts.values()), "parts": parts}


def mean_tenths(stars: dict[int, int]) -> int | None:
    """Return the mean of stars in tenths, rounded down; None where nobody gave any."""
    total = sum(stars.values())
    return 10 * sum(number * many for number, many in stars.items()) // total if total else None


def _of_ratings(stars: dict[int, int]) -> int:
    mean = mean_tenths(stars)
    if mean is None or sum(stars.values()) < RATINGS_LEAST:
        return RATINGS_UNKNOWN
    return RATINGS_MAX * (mean - 10) // 40


def _of_disputes(percent: int | None) -> int:
    return PEACE_UNKNOWN if percent is None else max(0, PEACE_MAX - percent)
