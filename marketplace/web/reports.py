"""Annual reports, for people: as a page, and as a file that stands by itself."""

from typing import Any

from flask import Response, render_template

from marketplace.disclosure import queries
from marketplace.disclosure.annual import charts, words
from marketplace.disclosure.states import Principle
from marketplace.identity.permissions import Permission
from marketplace.web.endpoint import blueprint, guarded
from marketplace.web.rendering import render, render_private

blp = blueprint("reports")


@blp.get("/register/reports/<int:year>")
@guarded(Permission.REGISTER_READ)
def show(year: int) -> Response:
    """Show the public report on a year."""
    return render("report.html", **_shown(queries.get_published_report(year)))


@blp.get("/register/reports/<int:year>/full")
@guarded(Permission.REPORTS_READ)
def show_full(year: int) -> Response:
    """Show the report with every figure to operators and auditors."""
    return render_private("report.html", **_shown(queries.get_report(year).document))


def as_file(document: dict[str, Any]) -> str:
    """Return the report as one HTML file that needs nothing else."""
    return render_template("web/report_file.html", **_shown(document))


def _shown(document: dict[str, Any]) -> dict[str, Any]:
    return {"document": document, "principles": Principle, "words": words, "charts": charts}
