"""Verifying and exporting the record from the machine itself."""

import sys
from pathlib import Path

import click

from marketplace.audit import exports, queries, sequencer, verification
from marketplace.cli.composition import Composition, application, pass_composition

FORMATS = {"csv": exports.as_csv, "ndjson": exports.as_ndjson}


@click.group()
def audit() -> None:
    """Verify or export the record of every deed."""


@audit.command()
@click.option("--size", type=int, help="tree size noted earlier")
@click.option("--root", help="root hash noted earlier for that size, in hex")
@pass_composition
def verify(composition: Composition, size: int | None, root: str | None) -> None:
    """Recompute the record and name what is wrong; exits 1 when something is."""
    if (size is None) != (root is None):
        raise click.UsageError("--size and --root go together")
    with application(composition):
        sequencer.sequence_all()
        verdict = verification.verify((size, root) if size is not None and root is not None else None)
    for finding in verdict.findings:
        place = "-" if finding.position is None else finding.position
        click.echo(f"WRONG leaf {place} entry {finding.entry_id or '-'}: {finding.trouble}")
    click.echo(f"{verdict.size} entries, root {verdict.root}")
    if not verdict.sound:
        sys.exit(f"the record is not sound: {len(verdict.findings)} findings")
    click.echo("the record is sound")


@audit.command()
@click.option("--format", "form", type=click.Choice(sorted(FORMATS)), default="ndjson", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@pass_composition
def export(composition: Composition, form: str, out: Path) -> None:
    """Write every entry of the record to a file."""
    try:
        with application(composition), out.open("wb") as file:
            for piece in FORMATS[form](queries.all_entries(queries.Search())):
                file.write(piece)
    except OSError as error:
        raise click.FileError(str(out), error.strerror) from error
    click.echo(f"wrote {out}")


COMMANDS = (audit,)
