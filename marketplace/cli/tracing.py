"""Telling from a leaked file whose copy it was."""

from pathlib import Path

import click

from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.delivery.tracing.reading import BYTES_MAX, NoTable
from marketplace.exchange import tracing
from marketplace.exchange.tracing import Outcome, Suspect


@click.group()
def trace() -> None:
    """Trace what has leaked."""


@trace.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dataset", "dataset_id", metavar="ID", help="compare with its copies alone; with all when absent")
@pass_composition
def leak(composition: Composition, file: Path, dataset_id: str | None) -> None:
    """Name the grants of whose copy FILE is a part, or nobody; docs/leak-tracing.md tells how sure that is."""
    try:
        with file.open("rb") as opened:
            content = opened.read(BYTES_MAX)
        with application(composition):
            outcome = tracing.trace(content, dataset_id)
    except OSError as error:
        raise click.FileError(str(file), error.strerror) from error
    except NoTable as reason:
        raise click.ClickException(f"{file} is no table that can be compared: {reason}") from reason
    _tell(outcome)


def _tell(outcome: Outcome) -> None:
    click.echo(f"{outcome.rows} rows are those of traced data; {outcome.comparisons} comparisons")
    for suspect in outcome.named:
        click.echo(f"NAMED {_told(suspect)}")
    if not outcome.named:
        click.echo("undecided: this file names nobody")
        if outcome.closest is not None:
            click.echo(f"closest, which is no evidence: {_told(outcome.closest)}")


def _told(suspect: Suspect) -> str:
    score = suspect.score
    odds = score.chance.denominator // max(score.chance.numerator, 1)
    return (
        f"{suspect.grant_id} by {suspect.method}: {score.hits} of {score.of};"
        f" by chance 1 in {_rough(odds)}; data sha256 {suspect.source_sha256}"
    )


def _rough(odds: int) -> str:
    digits = str(odds)
    return digits if len(digits) <= 6 else f"10^{len(digits) - 1}"


COMMANDS = (trace,)
