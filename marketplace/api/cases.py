"""Cases that the anomaly rules opened: read by both overseers, worked by the operator."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import casework as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.audit.cases import queries, service
from marketplace.audit.cases.rules import RULES
from marketplace.identity import queries as identity
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("cases", "/v1/cases", "Cases: what the anomaly rules found on the record, and what became of it.")


@blp.route("")
@guarded(Permission.AUDIT_READ)
@blp.arguments(schemas.CaseQuery, location="query")
@blp.response(200, schemas.CasePage)
def list_cases(query: dict[str, Any]) -> Any:
    """List cases, newest first."""
    return queries.list_cases(**query)


@blp.route("/rules")
@guarded(Permission.AUDIT_READ)
@blp.response(200, schemas.RulesView)
def list_rules() -> Any:
    """Read the anomaly rules: what each finds, and why that is worth a look."""
    return {"items": RULES}


@blp.route("/<case_id>")
@guarded(Permission.AUDIT_READ)
@blp.response(200, schemas.CaseView)
def read(case_id: str) -> Any:
    """Read a case."""
    return queries.get_case(case_id)


@blp.route("/<case_id>/notes")
@guarded(Permission.AUDIT_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.CaseNotePage)
def list_notes(query: dict[str, Any], case_id: str) -> Any:
    """List the notes of a case, oldest first."""
    return queries.list_notes(case_id, **query)


@blp.route("/<case_id>/notes", methods=["POST"])
@guarded(Permission.CASES_WORK)
@blp.arguments(schemas.CaseNoteDraft)
@blp.response(201, schemas.CaseNoteView)
def write_note(draft: dict[str, str], case_id: str) -> Any:
    """Write a note in a case, whatever its state; it can be neither changed nor removed."""
    with transaction():
        return service.write_note(actor(), case_id, draft["words"])


@blp.route("/<case_id>/assign", methods=["POST"])
@guarded(Permission.CASES_WORK)
@blp.arguments(schemas.Assignment)
@blp.response(200, schemas.CaseView)
def assign(chosen: dict[str, str], case_id: str) -> Any:
    """Make a case the work of a member of one's own organization, also in place of somebody else."""
    with transaction():
        member = identity.get_member(actor().organization_id, chosen["member_id"])
        return service.assign(actor(), case_id, member.id)


@blp.route("/<case_id>/close", methods=["POST"])
@guarded(Permission.CASES_WORK)
@blp.arguments(schemas.CaseClosing)
@blp.response(200, schemas.CaseView)
def close(closing: dict[str, str], case_id: str) -> Any:
    """Close a case that somebody has worked on, for a stated reason."""
    with transaction():
        return service.close(actor(), case_id, closing["reason"])
