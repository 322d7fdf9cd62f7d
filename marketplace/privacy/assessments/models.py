"""The tables of assessments: each with its answers and its review, and the objections to it."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class PrivacyAssessment(Model):
    """One assessment of a dataset; ``statement_version`` is what was stated of the dataset when it was submitted."""

    __tablename__ = "privacy_assessment"
    __table_args__ = (
        CheckConstraint("depth IN ('short', 'full')", name="depth"),
        CheckConstraint("state IN ('draft', 'submitted', 'objection', 'accepted', 'rejected')", name="state"),
        CheckConstraint("state = 'draft' OR author_person IS NOT NULL", name="submitted"),
        CheckConstraint(
            "state NOT IN ('objection', 'accepted', 'rejected') OR reviewer_person IS NOT NULL"
            " AND reviewer_person <> author_person AND objections_until IS NOT NULL",
            name="reviewed",
        ),
        CheckConstraint("(state IN ('accepted', 'rejected')) = (concluded_at IS NOT NULL)", name="concluded"),
        Index(
            "uq_privacy_assessment_living",
            "dataset_id",
            unique=True,
            postgresql_where=text("state IN ('draft', 'submitted', 'objection')"),
        ),
        Index("ix_privacy_assessment_state_id", "state", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    depth: Mapped[str]
    privacy_class: Mapped[str]
    state: Mapped[str]
    answers: Mapped[dict[str, str]] = mapped_column(JSONB())
    summary_ja: Mapped[str]
    summary_en: Mapped[str]
    statement_version: Mapped[int] = mapped_column(Integer)
    opened_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    author_person: Mapped[str | None]
    author_member: Mapped[str | None]
    reviewed_at: Mapped[datetime | None]
    reviewer_person: Mapped[str | None]
    reviewer_member: Mapped[str | None]
    reviewer_organization: Mapped[str | None]
    review_note: Mapped[str]
    objections_until: Mapped[datetime | None]
    concluded_at: Mapped[datetime | None]


class AssessmentObjection(Model):
    """What an organization has against a listing, once for each assessment, and the response to it."""

    __tablename__ = "assessment_objection"
    __table_args__ = (
        CheckConstraint("(response = '') = (responded_at IS NULL)", name="response"),
        UniqueConstraint("assessment_id", "organization_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    assessment_id: Mapped[str] = mapped_column(ForeignKey("privacy_assessment.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    words: Mapped[str]
    raised_at: Mapped[datetime]
    response: Mapped[str]
    responded_at: Mapped[datetime | None]
    responded_by_member: Mapped[str | None]
