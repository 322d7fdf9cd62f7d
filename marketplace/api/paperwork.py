"""Papers that are issued on demand: quotes, order papers, certificates of acceptance; and registration numbers."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import replay_mark
from marketplace.api.schemas import documents as schemas
from marketplace.billing.documents import queries
from marketplace.billing.documents.rules import Remark
from marketplace.exchange import paperwork
from marketplace.identity import queries as identity
from marketplace.identity import registrations
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("paperwork", "/v1", "Papers issued on demand.")


@blp.route("/quotes", methods=["POST"])
@guarded(Permission.QUOTES_ASK)
@blp.arguments(schemas.QuoteDraft)
@blp.response(201, schemas.DocumentView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def ask_quote(draft: dict[str, str]) -> Any:
    """Ask for a quote (見積書) over an offer, at its present version and price."""
    caller = actor()
    answer, replayed = once(draft, lambda: {"id": paperwork.quote(caller, draft["offer_id"]).id})
    return _issued(answer["id"], replayed=replayed)


@blp.route("/orders/<order_id>/papers", methods=["POST"])
@guarded(Permission.ORDERS_DOCUMENT)
@blp.response(201, schemas.OrderPapersView)
def issue_order_papers(order_id: str) -> Any:
    """Have the purchase order (注文書) and its acknowledgement (注文請書) issued; again gives the same."""
    with transaction():
        order, acknowledgement = paperwork.order_papers(actor(), order_id)
    return {"purchase_order": order, "order_acknowledgement": acknowledgement}


@blp.route("/grants/<grant_id>/inspection", methods=["POST"])
@guarded(Permission.GRANTS_INSPECT)
@blp.arguments(schemas.InspectionDraft)
@blp.response(201, schemas.DocumentView)
def inspect(draft: dict[str, str], grant_id: str) -> Any:
    """Certify that what a grant delivers was inspected and accepted (検収書); again gives the same."""
    japanese, english = draft.get("remark_ja"), draft.get("remark_en")
    remark = Remark(japanese or english or "", english or japanese or "") if draft else None
    with transaction():
        document = paperwork.inspection(actor(), grant_id, remark)
    return _issued(document.id, replayed=False)


@blp.route("/organizations/<organization_id>/registrations", methods=["POST"])
@guarded(Permission.REGISTRATION_RECORD)
@blp.arguments(schemas.RegistrationDraft)
@blp.response(201, schemas.RegistrationView)
def record_registration(draft: dict[str, Any], organization_id: str) -> Any:
    """Record when an invoice registration number (登録番号) is valid; the same first day again replaces it."""
    with transaction():
        row = registrations.record_registration(actor(), organization_id, **draft)
        return created(row, f"/v1/organizations/{organization_id}/registrations")


@blp.route("/organizations/<organization_id>/registrations")
@guarded(Permission.ORGANIZATION_READ_OWN)
@blp.response(200, schemas.RegistrationView(many=True))
def list_registrations(organization_id: str) -> Any:
    """List when which registration number is valid; empty while the declared number counts."""
    own = actor().organization_id if organization_id == "me" else organization_id
    organization = identity.get_visible_organization(actor(), own)
    return identity.list_registrations(organization.id)


def _issued(document_id: str, *, replayed: bool) -> Any:
    document = queries.get_document(actor(), document_id)
    return created(document, f"/v1/documents/{document.id}", **replay_mark(replayed))
