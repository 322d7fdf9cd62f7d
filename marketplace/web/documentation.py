"""The interface, readable: the OpenAPI description as a page."""

from flask import Response

from marketplace.identity.permissions import Permission
from marketplace.web import description
from marketplace.web.endpoint import blueprint, guarded
from marketplace.web.rendering import render

blp = blueprint("documentation")


@blp.get("/docs")
@guarded(Permission.SYSTEM_READ)
def show() -> Response:
    """Show every operation by subject, with its parameters, fields and permission."""
    return render("docs.html", described=description.current())
