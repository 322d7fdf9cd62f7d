"""Writing the annual report from the machine itself."""

from pathlib import Path
from typing import Any

import click

from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.disclosure import queries, service
from marketplace.disclosure.annual import pdf, publishing
from marketplace.disclosure.annual.report import compile_report
from marketplace.kit.transaction import transaction
from marketplace.web import reports


@click.group()
def report() -> None:
    """Write reports for the assembly and the public."""


@report.command()
@click.option("--year", type=click.IntRange(2000, 9999), required=True, help="calendar year in Japan")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="folder to write into")
@click.option("--full", is_flag=True, help="every figure, for the operator and the city's auditors alone")
@pass_composition
def annual(composition: Composition, year: int, out: Path, full: bool) -> None:
    """Write the report on the five principles as HTML and PDF, Japanese first and English beside it."""
    name = f"annual-{year}{'-full' if full else ''}"
    with application(composition):
        document, is_over = _report(year, full=full)
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{name}.html").write_text(reports.as_file(document), encoding="utf-8")
            (out / f"{name}.pdf").write_bytes(pdf.render(document))
        except OSError as error:
            raise click.FileError(str(out), error.strerror) from error
    click.echo(f"wrote {out / name}.html and .pdf")
    if not full and not is_over:
        click.echo("the register has not published all of this year: what you wrote is a draft, keep it to yourself")


@report.command()
@pass_composition
def register(composition: Composition) -> None:
    """Publish the months of the public register whose time has come, as the night's job does."""
    with application(composition):
        service.publish_due()
        months = [month.month for month in queries.list_months()]
    click.echo(f"published so far: {', '.join(months) or 'nothing'}")


def _report(year: int, *, full: bool) -> tuple[dict[str, Any], bool]:
    """Return the report, the published one where the public has it, and whether its year is closed."""
    with transaction():
        kept = queries.find_report(year)
        if kept is not None and kept.published is not None and not full:
            return kept.published, True
        return compile_report(year)[0 if full else 1], publishing.is_over(year)


COMMANDS = (report,)
