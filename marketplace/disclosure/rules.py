"""What may be told of small numbers: cells of a few are hidden, and one more with them, so that no sum gives them away.

Pure. Figures form a tree: a total, its parts, theirs. Totals are the only sums that are published, so all that can be
computed is what is left of a total when the parts that are shown are taken off: the sum of its hidden parts. Which
parts are hidden hangs on which are few, never on how few they are; and whether the parts are told at all hangs on
nothing but what would be told. So even those who know these rules learn no more than the figures say.

Amounts need more than counts. An amount may belong to one of many: all of them fetched, and one bought anew. So each
is told only where it is enough holders' itself. And a hidden part beside the few may be known to have none (what it
sells is free), and then what is left of an amount is theirs. So where a part, or an amount of it, is hidden, all parts
beside it are told by their counts alone; and an amount in which no part has enough holders is not told at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.disclosure.states import Showing


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure: how many stand behind it, amounts of theirs, how many hold each, and its parts, which add up to it."""

    key: str
    count: int
    amounts: tuple[int, ...] = ()
    holders: tuple[int, ...] = ()
    parts: tuple["Cell", ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A figure as the public gets it: None are its count where it is hidden, amounts or parts where none are told."""

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
    return _shown(cell, threshold, has_amounts=_may_have_amounts(cell, threshold))


def is_few(count: int, threshold: int) -> bool:
    """Tell whether so many are a few: none is no secret."""
    return 0 < count < threshold


def _shown(cell: Cell, threshold: int, *, has_amounts: bool) -> Told:
    amounts = cell.amounts if has_amounts else None
    return Told(cell.key, Showing.SHOWN, cell.count, amounts, _family(cell, threshold, has_amounts=has_amounts))


def _family(total: Cell, threshold: int, *, has_amounts: bool) -> tuple[Told, ...] | None:
    hidden = _hidden(total.parts, threshold)
    shown = [part for part in total.parts if part.key not in hidden]
    if hidden and not _keeps(total, shown, list(hidden.values())):
        return None
    # Amounts of parts add up to their total's: all of them are told, or none.
    tells = has_amounts and not hidden and all(_may_have_amounts(part, threshold) for part in shown)
    return tuple(
        Told(part.key, hidden[part.key].showing, None, None, None)
        if part.key in hidden
        else _shown(part, threshold, has_amounts=tells)
        for part in total.parts
    )


def _may_have_amounts(cell: Cell, threshold: int) -> bool:
    """Tell whether others than a few have a part in each amount of a figure; what nobody holds is no secret."""
    # An amount of zero may be held: what one paid and another got back.
    places = range(len(cell.amounts))
    return all(cell.holders[place] == 0 or _is_of_many(cell, place, threshold) for place in places)


def _is_of_many(cell: Cell, place: int, threshold: int) -> bool:
    if not cell.parts:
        return cell.holders[place] >= threshold
    # Not by the sum of holders: whoever holds in several parts is in it several times.
    return any(_is_of_many(part, place, threshold) for part in cell.parts)


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
    least = sum(one.least for one in hidden)
    most = None if any(one.most is None for one in hidden) else sum(one.most or 0 for one in hidden)
    return all(_has_room(one, left - least + one.least, None if most is None else left - most) for one in hidden)


def _has_room(one: _Hidden, most: int, least_less_own: int | None) -> bool:
    """Tell whether a cell has more than one count between what the others leave it at most, and at least."""
    if one.most is None:
        return most > (one.least if least_less_own is None else max(one.least, least_less_own))
    least = one.least if least_less_own is None else max(one.least, least_less_own + one.most)
    return min(most, one.most) > least
