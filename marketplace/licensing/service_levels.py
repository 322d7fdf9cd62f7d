"""What a provider promises of a dataset's availability, and what it gives back when it misses that. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

WHOLE_BASIS_POINTS = 10_000
STEPS_MAX = 10


@dataclass(frozen=True, slots=True)
class CreditStep:
    """Below this availability of a month, that part of the month's price comes back; both in basis points."""

    below_basis_points: int
    credit_basis_points: int


def credit_of(steps: Sequence[CreditStep], measured_basis_points: int) -> int:
    """Return which part of the month's price comes back, in basis points; 0 where the level was met."""
    missed = (step.credit_basis_points for step in steps if measured_basis_points < step.below_basis_points)
    return max(missed, default=0)


def read_steps(document: Sequence[dict[str, Any]] | None) -> tuple[CreditStep, ...]:
    """Return the steps as they are kept; none where nothing is promised."""
    return tuple(CreditStep(one["below_basis_points"], one["credit_basis_points"]) for one in document or ())


def steps_document(steps: Sequence[CreditStep]) -> list[dict[str, int]] | None:
    """Return the steps as they are kept."""
    return [
        {"below_basis_points": step.below_basis_points, "credit_basis_points": step.credit_basis_points}
        for step in steps
    ] or None


def faults_of(steps: Sequence[CreditStep]) -> list[tuple[str, str]]:
    """Return what is wrong with the steps, as pointers and details: they fall, and give more the lower they are."""
    if len(steps) > STEPS_MAX:
        return [("/service_level", f"at most {STEPS_MAX} steps")]
    faults = [
        (f"/service_level/{place}/{name}", f"a whole number from 1 to {WHOLE_BASIS_POINTS:,} is needed")
        for place, step in enumerate(steps)
        for name in ("below_basis_points", "credit_basis_points")
        if not _is_part(getattr(step, name))
    ]
    if not faults and any(not _falls(above, below) for above, below in pairwise(steps)):
        faults = [("/service_level", "each step lies below the one before, and gives back more")]
    return faults


def said_of(steps: Sequence[CreditStep]) -> list[tuple[str, str]]:
    """Return the promise as sentences in Japanese and English, one for each step."""
    return [(_ja(step), _en(step)) for step in steps]


def percent(basis_points: int) -> str:
    """Return basis points as people read them, such as ``99.95%``."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02d}".rstrip("0") + "%" if rest else f"{whole}%"


def _ja(step: CreditStep) -> str:
    below, credit = percent(step.below_basis_points), percent(step.credit_basis_points)
    return f"月間稼働率が{below}を下回った月は、その月の代金の{credit}を返金する。"


def _en(step: CreditStep) -> str:
    below, credit = percent(step.below_basis_points), percent(step.credit_basis_points)
    return f"For a month of less than {below} availability, {credit} of the month's price is given back."


def _falls(above: CreditStep, below: CreditStep) -> bool:
    return below.below_basis_points < above.below_basis_points and below.credit_basis_points > above.credit_basis_points


def _is_part(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= WHOLE_BASIS_POINTS
