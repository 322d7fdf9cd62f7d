"""Verifying, exporting and adopting the record from the machine itself."""

import sys
from pathlib import Path
from typing import BinaryIO

import click

from marketplace.audit import checkpoints, exports, log_keys, queries, sequencer, service, verification
from marketplace.audit.verbs import Verb
from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.exchange import adopting, archiving, witnessing
from marketplace.exchange.witnessing import Outcome
from marketplace.identity.actors import SYSTEM
from marketplace.kit import notes
from marketplace.kit.notes import VerifierKey
from marketplace.kit.transaction import transaction

ARCHIVE = "archive"
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
@click.option(
    "--format", "form", type=click.Choice([ARCHIVE, *sorted(FORMATS)]), default=ARCHIVE, show_default=True,
    help="an archive that verify_audit.py verifies by itself, or the entries alone",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@pass_composition
def export(composition: Composition, form: str, out: Path) -> None:
    """Write the record to a file."""
    try:
        with application(composition), out.open("wb") as file:
            if form == ARCHIVE:
                _archive(file)
            else:
                for piece in FORMATS[form](queries.all_entries(queries.Search())):
                    file.write(piece)
    except OSError as error:
        raise click.FileError(str(out), error.strerror) from error
    click.echo(f"wrote {out}")


def _archive(file: BinaryIO) -> None:
    sequencer.sequence_all()
    with transaction():
        checkpoints.publish()
    with transaction():
        archived = archiving.archive(file)
    waiting = f", {archived.pending} wait for a signature" if archived.pending else ""
    click.echo(f"{archived.size} entries, root {archived.root}{waiting}")


def _read_keys(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[VerifierKey, ...]:
    try:
        return tuple(map(notes.read_key, given))
    except notes.BadKey as error:
        raise click.BadParameter(str(error)) from error


@audit.command()
@click.argument("archive", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--key", "keys", callback=_read_keys, multiple=True, required=True, metavar="VKEY",
    help="a key of the former log, as you heard of it elsewhere; once for each that has signed",
)  # fmt: skip
@pass_composition
def adopt(composition: Composition, archive: Path, keys: tuple[VerifierKey, ...]) -> None:
    """Verify the archive of another operator's record and take it over, with its proofs."""
    try:
        with application(composition), transaction():
            record, is_new = adopting.adopt(archive, keys)
            told = f"{record.id}: {record.size} entries of {record.origin}, root {record.root.hex()}"
    except OSError as error:
        raise click.FileError(str(archive), error.strerror) from error
    click.echo(f"{'adopted' if is_new else 'was adopted before'} {told}")


@audit.command()
@pass_composition
def feed(composition: Composition) -> None:
    """Show every witness the newest checkpoint now, as happens every minute; exits 1 where one does not sign."""
    with application(composition):
        outcomes = witnessing.feed()
    for name, outcome in outcomes.items():
        click.echo(f"{name}: {outcome}")
    if not outcomes:
        sys.exit("no witnesses: set MARKETPLACE_LOG_WITNESSES")
    if any(outcome in {Outcome.REFUSED, Outcome.UNREACHABLE} for outcome in outcomes.values()):
        sys.exit("not all witnesses have signed")


@audit.group()
def keys() -> None:
    """Show and replace the keys that sign the record."""


@keys.command(name="list")
@pass_composition
def list_keys(composition: Composition) -> None:
    """Print the keys that sign now, the newest first, as others give them to their verifiers. Publish them."""
    with application(composition):
        for key in log_keys.verifiers():
            click.echo(key.text)


@keys.command()
@pass_composition
def rotate(composition: Composition) -> None:
    """Sign with a new key beside the old ones from now on."""
    with application(composition), transaction():
        key = log_keys.rotate()
        service.record(SYSTEM, Verb.LOG_KEY_ADDED, subject=SYSTEM.organization_id, facts={"vkey": key.text})
    click.echo(key.text)


@keys.command()
@pass_composition
def prune(composition: Composition) -> None:
    """Sign with the newest key alone, when everybody knows it."""
    with application(composition), transaction():
        dropped = log_keys.prune()
        for key in dropped:
            service.record(SYSTEM, Verb.LOG_KEY_DROPPED, subject=SYSTEM.organization_id, facts={"vkey": key.text})
    for key in dropped:
        click.echo(f"dropped {key.text}")


COMMANDS = (audit,)
