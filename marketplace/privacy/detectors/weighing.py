"""From counts to findings, and from findings to their weight: thresholds in thousandths, and the table around."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from marketplace.privacy.detectors import headers
from marketplace.privacy.detectors.kinds import Finding, Kind, Level


@dataclass(frozen=True, slots=True)
class Rule:
    """From how many thousandths of the cells on a column holds a kind: below a header that announces it, and without.

    0 means never. ``distinct`` different values are asked for where no header helps; ``inside`` is how many cells with
    it in the midst of text are enough by themselves, 0 if none are. ``many_mille`` is enough among fifty hits.
    """

    announced_mille: int
    silent_mille: int
    distinct: int = 10
    inside: int = 1
    many_mille: int = 0


MANY = 50
RULES: dict[Kind, Rule] = {
    # One in eleven numbers of 12 digits passes by chance: nine of ten among ten different ones do not (1 in 10^8), nor
    # do half among fifty (1 in 10^12): a column in which some are mistyped.
    Kind.MY_NUMBER: Rule(500, 900, many_mille=500),
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
    {Kind.BIRTH_DATE, Kind.CUSTOMER_NUMBER, Kind.MY_NUMBER, Kind.DRIVING_LICENCE, Kind.PENSION_NUMBER, Kind.CARD_NUMBER}
)
_NAMES = frozenset({Kind.NAME, Kind.KANA_NAME})
_REACHABLE = frozenset({Kind.TELEPHONE, Kind.ADDRESS, Kind.COORDINATES, Kind.KANA_NAME, Kind.EMAIL})
_TOGETHER = frozenset({Kind.BIRTH_DATE, Kind.TELEPHONE, Kind.ADDRESS, Kind.EMAIL, Kind.CUSTOMER_NUMBER})


@dataclass(frozen=True, slots=True)
class Around:
    """What the whole table says: whether its rows are people or places, where devices were."""

    kinds: frozenset[Kind]
    of_people: bool
    of_places: bool
    of_traces: bool

    @classmethod
    def of(cls, found: Sequence[Finding], names: Sequence[str], *, has_institutions: bool) -> "Around":
        """Judge a table by what was found in it, by the names of its columns and by whether institutions are named."""
        columns = list(names)
        kinds = frozenset(one.kind for one in found)
        named = any(one.kind is Kind.NAME and not headers.is_of_officers(one.column) for one in found)
        certain = bool(kinds & _PEOPLE) or named or any(map(headers.is_of_homes, columns))
        of_people = certain or (headers.is_about_people(columns) and not has_institutions)
        of_traces = headers.is_a_trace(columns) and not has_institutions
        is_mapped = Kind.COORDINATES in kinds and not of_traces
        of_places = not of_people and (has_institutions or is_mapped or headers.is_about_places(columns))
        return cls(kinds, of_people, of_places, of_traces)


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
    is_enough = bool(rule.silent_mille) and share >= rule.silent_mille and distinct >= rule.distinct
    is_enough = is_enough or (0 < rule.many_mille <= share and distinct >= MANY)
    return found if whole and is_enough else 0


def weighed(found: Sequence[Finding], names: Sequence[str], *, has_institutions: bool = False) -> list[Finding]:
    """Return the findings with the weight that the table as a whole gives them.

    A telephone number beside the name of a shop is a note, beside the name of a person a matter for two people.
    """
    # The same digits are not two numbers: what is by rule a My Number is no licence too.
    taken = {one.place for one in found if one.kind is Kind.MY_NUMBER}
    kept = [one for one in found if one.place not in taken or one.kind is not Kind.DRIVING_LICENCE]
    around = Around.of(kept, names, has_institutions=has_institutions)
    return [replace(one, level=_level(one, around)) for one in kept]


def _level(one: Finding, around: Around) -> Level:
    if one.kind is Kind.COORDINATES:
        return Level.MEDIUM if around.of_people or around.of_traces else Level.NOTE
    if one.kind is Kind.ADDRESS and not around.of_people:
        return Level.NOTE
    if one.kind in _REACHABLE and around.of_places:
        return Level.NOTE
    is_record = around.of_people and around.kinds & _NAMES and around.kinds & _TOGETHER
    return Level.HIGH if is_record and one.level is Level.MEDIUM else one.level
