"""Verifying, exporting and adopting the record from the machine itself."""

import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

import click

from marketplace.audit import (
    blocks,
    checkpoints,
    exports,
    indexing,
    log_keys,
    parquet,
    queries,
    sequencer,
    service,
    verification,
)  # fmt: skip
from marketplace.audit.adopted import verification as adopted_verification
from marketplace.audit.errors import LogForked, LogKeyUnusable
from marketplace.audit.verbs import Verb
from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.exchange import adopting, archiving, witnessing
from marketplace.exchange.witnessing import Outcome
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, notes
from marketplace.kit.notes import VerifierKey
from marketplace.kit.transaction import transaction

ARCHIVE = "archive"
FORMATS = {"csv": exports.as_csv, "ndjson": exports.as_ndjson, "parquet": parquet.as_parquet}


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
        if sequencer.is_allowed():
            with suppress(LogForked):  # what is wrong with the tree is about to be named
                sequencer.sequence_all()
        verdict = verification.verify((size, root) if size is not None and root is not None else None)
        findings = verdict.findings + adopted_verification.verify()
    for finding in findings:
        place = "-" if finding.position is None else finding.position
        click.echo(f"WRONG leaf {place} entry {finding.entry_id or '-'}: {finding.trouble}")
    click.echo(f"{verdict.size} entries, root {verdict.root}")
    if findings:
        sys.exit(f"the record is not sound: {len(findings)} findings")
    click.echo("the record is sound")


@audit.command()
@click.option(
    "--format", "form", type=click.Choice([ARCHIVE, *sorted(FORMATS)]), default=ARCHIVE, show_default=True,
    help="an archive that verify_audit.py verifies by itself, or the entries alone",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@pass_composition
def export(composition: Composition, form: str, out: Path) -> None:
    """Write the record to a file; exits 1 where an archive ends at the last checkpoint since nothing more is signed."""
    is_signed = True
    try:
        with application(composition), _replaced(out) as file:
            if form == ARCHIVE:
                is_signed = _sign()
                _archive(file)
            else:
                for piece in FORMATS[form](queries.all_entries(queries.Search())):
                    file.write(piece)
    except OSError as error:
        raise click.FileError(str(out), error.strerror) from error
    click.echo(f"wrote {out}")
    if not is_signed:
        sys.exit("the archive ends where the record was signed last")


@contextmanager
def _replaced(out: Path) -> Iterator[BinaryIO]:
    """Open a draft that takes the place of a file once it is whole; what is no file, such as a pipe, is written to."""
    if out.exists() and not out.is_file():
        with out.open("wb") as pipe:
            yield pipe
        return
    whole = out.resolve()
    draft = whole.with_name(f"{whole.name}.{secrets.token_hex(8)}.part")  # its own: another may export to the same file
    try:
        with draft.open("xb") as file:
            yield file
        draft.replace(whole)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _sign() -> bool:
    """Sign the record; False where it must not be signed. A new log gets no key by being exported."""
    with transaction():
        is_ours = sequencer.is_allowed() and not log_keys.is_new()
    if not is_ours:
        return True
    try:
        sequencer.sequence_all()
        with transaction():
            checkpoints.publish()
    except (LogForked, LogKeyUnusable) as error:
        click.echo(f"the record is not signed any more: {error}", err=True)
        return False
    return True


def _archive(file: BinaryIO) -> None:
    with transaction():
        archived = archiving.archive(file)
    waiting = f", {archived.pending} wait for a signature" if archived.pending else ""
    click.echo(f"{archived.size} entries, root {archived.root}{waiting}")


def _read_keys(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> list[VerifierKey]:
    try:
        return [notes.read_key(key) for key in given]
    except notes.BadKey as error:
        raise click.BadParameter(str(error)) from error


@audit.command()
@click.argument("archive", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--key", "keys", callback=_read_keys, multiple=True, required=True, metavar="VKEY",
    help="a key of the former log, as you heard of it elsewhere; once for each that has signed",
)  # fmt: skip
@pass_composition
def adopt(composition: Composition, archive: Path, keys: list[VerifierKey]) -> None:
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
def index(composition: Composition) -> None:
    """Note now what lies where on the record, as happens every minute, so that searches are quick."""
    with application(composition):
        sequencer.sequence_all()
        indexing.index_all()
        known = blocks.known()
    click.echo(f"{known} entries are noted")


@audit.command()
@pass_composition
def feed(composition: Composition) -> None:
    """Show every witness the newest checkpoint now, as happens every minute; exits 1 where one does not sign."""
    with application(composition):
        outcomes, lapsed = witnessing.feed(), witnessing.lapsed_since()
    for name, outcome in outcomes.items():
        click.echo(f"{name}: {outcome}")
    if not outcomes:
        sys.exit("no witnesses: set MARKETPLACE_LOG_WITNESSES")
    if any(outcome in {Outcome.REFUSED, Outcome.UNREACHABLE} for outcome in outcomes.values()):
        sys.exit("not all witnesses have signed")
    if lapsed:
        sys.exit(f"too few witnesses have signed the record since {clock.text(lapsed)}")


@audit.group()
def keys() -> None:
    """Show and replace the keys that sign the record."""


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except LogKeyUnusable as error:
        raise click.ClickException(str(error)) from error


@keys.command(name="list")
@click.option("--all", "earlier", is_flag=True, help="then those that sign no more, as earlier checkpoints need")
@pass_composition
def list_keys(composition: Composition, earlier: bool) -> None:
    """Print the keys that sign now, the newest first, as others give them to their verifiers. Publish them."""
    with application(composition), _usable():
        signing = [key.text for key in log_keys.verifiers()]
        retired = [key.vkey for key in reversed(checkpoints.list_keys()) if key.vkey not in signing] if earlier else []
    for text in signing + retired:
        click.echo(text)


@keys.command()
@click.option("--lost", "is_lost", is_flag=True, help="alone, since the file of the earlier keys is lost for good")
@pass_composition
def rotate(composition: Composition, is_lost: bool) -> None:
    """Sign with a new key beside the old ones from now on."""
    with application(composition), _usable():
        key = log_keys.rotate(partial(_note_keys, Verb.LOG_KEY_ADDED), is_lost=is_lost)
    click.echo(key.text)


@keys.command()
@pass_composition
def prune(composition: Composition) -> None:
    """Sign with the newest key alone, when everybody knows it."""
    with application(composition), _usable():
        dropped = log_keys.prune(partial(_note_keys, Verb.LOG_KEY_DROPPED))
    for key in dropped:
        click.echo(f"dropped {key.text}")


def _note_keys(verb: Verb, noted: Sequence[VerifierKey]) -> None:
    with transaction():
        for key in noted:
            service.record(SYSTEM, verb, subject=SYSTEM.organization_id, facts={"vkey": key.text})


COMMANDS = (audit,)
