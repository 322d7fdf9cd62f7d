"""Splitting whole amounts without losing or making a unit: the largest remainder. Pure."""

from collections.abc import Sequence


def allocate(total: int, weights: Sequence[int], room: Sequence[int] | None = None) -> list[int]:
    """Split ``total`` minor units in proportion to ``weights``; the parts sum to it exactly.

    Every part is first floored; what is left goes, one unit each, to the largest remainders (the earlier
    one of equals). No part exceeds its ``room``. Raises ValueError for negative numbers, for nothing to
    split among, and where there is too little room.
    """
    _check(total, weights, room)
    if len(weights) == 1:  # most sales have one provider and one dataset
        return [total]
    room = list(room) if room is not None else [total] * len(weights)
    weights = weights if any(weights) else [1] * len(weights)
    whole = sum(weights)
    parts = [min(total * weight // whole, space) for weight, space in zip(weights, room, strict=True)]
    order = sorted(range(len(weights)), key=lambda place: -(total * weights[place] % whole))
    left = total - sum(parts)
    for most in (1, total):  # one each by remainder; then, where room was short, to whoever has some
        for place in order:
            more = min(left, most, room[place] - parts[place])
            parts[place] += more
            left -= more
    return parts


def _check(total: int, weights: Sequence[int], room: Sequence[int] | None) -> None:
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError("only amounts of zero or more can be split, by weights of zero or more")
    if not weights:
        raise ValueError("there is nothing to split among")
    if room is not None and (len(room) != len(weights) or min(room) < 0 or sum(room) < total):
        raise ValueError("the parts have too little room")
