"""Deeds of cases: reading what is new with every rule, opening a case for each finding, working it, closing it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.cases import queries
from marketplace.audit.cases.errors import CaseMoved
from marketplace.audit.cases.folds import Deed, Finding, Limits
from marketplace.audit.cases.models import CaseFile, CaseNote, RuleMark, RuleMemory
from marketplace.audit.cases.rules import RULES, AnomalyRule
from marketplace.audit.cases.states import MOVES, CaseState
from marketplace.audit.service import Signatory
from marketplace.audit.verbs import Verb
from marketplace.kit import clock, jobs, settings
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction

BATCH = 5000


@dataclass(frozen=True, slots=True)
class _Exchange:
    """The exchange itself, which opens cases."""

    organization_id: str = "system"
    client_id: str | None = None
    member_id: str | None = None
    delegate_id: str | None = None


@jobs.task("audit.watch", cron="*/10 * * * *", slow=True)
def watch() -> None:
    """Read all that has got a place on the record since the last time, and open cases for what the rules find."""
    while watch_batch():
        pass


def watch_batch() -> bool:
    """Read the next entries with every rule, in one transaction with the mark; tells whether there may be more.

    What is read twice opens no second case: a rule has one for a subject and a span.
    """
    with transaction():
        first = queries.lock_mark()
        if first is None:
            return False
        end = min(first + BATCH, queries.placed_up_to())
        _read(queries.new_deeds(first, end))
        db.session.execute(update(RuleMark).where(RuleMark.name == queries.MARK).values(position=end))
        has_more = end == first + BATCH
        if not has_more:
            # Not before: of an old record everything remembered is long over, and still needed by the next batch.
            _forget()
        return has_more


def assign(actor: Signatory, case_id: str, member_id: str) -> CaseFile:
    """Make a case somebody's, also from one person to the next; raises NotFound or CaseMoved.

    Whose member that is the caller has checked.
    """
    case = _moved(case_id, CaseState.UNDER_REVIEW)
    case.assignee_id = member_id
    db.session.flush()
    _record(actor, Verb.CASE_ASSIGNED, case, {"assignee": member_id})
    return case


def write_note(actor: Signatory, case_id: str, words: str) -> CaseNote:
    """Add a note to a case in any state; the record has its hash. Raises NotFound."""
    case = queries.lock_case(case_id)
    note = CaseNote(
        id=new_id("cnt"),
        case_id=case.id,
        organization_id=actor.organization_id,
        member_id=actor.member_id,
        client_id=actor.client_id,
        written_at=clock.now(),
        words=words,
    )
    db.session.add(note)
    db.session.flush()
    _record(actor, Verb.CASE_NOTED, case, {"note": note.id, "words_sha256": sha256_hex(words.encode())})
    return note


def close(actor: Signatory, case_id: str, reason: str) -> CaseFile:
    """Close a case for a stated reason, of which the record has the hash; raises NotFound or CaseMoved."""
    case = _moved(case_id, CaseState.CLOSED)
    case.closed_at, case.closed_reason = clock.now(), reason
    db.session.flush()
    _record(actor, Verb.CASE_CLOSED, case, {"reason_sha256": sha256_hex(reason.encode())})
    return case


def _read(deeds: Sequence[Deed]) -> None:
    chosen = settings.current()
    limits = Limits(chosen.watch_night_bytes, chosen.watch_dormant_days)
    for rule in RULES:
        _apply(rule, [deed for deed in deeds if deed.verb in rule.verbs], limits)


def _apply(rule: AnomalyRule, deeds: Sequence[Deed], limits: Limits) -> None:
    by_key: dict[str, list[Deed]] = defaultdict(list)
    for deed in deeds:
        if key := rule.key(deed):
            by_key[key].append(deed)
    remembered = queries.memories(rule.name, by_key)
    rows = []
    for key, own in sorted(by_key.items()):
        kept = remembered.get(key, {})
        for deed in own:
            kept, finding = rule.fold(kept, deed, limits)
            if finding is not None:
                _open(rule, finding)
        rows.append({"rule": rule.name, "key": key, "kept": kept, "kept_until": rule.kept_until(own[-1])})
    _remember(rows)


def _remember(rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        kept = insert(RuleMemory)
        newer = {"kept": kept.excluded.kept, "kept_until": kept.excluded.kept_until}
        db.session.execute(kept.on_conflict_do_update(index_elements=["rule", "key"], set_=newer), rows)


def _open(rule: AnomalyRule, finding: Finding) -> None:
    columns = {
        "id": new_id("cse"),
        "rule": rule.name,
        "state": CaseState.OPEN.value,
        "opened_at": clock.now(),
        **finding._asdict(),
    }
    once = insert(CaseFile).values(**columns).on_conflict_do_nothing(index_elements=["rule", "subject", "span"])
    case = db.session.scalar(once.returning(CaseFile))
    if case is not None:
        facts = {"about": finding.subject, "span": finding.span, "evidence": finding.evidence}
        _record(_Exchange(), Verb.CASE_OPENED, case, facts)


def _forget() -> None:
    over = RuleMemory.kept_until < clock.now()
    db.session.execute(delete(RuleMemory).where(over), execution_options={"synchronize_session": False})


def _moved(case_id: str, to: CaseState) -> CaseFile:
    case = queries.lock_case(case_id)
    if CaseState(case.state) not in MOVES[to]:
        raise CaseMoved(state=case.state)
    case.state = to.value
    return case


def _record(actor: Signatory, verb: Verb, case: CaseFile, facts: dict[str, Any]) -> None:
    audit.record(actor, verb, subject=case.id, facts={"rule": case.rule} | facts)
