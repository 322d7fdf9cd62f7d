"""From counts to findings, and from findings to their weight: thresholds in thousandths, and the table around."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from marketplace.privacy.detectors import headers
from marketplace.privacy.detectors.kinds import Finding, Kind, Level


@dataclass(frozen=True, slots=True)
class Rule:
    """From how many thousandths of the cells on a column holds a kind: below a header that announces it, and without.

    0 means never. ``distinct`` different values are asked for where no header helps; ``inside`` is how many cells with
    it in the midst of text are enough by themselves, 0 if none are.
    """

    announced_mille: int
    silent_mille: int
    distinct: int = 10
    inside: int = 1


RULES: dict[Kind, Rule] = {
    # One in eleven numbers of 12 digits passes by chance: nine of ten among ten different ones do not (1 in 10^8).
    Kind.MY_NUMBER: Rule(500, 900),
    Kind.DRIVING_LICENCE: Rule(300, 900),
    Kind.PENSION_NUMBER: Rule(300, 900),
    Kind.CARD_NUMBER: Rule(100, 500, distinct=5),
    Kind.CARD_PART: Rule(1, 1, distinct=1),
    Kind.NAME: Rule(300, 600),
    Kind.KANA_NAME: Rule(500, 900),
    Kind.BIRTH_DATE: Rule(500, 0),
    Kind.TELEPHONE: Rule(100, 300, distinct=3),
    Kind.EMAIL: Rule(1, 1, distinct=1),
    Kind.POSTAL_CODE: Rule(300, 900, distinct=3, inside=0),
    Kind.ADDRESS: Rule(200, 300, distinct=3, inside=0),
    Kind.CUSTOMER_NUMBER: Rule(500, 0),
    Kind.COORDINATES: Rule(500, 500, distinct=3, inside=0),
}
LEVELS: dict[Kind, Level] = dict.fromkeys(Kind, Level.MEDIUM) | {
    Kind.MY_NUMBER: Level.BLOCKED,
    Kind.DRIVING_LICENCE: Level.HIGH,
    Kind.PENSION_NUMBER: Level.HIGH,
    Kind.CARD_NUMBER: Level.HIGH,
    Kind.POSTAL_CODE: Level.NOTE,
}
_PEOPLE = frozenset(
    {Kind.NAME, Kind.KANA_NAME, Kind.BIRTH_DATE, Kind.CUSTOMER_NUMBER, Kind.MY_NUMBER, Kind.DRIVING_LICENCE}
    | {Kind.PENSION_NUMBER, Kind.CARD_NUMBER}
)
_REACHABLE = frozenset({Kind.TELEPHONE, Kind.ADDRESS, Kind.COORDINATES, Kind.KANA_NAME, Kind.EMAIL})
_TOGETHER = frozenset({Kind.BIRTH_DATE, Kind.TELEPHONE, Kind.ADDRESS, Kind.EMAIL, Kind.CUSTOMER_NUMBER})


def hits(kind: Kind, *, is_announced: bool, cells: int, whole: int, inside: int, distinct: int) -> int:
    """Return how many cells count as a finding of this kind; 0 where the rule is not met."""
    rule = RULES[kind]
    found = whole + inside
    if rule.inside and inside >= rule.inside:
        return found
    if kind is Kind.ADDRESS:
        whole = found  # an address seldom is the whole cell: a building and a name follow
    share = whole * 1000 // max(1, cells)
    if is_announced:
        return found if whole and share >= rule.announced_mille else 0
    is_enough = rule.silent_mille and share >= rule.silent_mille and distinct >= rule.distinct
    return found if whole and is_enough else 0


def weighed(found: Sequence[Finding], names: Sequence[str]) -> list[Finding]:
    """Return the findings with the weight that the table as a whole gives them.

    A telephone number beside the name of a shop is a note, beside the name of a person a matter for two people.
    """
    kinds = {one.kind for one in found}
    columns = list(names)
    # Two kinds of number cannot be the same digits: what is by rule a My Number is not a licence too.
    blocked = {one.place for one in found if one.kind is Kind.MY_NUMBER}
    kept = [one for one in found if one.place not in blocked or one.kind is not Kind.DRIVING_LICENCE]
    is_of_people = bool(kinds & (_PEOPLE - {Kind.KANA_NAME})) or headers.is_about_people(columns)
    is_of_places = headers.is_about_places(columns) and not is_of_people
    is_traced = headers.is_a_trace(columns)
    named = bool(kinds & {Kind.NAME, Kind.KANA_NAME})
    return [_weighed(one, kinds, is_of_people, is_of_places, is_traced, named) for one in kept]


def _weighed(
    one: Finding, kinds: set[Kind], is_of_people: bool, is_of_places: bool, is_traced: bool, named: bool
) -> Finding:
    if one.kind is Kind.COORDINATES:
        return replace(one, level=Level.MEDIUM if (is_of_people or is_traced) and not is_of_places else Level.NOTE)
    if one.kind in _REACHABLE and is_of_places:
        return replace(one, level=Level.NOTE)
    if one.level is Level.MEDIUM and named and is_of_people and not is_of_places and kinds & _TOGETHER:
        return replace(one, level=Level.HIGH)
    return one
