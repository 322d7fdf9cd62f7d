"""Deeds of the gate: keeping what was found, answering it, and stating what a dataset holds of people."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert as plain_insert
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import queries as catalog
from marketplace.catalog import service as profiles
from marketplace.catalog.disposals import service as disposals
from marketplace.catalog.disposals.states import Reason
from marketplace.catalog.models import File
from marketplace.catalog.uploads import storage
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.overrides import queries as people
from marketplace.identity.overrides.errors import PersonNeeded, SamePerson
from marketplace.kit import clock
from marketplace.kit.canonical import digest_of, sha256_hex
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.privacy import queries, rules
from marketplace.privacy.detectors import Finding, Kind, Level
from marketplace.privacy.errors import (
    FindingSettled,
    FindingsTooMany,
    FindingsUnanswered,
    InspectionPending,
    MyNumberFound,
)
from marketplace.privacy.models import BlockedContent, FileInspection, PrivacyFinding, PrivacyStatement
from marketplace.privacy.states import Answer, FindingState

FINDINGS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking through a file, as the gate keeps it."""

    findings: tuple[Finding, ...] = ()
    total: int = 0
    rows: int = 0
    problem: str | None = None


def record_inspection(file_id: str, looked: Looked, *, unread: Level = Level.MEDIUM) -> None:
    """Keep what was found in a file; the first finding stays, so that the job may run again.

    What could not be read to its end is a finding of its own, of the weight ``unread``. Raises NotFound.
    """
    file = catalog.get_file(file_id)
    row: dict[str, Any] = {
        "file_id": file_id, "sha256": file.sha256, "rows_read": looked.rows, "findings_total": looked.total,
        "problem": looked.problem, "inspected_at": clock.now(),
    }  # fmt: skip
    kept = insert(FileInspection).values(row).on_conflict_do_nothing().returning(FileInspection.file_id)
    if db.session.scalar(kept) is None:
        return
    dataset_id = catalog.get_release(file.release_id).dataset_id
    findings = [*looked.findings, *([Finding(Kind.UNREAD, unread, "", 0, 0, 0)] if looked.problem else [])]
    if findings:
        db.session.execute(plain_insert(PrivacyFinding), [_row(file, dataset_id, one) for one in findings])
    if any(one.level is Level.BLOCKED for one in findings):
        _refuse_for_good(file, dataset_id)
    counts = {str(level): sum(one.level is level for one in findings) for level in Level}
    facts: dict[str, Any] = {"sha256": file.sha256, "problem": looked.problem, "total": looked.total}
    audit.record(SYSTEM, Verb.FILE_INSPECTED, subject=file_id, dataset=dataset_id, facts=facts | counts)


def _refuse_for_good(file: File, dataset_id: str) -> None:
    """Refuse these bytes from now on, have them removed, and forget what their profile shows of them."""
    seen = {"sha256": file.sha256, "found_at": clock.now()}
    db.session.execute(insert(BlockedContent).values(seen).on_conflict_do_nothing())
    organization_id = catalog.get_dataset(dataset_id).organization_id
    disposals.ask(file.sha256, Reason.REFUSED, file.id, dataset_id, organization_id)
    profiles.forget_content(file.id)
    storage.vacate(organization_id, file.size_bytes)


def _row(file: File, dataset_id: str, one: Finding) -> dict[str, Any]:
    state = FindingState.NOTED if one.level is Level.NOTE else FindingState.OPEN
    return {
        "id": new_id("fnd"),
        "file_id": file.id,
        "dataset_id": dataset_id,
        "sha256": file.sha256,
        "kind": one.kind.value,
        "level": one.level.value,
        "column_name": one.column,
        "place": one.place,
        "table_name": one.table,
        "hits": one.hits,
        "cells": one.cells,
        "row_numbers": list(one.rows),
        "state": state.value,
    }


def require_publishable(release_id: str) -> None:
    """Refuse a release that the gate holds back.

    Raises InspectionPending, MyNumberFound, FindingsTooMany or FindingsUnanswered.
    """
    inspections = queries.inspections_of(release_id)
    held = catalog.list_files(release_id)
    waiting = [file.name for file in held if file.id not in inspections]
    if waiting:
        raise InspectionPending(files=waiting[:FINDINGS_SHOWN])
    findings = queries.findings_of(release_id)
    blocked = {finding.file_id for finding in findings if finding.level == Level.BLOCKED}
    if blocked:
        raise MyNumberFound(files=[file.name for file in held if file.id in blocked])
    if any(inspection.problem == "too-many-findings" for inspection in inspections.values()):
        raise FindingsTooMany
    open_ = [finding for finding in findings if finding.state in {FindingState.OPEN, FindingState.ANSWERED}]
    if open_:
        raise FindingsUnanswered(findings=[_told(finding) for finding in open_[:FINDINGS_SHOWN]], total=len(open_))


def _told(finding: PrivacyFinding) -> dict[str, Any]:
    names = ("id", "file_id", "kind", "level", "column_name", "state")
    return {name: getattr(finding, name) for name in names}


