"""What may be told of small numbers: cells of a few are hidden, and one more with them, so that no sum gives them away.

Pure. Figures form a tree: a total, its parts, theirs. Totals are the only sums that are published, so all that can be
computed is what is left of a total when the parts that are shown are taken off: the sum of its hidden parts. Which
parts are hidden hangs on which are few, never on how few they are; and whether the parts are told at all hangs on
nothing but what would be told. So even those who know these rules learn no more than the figures say.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.disclosure.states import Showing


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure: how many stand behind it, amounts that belong to them, and its parts, which add up to it."""

    key: str
    count: int
    amounts: tuple[int, ...] = ()
    parts: tuple["Cell", ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A figure as the public gets it: count and amounts are None where it is hidden, ``parts`` where none is told."""

    key: str
    showing: Showing
    count: int | None
    amounts: tuple[int, ...] | None
    parts: tuple["Told", ...] | None


@dataclass(frozen=True, slots=True)
class _Hidden:
    """A hidden cell, and between what its count lies for those who know these rules; None is no end."""

    key: str
    showing: Showing
    least: int
    most: int | None


def tell(cell: Cell, threshold: int, parties: int | None = None) -> Told:
    """Return the figure with its parts as the public may have it.

    ``parties`` is how many different ones stand behind the total, where its count has them several times.
    """
    if is_few(cell.count if parties is None else parties, threshold):
        return Told(cell.key, Showing.FEW, None, None, None)
    return Told(cell.key, Showing.SHOWN, cell.count, cell.amounts, _family(cell, threshold))


def is_few(count: int, threshold: int) -> bool:
    """Tell whether so many are a few: none is no secret."""
    return 0 < count < threshold


def _family(total: Cell, threshold: int) -> tuple[Told, ...] | None:
    hidden = _hidden(total.parts, threshold)
    if not hidden:
        return tuple(tell(part, threshold) for part in total.parts)
    shown = [part for part in total.parts if part.key not in hidden]
    if not _keeps(total, shown, list(hidden.values())):
        return None
    return tuple(
        Told(part.key, hidden[part.key].showing, None, None, None) if part.key in hidden else tell(part, threshold)
        for part in total.parts
    )


def _hidden(parts: Sequence[Cell], threshold: int) -> dict[str, _Hidden]:
    """Hide every part of a few, and the smallest of the others with them."""
    few = [part for part in parts if is_few(part.count, threshold)]
    hidden = {part.key: _Hidden(part.key, Showing.FEW, 1, threshold - 1) for part in few}
    others = sorted((part for part in parts if part.count >= threshold), key=lambda part: (part.count, part.key))
    if few and others:
        smallest = others[0]
        hidden[smallest.key] = _Hidden(smallest.key, Showing.WITHHELD, threshold, _most(smallest, others[1:]))
    return hidden


def _most(smallest: Cell, others: Sequence[Cell]) -> int | None:
    """Return what the smallest can be at most, beside the next that is shown."""
    if not others:
        return None
    following = others[0]
    return following.count if smallest.key < following.key else following.count - 1


def _keeps(total: Cell, shown: Sequence[Cell], hidden: Sequence[_Hidden]) -> bool:
    """Tell whether what is left of a total leaves every hidden part more than one count that it could have."""
    left = total.count - sum(part.count for part in shown)
    for of_all, *of_shown in zip(total.amounts, *(part.amounts for part in shown), strict=True):
        # Where nothing is left, each has nothing; that is no secret where nobody has anything.
        if of_all and of_all == sum(of_shown):
            return False
    least = sum(one.least for one in hidden)
    most = None if any(one.most is None for one in hidden) else sum(one.most or 0 for one in hidden)
    return all(_has_room(one, left - least + one.least, None if most is None else left - most) for one in hidden)


def _has_room(one: _Hidden, most: int, least_less_own: int | None) -> bool:
    """Tell whether a cell has more than one count between what the others leave it at most, and at least."""
    if one.most is None:
        return most > (one.least if least_less_own is None else max(one.least, least_less_own))
    least = one.least if least_less_own is None else max(one.least, least_less_own + one.most)
    return min(most, one.most) > least
