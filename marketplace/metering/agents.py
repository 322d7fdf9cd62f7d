"""Agents: what a person lets programs fetch that decide by themselves, counted in the delivery's transaction."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.metering.agent_models import AgentBudget, AgentDay
from marketplace.metering.errors import AgentBudgetExhausted, AgentBudgetMissing, AgentBudgetNeedsPerson

BYTES_MAX, YEN_MAX = 10**15, 999_999_999_999
# The row of the day is the lock: of many that ask at once each sees what those before it took.
_COUNT = text("""
UPDATE agent_day d SET bytes_given = d.bytes_given + :bytes, yen_given = d.yen_given + :yen
  FROM agent_budget b
 WHERE d.organization_id = :organization_id AND d.day = :day AND b.organization_id = d.organization_id
   AND d.bytes_given + :bytes <= b.bytes_per_day AND d.yen_given + :yen <= b.yen_per_day
RETURNING d.bytes_given, d.yen_given
""")


@dataclass(frozen=True, slots=True)
class AgentBudgetView:
    """A budget with what agents were given today."""

    bytes_per_day: int
    yen_per_day: int
    bytes_given: int
    yen_given: int
    day: date
    set_at: datetime

    @property
    def bytes_left(self) -> int:
        """What may still be asked for today."""
        return max(self.bytes_per_day - self.bytes_given, 0)

    @property
    def yen_left(self) -> int:
        """What it may still cost today."""
        return max(self.yen_per_day - self.yen_given, 0)


def set_budget(actor: Actor, bytes_per_day: int, yen_per_day: int) -> AgentBudgetView:
    """Set what agents of the caller's organization may fetch in a day; raises AgentBudgetNeedsPerson.

    What they were given today counts. Nothing and nothing lets them fetch nothing.
    """
    if actor.member_id is None:
        raise AgentBudgetNeedsPerson
    columns = {
        "bytes_per_day": bytes_per_day,
        "yen_per_day": yen_per_day,
        "member_id": actor.member_id,
        "set_at": clock.now(),
    }
    made = insert(AgentBudget).values(organization_id=actor.organization_id, version=1, **columns)
    anew = made.on_conflict_do_update(
        index_elements=["organization_id"], set_=columns | {"version": AgentBudget.version + 1}
    )
    version = db.session.scalar(anew.returning(AgentBudget.version))
    facts = {"bytes_per_day": str(bytes_per_day), "version": version}
    audit.record(actor, Verb.AGENT_BUDGET_SET, subject=actor.organization_id, amount_minor=yen_per_day, facts=facts)
    found = find_budget(actor.organization_id)
    if found is None:
        raise RuntimeError("the budget that was just set is not there")
    return found


def find_budget(organization_id: str) -> AgentBudgetView | None:
    """Return the budget of an organization's agents with what they were given today, None where nobody set one."""
    day = clock.today()
    columns = (AgentBudget.bytes_per_day, AgentBudget.yen_per_day, AgentBudget.set_at)
    found = db.session.execute(select(*columns).where(AgentBudget.organization_id == organization_id)).one_or_none()
    if found is None:
        return None
    given = select(AgentDay.bytes_given, AgentDay.yen_given).where(
        AgentDay.organization_id == organization_id, AgentDay.day == day
    )
    today = db.session.execute(given).one_or_none()
    bytes_given, yen_given = (today.bytes_given, today.yen_given) if today else (0, 0)
    return AgentBudgetView(found.bytes_per_day, found.yen_per_day, bytes_given, yen_given, day, found.set_at)


def count(organization_id: str, size_bytes: int, yen: int) -> None:
    """Count a delivery to an agent, whole, before its first byte; to be called in the transaction that opens it.

    What breaks off on the way stays counted: an agent is given too little perhaps, and never too much. Raises
    AgentBudgetMissing or AgentBudgetExhausted; roll back then.
    """
    named = {"organization_id": organization_id, "day": clock.today()}
    db.session.execute(insert(AgentDay).values(**named, bytes_given=0, yen_given=0).on_conflict_do_nothing())
    if db.session.execute(_COUNT, named | {"bytes": size_bytes, "yen": yen}).one_or_none() is not None:
        return
    left = find_budget(organization_id)
    if left is None:
        raise AgentBudgetMissing
    raise AgentBudgetExhausted(
        f"This takes {size_bytes:,} bytes and may cost {yen:,} yen before tax; {left.bytes_left:,} of"
        f" {left.bytes_per_day:,} bytes and {left.yen_left:,} of {left.yen_per_day:,} yen are left today.",
        bytes_left=left.bytes_left,
        yen_left=left.yen_left,
    )
