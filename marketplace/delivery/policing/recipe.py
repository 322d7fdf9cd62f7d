"""What is done to one table: a data policy, resolved to the places of the table's columns. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from marketplace.delivery.rows import query
from marketplace.delivery.rows.columns import OPAQUE, Column, columns_of
from marketplace.delivery.rows.query import Predicate
from marketplace.delivery.rows.task import Source
from marketplace.kit.errors import Invalid
from marketplace.licensing.data_policy import ColumnRule, DataPolicy
from marketplace.licensing.reading_policies import write_data_policy
from marketplace.licensing.states import Treatment

CUTTABLE = frozenset({"string", "date", "timestamp", "timestamp_ntz", "time"})
"""Kinds of which the first characters mean something: a number's do not."""


class NotEnforceable(Exception):
    """The policy cannot be carried out on this table; the message says why, in names of columns and no values."""


@dataclass(frozen=True, slots=True)
class Given:
    """A column that is given: as it is, or as a hash under the recipe's key, or cut to its first characters."""

    column: Column
    hashed: bool = False
    length: int | None = None

    @property
    def is_changed(self) -> bool:
        """Whether its values become texts of our making."""
        return self.hashed or self.length is not None


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one file becomes the part that is given; ``needed`` are the columns that conditions look at."""

    source: Source
    given: tuple[Given, ...]
    needed: tuple[Column, ...]
    where: tuple[Predicate, ...]

    def written(self, key: bytes, limits: Mapping[str, Any]) -> str:
        """Return the recipe as JSON, with the key of its hashes and the limits of the process."""
        return json.dumps(asdict(self) | {"key": key.hex(), "limits": dict(limits)}, ensure_ascii=False)

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Recipe":
        """Read what ``written`` wrote."""
        return cls(
            Source(**told["source"]),
            tuple(Given(**one | {"column": Column(**one["column"])}) for one in told["given"]),
            tuple(Column(**one) for one in told["needed"]),
            tuple(Predicate(**one | {"values": tuple(one["values"])}) for one in told["where"]),
        )


def recipe_of(policy: DataPolicy, profile: Mapping[str, Any]) -> Recipe:
    """Resolve a policy for a profiled table; raises NotEnforceable, and NotTabular for what is no table.

    Every column that the policy names must be there: one that was renamed would be given away under its new name.
    """
    columns = columns_of(profile)
    known = {column.name: column for column in columns}
    missing = [name for name in policy.column_names if name not in known]
    if missing:
        raise NotEnforceable(f"The file has no column {_quoted(missing)}, which the terms name.")
    rules = {rule.column: rule for rule in policy.columns}
    treated = [(column, rules.get(column.name)) for column in columns]
    given = tuple(_given(column, rule) for column, rule in treated if not _is_omitted(rule))
    if not given:
        raise NotEnforceable("The terms leave no column of the file.")
    where = _conditions(policy, columns)
    asked = {one.place for one in where}
    return Recipe(Source.of(profile), given, tuple(column for column in columns if column.place in asked), where)


def _is_omitted(rule: ColumnRule | None) -> bool:
    return rule is not None and rule.treatment is Treatment.OMIT


def _given(column: Column, rule: ColumnRule | None) -> Given:
    if rule is None:
        return Given(column)
    if rule.treatment is Treatment.TRUNCATE and column.kind not in CUTTABLE:
        raise NotEnforceable(f"Values of the column {column.name} are no texts or dates, which alone can be cut.")
    if column.kind == OPAQUE:
        raise NotEnforceable(f"Values of the column {column.name} are nested or binary, and cannot be hashed.")
    return Given(column, hashed=rule.treatment is Treatment.HASH, length=rule.length)


def _conditions(policy: DataPolicy, columns: Sequence[Column]) -> tuple[Predicate, ...]:
    asked = write_data_policy(policy)["rows"]
    try:
        return query.conditions(asked, columns)
    except Invalid as refusal:
        faults = [(policy.rows[int(one["pointer"].split("/")[2])].column, one["detail"]) for one in refusal.errors]
        said = "; ".join(f"{name}: {detail}" for name, detail in faults[:5])
        raise NotEnforceable(f"A condition on rows does not fit its column ({said}).") from refusal


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(names[:5])
