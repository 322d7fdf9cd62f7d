"""What all principles count by: the year in Japan, and deeds of the record by month."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import text

from marketplace.audit.verbs import Verb
from marketplace.disclosure.annual.figures import Part, by_month
from marketplace.kit.clock import JST
from marketplace.kit.db import db

_DEEDS = text("""
SELECT to_char(occurred_at AT TIME ZONE 'Asia/Tokyo', 'MM') AS month, count(*) AS many
  FROM audit_entry WHERE verb = ANY(:verbs) AND occurred_at >= :first AND occurred_at < :after
 GROUP BY 1
""")
_PRIVATE = text("""
SELECT EXISTS (SELECT FROM earning e JOIN dataset d ON d.id = e.dataset_id
                WHERE d.audience IS NOT NULL AND e.occurred_on >= :first_day AND e.occurred_on < :after_day)
    OR EXISTS (SELECT FROM usage_rollup u JOIN dataset d ON d.id = u.dataset_id
                WHERE d.audience IS NOT NULL AND u.hour >= :first AND u.hour < :after)
    OR EXISTS (SELECT FROM purchase_order o JOIN dataset d ON d.id = o.dataset_id
                WHERE d.audience IS NOT NULL AND o.created_at >= :first AND o.created_at < :after)
""")


@dataclass(frozen=True, slots=True)
class Year:
    """A calendar year in Japan."""

    number: int

    @property
    def span(self) -> dict[str, Any]:
        """The instants and days at which it begins and ends, the ends excluded, as statements take them."""
        first, after = date(self.number, 1, 1), date(self.number + 1, 1, 1)
        return {"first": _midnight(first), "after": _midnight(after), "first_day": first, "after_day": after}


def row(statement: str, year: Year, **more: Any) -> Any:
    """Return the one row of a statement over a year."""
    return db.session.execute(text(statement), year.span | more).one()


def rows(statement: str, year: Year, **more: Any) -> list[Any]:
    """Return the rows of a statement over a year."""
    return list(db.session.execute(text(statement), year.span | more))


def deeds(year: Year, *verbs: Verb) -> tuple[Part, ...]:
    """Return how often these deeds stand in the record, by month."""
    wanted = {"verbs": [verb.value for verb in verbs], "first": year.span["first"], "after": year.span["after"]}
    return by_month({found.month: found.many for found in db.session.execute(_DEEDS, wanted)})


def has_private_trade(year: Year) -> bool:
    """Tell whether something that is listed to a group alone was ordered, paid or fetched in a year."""
    return bool(db.session.scalar(_PRIVATE, year.span))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, JST).astimezone(UTC)
