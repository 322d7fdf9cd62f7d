"""Reads of assessments."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select

from marketplace.catalog import queries as catalog
from marketplace.catalog.models import Dataset
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable
from marketplace.privacy import queries as privacy
from marketplace.privacy.assessments import rules
from marketplace.privacy.assessments.models import AssessmentObjection, PrivacyAssessment
from marketplace.privacy.assessments.rules import Signs
from marketplace.privacy.assessments.states import LIVING, PUBLIC, AssessmentState, Depth
from marketplace.privacy.states import PrivacyClass


def threshold(dataset_id: str, privacy_class: PrivacyClass) -> tuple[Depth, tuple[str, ...]]:
    """Return how much of an assessment a dataset needs for an offer of this class, and why."""
    statement = privacy.find_statement(dataset_id)
    return rules.threshold(
        Signs(
            privacy_class,
            has_lawful_basis=privacy.holds_personal_data(dataset_id),
            has_quasi_identifiers=statement is not None and bool(statement.quasi_identifiers),
        )
    )


def is_covered(dataset_id: str, needed: Depth) -> bool:
    """Tell whether an accepted assessment is as deep as needed, and of what is stated of the dataset now."""
    statement = privacy.find_statement(dataset_id)
    version = statement.version if statement is not None else 0
    accepted = select(PrivacyAssessment.depth).where(
        PrivacyAssessment.dataset_id == storable(dataset_id),
        PrivacyAssessment.state == AssessmentState.ACCEPTED,
        PrivacyAssessment.statement_version == version,
    )
    return any(Depth(depth).covers(needed) for depth in db.session.scalars(accepted))


def find_living(dataset_id: str) -> PrivacyAssessment | None:
    """Return the assessment of a dataset that is under way, or None."""
    living = (PrivacyAssessment.dataset_id == storable(dataset_id), PrivacyAssessment.state.in_(LIVING))
    return db.session.scalar(select(PrivacyAssessment).where(*living))


def get_visible(actor: Actor, assessment_id: str, *, lock: bool = False) -> PrivacyAssessment:
    """Return an assessment of a dataset of one's own, or any for overseers; raises NotFound."""
    found = _get(assessment_id, lock=lock)
    catalog.get_visible_dataset(actor, found.dataset_id)
    return found


def get_public(assessment_id: str, *, lock: bool = False) -> PrivacyAssessment:
    """Return an assessment that everybody may read: past its review, of a dataset that is no private group's alone.

    Raises NotFound.
    """
    found = _get(assessment_id, lock=lock)
    if found.state not in PUBLIC or catalog.get_dataset(found.dataset_id).audience is not None:
        raise NotFound
    return found


def list_public(*, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[PrivacyAssessment]:
    """Return the assessments that everybody may read, newest first."""
    shown = select(PrivacyAssessment).join(Dataset, Dataset.id == PrivacyAssessment.dataset_id)
    statement = shown.where(PrivacyAssessment.state.in_(PUBLIC), Dataset.audience.is_(None))
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(PrivacyAssessment.id < storable(str(after[0])))
    rows = db.session.scalars(statement.order_by(PrivacyAssessment.id.desc()).limit(size + 1)).all()
    return cut(rows, size, lambda row: [row.id])


def list_waiting(size: int = 100) -> Sequence[PrivacyAssessment]:
    """Return the assessments that wait for the operator: for a review, or for their end; oldest first."""
    states = (AssessmentState.SUBMITTED, AssessmentState.OBJECTION)
    waiting = select(PrivacyAssessment).where(PrivacyAssessment.state.in_(states))
    return db.session.scalars(waiting.order_by(PrivacyAssessment.id).limit(size)).all()


def list_of_dataset(dataset_id: str) -> Sequence[PrivacyAssessment]:
    """Return all assessments of a dataset, newest first."""
    statement = select(PrivacyAssessment).where(PrivacyAssessment.dataset_id == storable(dataset_id))
    return db.session.scalars(statement.order_by(PrivacyAssessment.id.desc()).limit(100)).all()


def list_of_organization(organization_id: str) -> Sequence[PrivacyAssessment]:
    """Return the assessments of an organization's datasets, newest first."""
    statement = select(PrivacyAssessment).join(Dataset, Dataset.id == PrivacyAssessment.dataset_id)
    statement = statement.where(Dataset.organization_id == organization_id)
    return db.session.scalars(statement.order_by(PrivacyAssessment.id.desc()).limit(100)).all()


def list_public_of(dataset_id: str) -> Sequence[PrivacyAssessment]:
    """Return the assessments of a dataset that everybody may read, newest first; none of a private group's alone."""
    statement = select(PrivacyAssessment).join(Dataset, Dataset.id == PrivacyAssessment.dataset_id)
    shown = (Dataset.id == storable(dataset_id), PrivacyAssessment.state.in_(PUBLIC), Dataset.audience.is_(None))
    return db.session.scalars(statement.where(*shown).order_by(PrivacyAssessment.id.desc()).limit(5)).all()


def objections_to(assessment_id: str) -> Sequence[AssessmentObjection]:
    """Return the objections to an assessment, oldest first."""
    statement = select(AssessmentObjection).where(AssessmentObjection.assessment_id == storable(assessment_id))
    return db.session.scalars(statement.order_by(AssessmentObjection.id)).all()


def count_unanswered(assessment_id: str) -> int:
    """Return how many objections to an assessment have no response."""
    counted = select(func.count()).select_from(AssessmentObjection)
    open_ = (AssessmentObjection.assessment_id == assessment_id, AssessmentObjection.responded_at.is_(None))
    return db.session.scalar(counted.where(*open_)) or 0


def unopposed(now: datetime) -> list[str]:
    """Return the assessments whose time for objections is over and that nobody objected to."""
    opposed = select(AssessmentObjection.assessment_id)
    over = (PrivacyAssessment.state == AssessmentState.OBJECTION, PrivacyAssessment.objections_until <= now)
    return list(
        db.session.scalars(select(PrivacyAssessment.id).where(*over, PrivacyAssessment.id.not_in(opposed)).limit(500))
    )


def get_locked(assessment_id: str) -> PrivacyAssessment:
    """Return an assessment that nobody else changes until the transaction ends; raises NotFound."""
    return _get(assessment_id, lock=True)


def _get(assessment_id: str, *, lock: bool) -> PrivacyAssessment:
    statement = select(PrivacyAssessment).where(PrivacyAssessment.id == storable(assessment_id))
    statement = statement.with_for_update() if lock else statement
    found = db.session.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise NotFound
    return found
