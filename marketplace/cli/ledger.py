"""Checking and exporting the books from the machine itself."""

import sys
from pathlib import Path

import click

from marketplace.billing import ledger_exports
from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.exchange import bookkeeping
from marketplace.kit.transaction import transaction


@click.group()
def ledger() -> None:
    """Check or export the double-entry books."""


@ledger.command()
@pass_composition
def check(composition: Composition) -> None:
    """Check every invariant of the books and name what is wrong; exits 1 when something is."""
    with application(composition):
        findings = bookkeeping.check()
    for finding in findings:
        click.echo(f"WRONG {finding.invariant} {finding.subject}: {finding.trouble}")
    for program, installed in bookkeeping.programs().items():
        click.echo(f"{program}: {'asked' if installed else 'not installed, not asked'}")
    if findings:
        sys.exit(f"the books are not sound: {len(findings)} findings")
    click.echo("the books are sound")


@ledger.command()
@click.option("--format", "form", type=click.Choice(sorted(ledger_exports.FORMS)), required=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@pass_composition
def export(composition: Composition, form: str, out: Path) -> None:
    """Write the whole ledger for an accounting program, with the balances that it must arrive at."""
    try:
        with application(composition), transaction(), out.open("w", encoding="utf-8") as file:
            file.writelines(ledger_exports.export(ledger_exports.FORMS[form]))
    except OSError as error:
        raise click.FileError(str(out), error.strerror) from error
    click.echo(f"wrote {out}")


COMMANDS = (ledger,)
