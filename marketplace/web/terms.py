"""Usage terms for people: the templates, and any terms by their id or hash."""

from flask import Response

from marketplace.exchange import discovery
from marketplace.identity.permissions import Permission
from marketplace.licensing import policy, queries, rules
from marketplace.licensing.templates import TEMPLATES
from marketplace.web.endpoint import blueprint, guarded, reader
from marketplace.web.rendering import render

blp = blueprint("terms")


@blp.get("/terms")
@guarded(Permission.CATALOG_READ)
def list_templates() -> Response:
    """Show the templates that providers start from, in full."""
    templates = [
        {
            "template": template,
            "sha256": rules.terms_sha256(items),
            "text_ja": policy.to_japanese(items),
            "text_en": policy.to_english(items),
        }
        for template, items in TEMPLATES.items()
    ]
    return render("templates.html", templates=templates)


@blp.get("/terms/<identifier>")
@guarded(Permission.CATALOG_READ)
def show(identifier: str) -> Response:
    """Show terms as Japanese and English text, with the hash that names them."""
    terms = discovery.read_terms(reader(), identifier)
    items = queries.usage_terms(terms)
    return render("terms.html", terms=terms, text_ja=policy.to_japanese(items), text_en=policy.to_english(items))
