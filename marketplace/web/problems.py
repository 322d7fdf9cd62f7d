"""Problems for people: a page for each refusal, where the ``type`` of a problem leads, and pages for failures."""

from flask import Response

from marketplace.identity.permissions import Permission
from marketplace.kit.errors import NotFound, Refusal, all_refusals
from marketplace.web.endpoint import blueprint, guarded
from marketplace.web.rendering import render

blp = blueprint("problems")


@blp.get("/problems")
@guarded(Permission.SYSTEM_READ)
def list_problems() -> Response:
    """List every refusal there is."""
    return render("problems.html", refusals=all_refusals())


@blp.get("/problems/<slug>")
@guarded(Permission.SYSTEM_READ)
def show(slug: str) -> Response:
    """Explain one refusal: what it means, why it comes, how to get rid of it."""
    refusal = all_refusals().get(slug)
    if refusal is None:
        raise NotFound
    return render("problem.html", refusal=refusal)


def answer(refusal: Refusal) -> Response:
    """Return the page of a failure for somebody in a browser."""
    return render("failure.html", status=refusal.status, refusal=refusal)
