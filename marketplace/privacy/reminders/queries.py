"""Reads of what waits for somebody at the gate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, func, select

from marketplace.catalog.models import File, Release
from marketplace.catalog.states import ReleaseState
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.privacy.assessments.models import AssessmentObjection, PrivacyAssessment
from marketplace.privacy.assessments.states import AssessmentState
from marketplace.privacy.detectors import Level
from marketplace.privacy.models import FileInspection, PrivacyFinding
from marketplace.privacy.reminders.states import Occasion
from marketplace.privacy.states import FindingState

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """A release or an assessment that waits for somebody. ``begun`` tells one wait from the next of the same thing."""

    subject: str
    occasion: Occasion
    dataset_id: str
    begun: datetime
    since: datetime


def list_waiting() -> list[Waiting]:
    """Return what waits now, some hundred of each kind at most, those first that have waited longest."""
    return [*_findings(), *_assessments()]


def _findings() -> Iterator[Waiting]:
    for occasion, state, levels, since in (
        (Occasion.ANSWER, FindingState.OPEN, (Level.HIGH, Level.MEDIUM), FileInspection.inspected_at),
        (Occasion.SECOND, FindingState.ANSWERED, (Level.HIGH,), PrivacyFinding.answered_at),
        (Occasion.REFUSED, FindingState.OPEN, (Level.BLOCKED,), FileInspection.inspected_at),
    ):
        for release_id, dataset_id, begun, waits in db.session.execute(_of_drafts(state, levels, since)):
            yield Waiting(release_id, occasion, dataset_id, begun, waits)


def _of_drafts(state: FindingState, levels: Sequence[Level], since: Any) -> Select[Any]:
    first = func.min(since)
    return (
        select(Release.id, Release.dataset_id, Release.created_at, first)
        .join(File, File.release_id == Release.id)
        .join(PrivacyFinding, PrivacyFinding.file_id == File.id)
        .join(FileInspection, FileInspection.file_id == File.id)
        .where(
            Release.state == ReleaseState.DRAFT,
            PrivacyFinding.state == state,
            PrivacyFinding.level.in_([level.value for level in levels]),
        )
        .group_by(Release.id)
        .order_by(first)
        .limit(AT_ONCE)
    )


def _assessments() -> Iterator[Waiting]:
    opposed = exists().where(AssessmentObjection.assessment_id == PrivacyAssessment.id)
    over = (PrivacyAssessment.objections_until <= clock.now(), opposed)
    for occasion, state, since, more in (
        (Occasion.REVIEW, AssessmentState.SUBMITTED, PrivacyAssessment.submitted_at, ()),
        (Occasion.CONCLUDE, AssessmentState.OBJECTION, PrivacyAssessment.objections_until, over),
    ):
        waiting = select(PrivacyAssessment.id, PrivacyAssessment.dataset_id, since)
        waiting = waiting.where(PrivacyAssessment.state == state, *more).order_by(since).limit(AT_ONCE)
        for assessment_id, dataset_id, begun in db.session.execute(waiting):
            if begun is None:
                continue
            yield Waiting(assessment_id, occasion, dataset_id, begun, begun)