def refuse_blocked(sha256: str) -> None:
    """Refuse bytes in which My Numbers were found before; raises MyNumberFound."""
    if queries.is_blocked(sha256):
        raise MyNumberFound(sha256=sha256)


def answer_finding(actor: Actor, finding_id: str, sha256: str, answer: Answer, reason: str) -> PrivacyFinding:
    """Answer a finding in one's own file, as a person who has seen these bytes.

    One of level ``high`` waits for a second person then. Raises PersonNeeded, NotFound, FindingSettled or Invalid.
    """
    person_id, member_id = acting_person(actor)
    tidied = rules.checked_reason(reason)
    finding = queries.lock_finding(finding_id)
    catalog.get_own_dataset(actor, finding.dataset_id)
    is_open = finding.state == FindingState.OPEN and finding.level in {Level.HIGH, Level.MEDIUM}
    if not is_open or finding.sha256 != sha256:
        raise FindingSettled(state=finding.state, sha256=finding.sha256)
    finding.state = (FindingState.ANSWERED if finding.level == Level.HIGH else FindingState.SETTLED).value
    finding.answer, finding.reason, finding.answered_at = str(answer), tidied, clock.now()
    finding.answered_by_person, finding.answered_by_member = person_id, member_id
    db.session.flush()
    facts = _facts(finding) | {"answer": str(answer), "reason_sha256": sha256_hex(tidied.encode())}
    audit.record(actor, Verb.FINDING_ANSWERED, subject=finding.id, dataset=finding.dataset_id, facts=facts)
    return finding


def second_answer(actor: Actor, finding_id: str, *, agrees: bool) -> PrivacyFinding:
    """Agree to another person's answer, or send it back; of the provider or of the operator.

    Raises PersonNeeded, NotFound, FindingSettled or SamePerson.
    """
    person_id, member_id = acting_person(actor)
    finding = queries.lock_finding(finding_id)
    catalog.get_visible_dataset(actor, finding.dataset_id)
    if finding.state != FindingState.ANSWERED:
        raise FindingSettled(state=finding.state, sha256=finding.sha256)
    if finding.answered_by_person == person_id:
        raise SamePerson
    facts = _facts(finding) | {"answer": finding.answer, "agrees": agrees}
    if agrees:
        finding.state, finding.seconded_at = FindingState.SETTLED.value, clock.now()
        finding.seconded_by_person, finding.seconded_by_member = person_id, member_id
        finding.seconded_by_organization = actor.organization_id
    else:
        finding.state = FindingState.OPEN.value
        finding.answer = finding.reason = finding.answered_by_person = finding.answered_by_member = None
        finding.answered_at = None
    db.session.flush()
    audit.record(actor, Verb.FINDING_SECONDED, subject=finding.id, dataset=finding.dataset_id, facts=facts)
    return finding


def acting_person(actor: Actor) -> tuple[str, str]:
    """Return the person who acts and as which member; raises PersonNeeded for a program."""
    person_id = people.find_person(actor.member_id) if actor.member_id else None
    if actor.member_id is None or person_id is None:
        raise PersonNeeded
    return person_id, actor.member_id


def _facts(finding: PrivacyFinding) -> dict[str, Any]:
    return {"file": finding.file_id, "sha256": finding.sha256, "kind": finding.kind, "level": finding.level}


def state_privacy(actor: Actor, dataset_id: str, draft: rules.StatementDraft) -> PrivacyStatement:
    """State what a dataset of one's own holds of people, anew; raises NotFound or Invalid."""
    catalog.get_own_dataset(actor, dataset_id)
    rules.check_statement(draft)
    row = draft.columns() | {"stated_at": clock.now(), "stated_by_member": actor.member_id}
    statement = insert(PrivacyStatement).values(row | {"dataset_id": dataset_id, "version": 1})
    again = row | {"version": PrivacyStatement.version + 1}
    statement = statement.on_conflict_do_update(index_elements=["dataset_id"], set_=again)
    version = db.session.scalar(statement.returning(PrivacyStatement.version))
    facts = {"version": version, "basis": draft.basis, "statement_sha256": digest_of(draft.columns())}
    audit.record(actor, Verb.PRIVACY_STATED, subject=dataset_id, dataset=dataset_id, facts=facts)
    return db.session.get_one(PrivacyStatement, dataset_id, populate_existing=True)


def record_measure(file_id: str, alike: dict[str, Any]) -> None:
    """Keep how many rows of a file are alike, in place of what was measured before."""
    found = update(FileInspection).where(FileInspection.file_id == file_id)
    db.session.execute(found.values(alike=alike, measured_at=clock.now()))
    file = catalog.get_file(file_id)
    dataset_id = catalog.get_release(file.release_id).dataset_id
    figures = {name: alike[name] for name in ("k", "unique_mille", "rows", "problem") if name in alike}
    facts = figures | {"sha256": file.sha256}
    audit.record(SYSTEM, Verb.FILE_MEASURED, subject=file_id, dataset=dataset_id, facts=facts)
