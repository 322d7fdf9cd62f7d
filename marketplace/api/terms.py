"""Usage terms: written once, named by their hash, rendered for people and machines."""

from typing import Any

from flask import Response

from marketplace.api.endpoint import actor, blueprint, created, guarded, pointing, visitor
from marketplace.api.schemas import trade as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.exchange import discovery
from marketplace.identity.permissions import Permission
from marketplace.kit import settings
from marketplace.kit.transaction import transaction
from marketplace.licensing import policy, queries, rules, service
from marketplace.licensing.templates import TEMPLATES

blp = blueprint("terms", "/v1/terms", "Usage terms: the 15 trading-policy items of CADDE 4.0.")


@blp.route("", methods=["POST"])
@guarded(Permission.LICENSING_WRITE)
@blp.arguments(schemas.TermsDraft)
@blp.response(201, schemas.TermsView)
def write(draft: dict[str, Any]) -> Any:
    """Write terms from a template, with `items` changed where given. They can never be altered."""
    document = dict(draft.get("items", {}))
    if "template" in draft:
        document["template"] = draft["template"]
    with pointing(_in_request), transaction():
        terms = service.write_terms(actor(), rules.TermsDraft(document, draft.get("title_ja"), draft.get("title_en")))
        return created(terms, f"/v1/terms/{terms.id}")


@blp.route("")
@guarded(Permission.LICENSING_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.TermsPage)
def list_terms(query: dict[str, Any]) -> Any:
    """List the terms that one's organization has written, newest first; overseers see all."""
    return queries.list_terms(actor(), **query)


@blp.route("/templates")
@guarded(Permission.CATALOG_READ)
@blp.response(200)
def list_templates() -> dict[str, Any]:
    """List the templates with their items."""
    return {
        "items": [
            {"template": template.value, "title_ja": template.ja, "title_en": template.en}
            | {"document": rules.terms_document(items)}
            for template, items in TEMPLATES.items()
        ]
    }


@blp.route("/<identifier>")
@guarded(Permission.CATALOG_READ)
@blp.response(200, schemas.RenderedTermsView)
def read(identifier: str) -> dict[str, Any]:
    """Read terms by id or by hash, as data, as Japanese, as English and as ODRL."""
    terms = discovery.read_terms(visitor(), identifier)
    items = queries.usage_terms(terms)
    names = ("id", "organization_id", "title_ja", "title_en", "template", "document", "sha256", "created_at")
    return {name: getattr(terms, name) for name in names} | {
        "text_ja": policy.to_japanese(items),
        "text_en": policy.to_english(items),
        "odrl": _odrl(terms),
    }


@blp.route("/<identifier>/odrl")
@guarded(Permission.CATALOG_READ)
@blp.response(200)
@blp.doc(responses={200: {"description": "ODRL 2.2 policy", "content": {"application/ld+json": {}}}})
def read_odrl(identifier: str) -> Response:
    """Read terms as an ODRL 2.2 policy in JSON-LD."""
    import orjson

    return Response(
        orjson.dumps(_odrl(discovery.read_terms(visitor(), identifier))), content_type="application/ld+json"
    )


def _in_request(pointer: str) -> str:
    return pointer if pointer.startswith(("/template", "/title_")) else f"/items{pointer}"


def _odrl(terms: Any) -> dict[str, Any]:
    # Not from the request: whoever sends another Host must not get another policy under our name.
    uid = f"{settings.current().base_url}/v1/terms/{terms.sha256}"
    return policy.to_odrl(queries.usage_terms(terms), uid=uid, assigner=terms.organization_id)
