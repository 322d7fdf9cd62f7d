"""The privacy gate: what was found of people in files, the answers to it, and what providers state of a dataset."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import privacy as schemas
from marketplace.catalog import queries as catalog
from marketplace.exchange import gate
from marketplace.identity.permissions import Permission
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.privacy import queries
from marketplace.privacy.detectors import Level
from marketplace.privacy.rules import StatementDraft
from marketplace.privacy.states import Answer, FindingState

blp = blueprint("privacy", "/v1", "The privacy gate (個人情報の検査): findings in files, answers, statements.")
STATEMENT = tuple(schemas.PrivacyStatementView().fields)
INSPECTION = tuple(name for name in schemas.InspectionView().fields if name != "name")


@blp.route("/privacy/findings")
@guarded(Permission.PRIVACY_READ)
@blp.arguments(schemas.PrivacyFindingQuery, location="query")
@blp.response(200, schemas.PrivacyFindingPage)
def list_findings(query: dict[str, Any]) -> Any:
    """List what was found in one's files, newest first; overseers see all. No value of the data is told."""
    state, level = query.pop("state", None), query.pop("level", None)
    chosen = (state and FindingState(state), level and Level(level))
    return queries.list_findings(actor(), **query, state=chosen[0], level=chosen[1])


@blp.route("/privacy/findings/<finding_id>")
@guarded(Permission.PRIVACY_READ)
@blp.response(200, schemas.PrivacyFindingView)
def read_finding(finding_id: str) -> Any:
    """Read a finding and what was answered to it."""
    return queries.get_visible_finding(actor(), finding_id)


@blp.route("/privacy/findings/<finding_id>/answer", methods=["POST"])
@guarded(Permission.PRIVACY_ANSWER)
@blp.arguments(schemas.FindingAnswer)
@blp.response(200, schemas.PrivacyFindingView)
def answer(body: dict[str, Any], finding_id: str) -> Any:
    """Answer a finding as a person: that it is a false alarm, or on which basis the data is provided, and why.

    `sha256` names the bytes that you have seen. One of level `high` then waits for a second person.
    """
    with transaction():
        return gate.answer(actor(), finding_id, body["sha256"], Answer(body["answer"]), body["reason"])


@blp.route("/privacy/findings/<finding_id>/second", methods=["POST"])
@guarded(Permission.PRIVACY_SECOND)
@blp.arguments(schemas.FindingSecond)
@blp.response(200, schemas.PrivacyFindingView)
def second(body: dict[str, Any], finding_id: str) -> Any:
    """Agree as a second person to what another answered, of the provider or of the operator; or send it back."""
    with transaction():
        return gate.second(actor(), finding_id, agrees=body["agrees"])


@blp.route("/releases/<release_id>/privacy")
@guarded(Permission.PRIVACY_READ)
@blp.response(200, schemas.GateView)
def read_gate(release_id: str) -> Any:
    """Read how far the files of a release have come at the gate."""
    release = catalog.get_visible_release(actor(), release_id)
    inspections, findings = queries.inspections_of(release.id), queries.findings_of(release.id)
    held = catalog.list_files(release.id)
    shown = [
        {name: getattr(inspections[file.id], name) for name in INSPECTION} | {"name": file.name}
        for file in held
        if file.id in inspections
    ]
    return {
        "release_id": release.id,
        "inspections": shown,
        "waiting": [file.name for file in held if file.id not in inspections],
        "open": sum(one.state in {FindingState.OPEN, FindingState.ANSWERED} for one in findings),
        "blocked": sum(one.level == Level.BLOCKED for one in findings),
    }


@blp.route("/releases/<release_id>/files/<name>", methods=["DELETE"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(204)
def remove_file(release_id: str, name: str) -> Any:
    """Take a file out of a draft release, with all that was found in it; its name is then free."""
    with transaction():
        gate.remove_file(actor(), release_id, name)
    return "", 204


@blp.route("/datasets/<dataset_id>/privacy", methods=["PUT"])
@guarded(Permission.PRIVACY_ANSWER)
@blp.arguments(schemas.PrivacyStatementDraft)
@blp.response(200, schemas.PrivacyStatementView)
def put_statement(body: dict[str, Any], dataset_id: str) -> Any:
    """State what a dataset holds of people, in place of what was stated before.

    `items` and the methods are published: the law asks for that before anonymously processed information is provided.
    """
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in body.items()}
    with transaction():
        return _shown(gate.state(actor(), dataset_id, StatementDraft(**values)))


@blp.route("/datasets/<dataset_id>/privacy")
@guarded(Permission.PRIVACY_READ)
@blp.response(200, schemas.PrivacyStatementView)
def read_statement(dataset_id: str) -> Any:
    """Read what is stated of the people in a dataset."""
    dataset = catalog.get_visible_dataset(actor(), dataset_id)
    statement = queries.find_statement(dataset.id)
    if statement is None:
        raise NotFound
    return _shown(statement)


def _shown(statement: Any) -> dict[str, Any]:
    return {name: getattr(statement, name) for name in STATEMENT}
