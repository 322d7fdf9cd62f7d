"""What is said of privacy impact assessments."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Strict, one_of, page_of, prose
from marketplace.privacy.assessments.rules import ANSWER_MAX, SUMMARY_MAX, WORDS_MAX
from marketplace.privacy.assessments.states import AssessmentState, Depth
from marketplace.privacy.states import PrivacyClass


class AssessmentDraft(Strict):
    """For which class of data an assessment is."""

    privacy_class = one_of(PrivacyClass, required=True)


class ThresholdQuery(Strict):
    """Of which class the data is to be offered."""

    privacy_class = one_of(PrivacyClass, load_default=PrivacyClass.NON_PERSONAL.value)


class AssessmentAnswers(Strict):
    """All answers by the codes of their questions, and the summary that everybody will read."""

    answers = fields.Dict(keys=fields.String(), values=prose(ANSWER_MAX), load_default={})
    summary_ja = prose(SUMMARY_MAX, load_default="")
    summary_en = prose(SUMMARY_MAX, load_default="")


class AssessmentReview(Strict):
    """Whether the reviewer signs off, and why."""

    approves = fields.Boolean(required=True, truthy={True}, falsy={False})
    note = prose(WORDS_MAX, required=True)


class AssessmentObjectionDraft(Strict):
    """What one has against a listing."""

    words = prose(WORDS_MAX, required=True)


class AssessmentResponse(Strict):
    """The response to an objection."""

    response = prose(WORDS_MAX, required=True)


class AssessmentEnd(Strict):
    """Whether the listing may go on."""

    accepts = fields.Boolean(required=True, truthy={True}, falsy={False})


class QuestionView(Schema):
    """One question, in both languages."""

    code = fields.String()
    ja = fields.String()
    en = fields.String()


class AssessmentObjectionView(Schema):
    """An objection and the response to it."""

    id = fields.String()
    organization_id = fields.String()
    words = fields.String()
    raised_at = fields.AwareDateTime()
    response = fields.String()
    responded_at = fields.AwareDateTime(allow_none=True)


class AssessmentSummary(Schema):
    """What everybody may read of an assessment."""

    id = fields.String()
    dataset_id = fields.String()
    title_ja = fields.String()
    title_en = fields.String()
    depth = one_of(Depth)
    privacy_class = one_of(PrivacyClass)
    state = one_of(AssessmentState)
    summary_ja = fields.String()
    summary_en = fields.String()
    submitted_at = fields.AwareDateTime(allow_none=True)
    reviewed_at = fields.AwareDateTime(allow_none=True)
    reviewer_organization = fields.String(allow_none=True)
    objections_until = fields.AwareDateTime(allow_none=True)
    concluded_at = fields.AwareDateTime(allow_none=True)
    objections = fields.Integer()


AssessmentSummaryPage = page_of(AssessmentSummary)


class AssessmentView(AssessmentSummary):
    """An assessment for its provider and overseers."""

    questions = fields.List(fields.Nested(QuestionView))
    answers = fields.Dict(keys=fields.String(), values=fields.String())
    missing = fields.List(fields.String())
    statement_version = fields.Integer()
    review_note = fields.String()
    opened_at = fields.AwareDateTime()
    objection_list = fields.List(fields.Nested(AssessmentObjectionView))


class AssessmentsView(Schema):
    """How much of an assessment a dataset needs, on which grounds, and those there are."""

    depth = one_of(Depth)
    grounds = fields.List(fields.String())
    covered = fields.Boolean()
    questions = fields.List(fields.Nested(QuestionView))
    items = fields.List(fields.Nested(AssessmentView))
