"""Annual reports on the five principles: the public version for everybody, every figure for operator and auditor."""

from typing import Any

from flask import Response

from marketplace.api.endpoint import blueprint, guarded
from marketplace.api.schemas import reports as schemas
from marketplace.disclosure import queries
from marketplace.disclosure.annual import pdf
from marketplace.identity.permissions import Permission

blp = blueprint("reports", "/v1/annual-reports", "The exchange measured by the five smart-city principles.")
PDF = "application/pdf"
ON_PAPER = {200: {"description": "A4 pages", "content": {PDF: {}}}}


@blp.route("")
@guarded(Permission.REGISTER_READ)
@blp.response(200, schemas.AnnualReportsView)
def list_years() -> dict[str, Any]:
    """List the years of which there is a public report."""
    return {"years": queries.list_published_years()}


@blp.route("/<int:year>")
@guarded(Permission.REGISTER_READ)
@blp.response(200, schemas.AnnualReportView)
def read(year: int) -> Any:
    """Read the public report on a year, with small numbers hidden. It never changes."""
    return queries.get_published_report(year)


@blp.route("/<int:year>.pdf")
@guarded(Permission.REGISTER_READ)
@blp.doc(responses=ON_PAPER)
def read_pdf(year: int) -> Response:
    """Fetch the public report as PDF; the bytes are the same each time."""
    return _paper(queries.get_published_report(year), f"annual-{year}.pdf")


@blp.route("/<int:year>/full")
@guarded(Permission.REPORTS_READ)
@blp.response(200, schemas.AnnualReportView)
def read_full(year: int) -> Any:
    """Read the report with every figure, as it was counted last; the running year is counted every night."""
    return queries.get_report(year).document


@blp.route("/<int:year>/full.pdf")
@guarded(Permission.REPORTS_READ)
@blp.doc(responses=ON_PAPER)
def read_full_pdf(year: int) -> Response:
    """Fetch the report with every figure as PDF."""
    return _paper(queries.get_report(year).document, f"annual-{year}-full.pdf")


def _paper(document: dict[str, Any], name: str) -> Response:
    answer = Response(pdf.render(document), mimetype=PDF)
    answer.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return answer
