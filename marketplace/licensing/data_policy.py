"""What of a table a user gets: columns left out, masked or cut, and which rows. Typed values. Pure.

Conditions on rows have the words of the row API (``delivery.rows.query``); there is no place for SQL in them.
"""

from dataclasses import dataclass
from typing import Any

from marketplace.licensing.states import Comparison, Treatment


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """How one column is given: not at all, as a keyed hash, or its first ``length`` characters."""

    column: str
    treatment: Treatment
    length: int | None = None


@dataclass(frozen=True, slots=True)
class RowRule:
    """What a column of a row must be for the row to be given; ``value`` is a tuple for ``in``, None where none goes."""

    column: str
    operator: Comparison
    value: Any = None


@dataclass(frozen=True, slots=True)
class DataPolicy:
    """What is done to a table before it leaves: rules for columns, by name, and conditions that all must hold."""

    columns: tuple[ColumnRule, ...] = ()
    rows: tuple[RowRule, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns that a table must have for the policy to be carried out, each once."""
        return tuple(dict.fromkeys([*(one.column for one in self.columns), *(one.column for one in self.rows)]))

    @property
    def is_per_grant(self) -> bool:
        """Whether what is given differs by grant."""
        return any(one.treatment is Treatment.HASH for one in self.columns)
