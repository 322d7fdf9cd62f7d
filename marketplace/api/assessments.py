"""Privacy impact assessments (PIA): made by providers, reviewed, open to objections, told to everybody."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.schemas import assessments as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.catalog import queries as catalog
from marketplace.exchange import assessing
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction
from marketplace.privacy.assessments import queries, rules, service
from marketplace.privacy.assessments.questions import questions
from marketplace.privacy.assessments.states import Depth
from marketplace.privacy.states import PrivacyClass

blp = blueprint("assessments", "/v1", "Privacy impact assessments: what a listing means for people.")
_OF_THE_DATASET = {"title_ja", "title_en", "objections"}
_MADE_UP = {"questions", "missing", "objection_list"}
SUMMARY = tuple(name for name in schemas.AssessmentSummary().fields if name not in _OF_THE_DATASET)
VIEW = tuple(name for name in schemas.AssessmentView().fields if name not in _OF_THE_DATASET | _MADE_UP)


@blp.route("/datasets/<dataset_id>/assessments", methods=["POST"])
@guarded(Permission.PRIVACY_ANSWER)
@blp.arguments(schemas.AssessmentDraft)
@blp.response(201, schemas.AssessmentView)
def begin(body: dict[str, Any], dataset_id: str) -> Any:
    """Begin an assessment, as deep as the threshold asks; one of a dataset is under way at a time."""
    with transaction():
        made = assessing.begin(actor(), dataset_id, PrivacyClass(body["privacy_class"]))
        return created(_shown(made), f"/v1/assessments/{made.id}")


@blp.route("/datasets/<dataset_id>/assessments")
@guarded(Permission.PRIVACY_READ)
@blp.arguments(schemas.ThresholdQuery, location="query")
@blp.response(200, schemas.AssessmentsView)
def list_of_dataset(query: dict[str, Any], dataset_id: str) -> Any:
    """Read how much of an assessment a dataset needs for a class of data and why, and those it has."""
    dataset, privacy_class = catalog.get_visible_dataset(actor(), dataset_id), PrivacyClass(query["privacy_class"])
    depth, grounds = queries.threshold(dataset.id, privacy_class)
    return {
        "depth": depth.value,
        "grounds": list(grounds),
        "covered": queries.is_covered(dataset.id, depth) or depth is Depth.NONE,
        "questions": questions(depth, privacy_class),
        "items": [_shown(one) for one in queries.list_of_dataset(dataset.id)],
    }


@blp.route("/assessments/<assessment_id>/answers", methods=["PUT"])
@guarded(Permission.PRIVACY_ANSWER)
@blp.arguments(schemas.AssessmentAnswers)
@blp.response(200, schemas.AssessmentView)
def write(body: dict[str, Any], assessment_id: str) -> Any:
    """Put all answers and the summaries in the place of those of a draft; `missing` says what is still wanted."""
    with transaction():
        return _shown(assessing.write(actor(), assessment_id, **body))


@blp.route("/assessments/<assessment_id>/submit", methods=["POST"])
@guarded(Permission.PRIVACY_ANSWER)
@blp.response(200, schemas.AssessmentView)
def submit(assessment_id: str) -> Any:
    """Submit a draft as a person, for what is stated of the dataset now."""
    with transaction():
        return _shown(assessing.submit(actor(), assessment_id))


@blp.route("/assessments/<assessment_id>/review", methods=["POST"])
@guarded(Permission.ASSESSMENTS_REVIEW)
@blp.arguments(schemas.AssessmentReview)
@blp.response(200, schemas.AssessmentView)
def review(body: dict[str, Any], assessment_id: str) -> Any:
    """Sign off as another person than the author, which opens the time for objections; or send it back."""
    with transaction():
        return _shown(assessing.review(actor(), assessment_id, **body))


@blp.route("/assessments/<assessment_id>/objections", methods=["POST"])
@guarded(Permission.ASSESSMENTS_OBJECT)
@blp.arguments(schemas.AssessmentObjectionDraft)
@blp.response(201, schemas.AssessmentObjectionView)
def object_to(body: dict[str, Any], assessment_id: str) -> Any:
    """Object to a listing while its assessment is open to that; the first objection of an organization stays."""
    with transaction():
        return assessing.object_to(actor(), assessment_id, body["words"])


@blp.route("/assessments/<assessment_id>/objections/<objection_id>/response", methods=["POST"])
@guarded(Permission.ASSESSMENTS_REVIEW)
@blp.arguments(schemas.AssessmentResponse)
@blp.response(200, schemas.AssessmentObjectionView)
def respond(body: dict[str, Any], assessment_id: str, objection_id: str) -> Any:
    """Respond to an objection."""
    with transaction():
        return service.respond(actor(), assessment_id, objection_id, body["response"])


@blp.route("/assessments/<assessment_id>/conclude", methods=["POST"])
@guarded(Permission.ASSESSMENTS_REVIEW)
@blp.arguments(schemas.AssessmentEnd)
@blp.response(200, schemas.AssessmentView)
def conclude(body: dict[str, Any], assessment_id: str) -> Any:
    """Accept or reject once the time for objections is over and each has its response.

    Those that nobody objected to are accepted within the hour by themselves.
    """
    with transaction():
        return _shown(assessing.conclude(actor(), assessment_id, accepts=body["accepts"]))


@blp.route("/assessments")
@guarded(Permission.CATALOG_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.AssessmentSummaryPage)
def list_public(query: dict[str, Any]) -> Any:
    """List the published summaries, newest first, also of what is not listed yet and open to objections."""
    page = queries.list_public(**query)
    return {"items": [_summary(one) for one in page.items], "next_cursor": page.next_cursor}


@blp.route("/assessments/<assessment_id>")
@guarded(Permission.CATALOG_READ)
@blp.response(200, schemas.AssessmentSummary)
def read_public(assessment_id: str) -> Any:
    """Read the published summary of an assessment."""
    return _summary(queries.get_public(assessment_id))


def _summary(assessment: Any, names: tuple[str, ...] = SUMMARY) -> dict[str, Any]:
    dataset = catalog.get_dataset(assessment.dataset_id)
    shown = {name: getattr(assessment, name) for name in names}
    titles = {"title_ja": dataset.title_ja, "title_en": dataset.title_en}
    return shown | titles | {"objections": len(queries.objections_to(assessment.id))}


def _shown(assessment: Any) -> dict[str, Any]:
    asked = (Depth(assessment.depth), PrivacyClass(assessment.privacy_class))
    missing = rules.missing(*asked, assessment.answers, assessment.summary_ja, assessment.summary_en)
    made_up = {"questions": questions(*asked), "missing": missing}
    return _summary(assessment, VIEW) | made_up | {"objection_list": queries.objections_to(assessment.id)}
