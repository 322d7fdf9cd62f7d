"""Tracing a trade from end to end, and telling from a leaked file whose copy it was."""

import sys
from pathlib import Path

import click
import orjson

from marketplace.api.schemas.traces import TraceView
from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.delivery.tracing.reading import BYTES_MAX, NoTable
from marketplace.exchange import tracing, trail
from marketplace.exchange.tracing import Outcome, Suspect
from marketplace.exchange.trail import Trace, Trail
from marketplace.exchange.trail_nodes import Gap, Node
from marketplace.kit.clock import JST
from marketplace.kit.transaction import transaction

AT_ONCE = 100


class TracingGroup(click.Group):
    """A group in which whatever is no command is the id of something that was traded."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named, or the one that traces what is named instead."""
        return super().resolve_command(ctx, args if args[0] in self.commands else [trade.name or "", *args])


@click.group(cls=TracingGroup, subcommand_metavar="ID | COMMAND [ARGS]...")
def trace() -> None:
    """Trace a trade by the ID of any of its things, or whose copy has leaked.

    An ID is the hash of terms, the number of a ledger transaction, or the id of anything else: acceptance, order,
    payment, invoice, document, grant, delivery, usage event, refund, dispute, payout, entry of the record.
    """


@trace.command(name="trade")
@click.argument("traced_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="print what GET /v1/traces/ID answers")
@click.option("--cursor", help="next_cursor of the page before: of its deliveries, or of the trades that share ID")
@pass_composition
def trade(composition: Composition, traced_id: str, as_json: bool, cursor: str | None) -> None:
    """Show the trade of ID from end to end; exits 1 when a link is missing. COMMAND may be left out."""
    with application(composition), transaction():
        found = trail.trace(trail.MACHINE, traced_id, cursor, AT_ONCE)
    if as_json:
        click.echo(orjson.dumps(TraceView().dump(found), option=orjson.OPT_INDENT_2))
    else:
        _tell_trace(found)
    if found.trail and not found.trail.closes:
        sys.exit(f"the trail does not close: {len(found.trail.missing)} links are missing")


def _tell_trace(found: Trace) -> None:
    if found.trail is not None:
        _tell_trail(found.trail)
        return
    click.echo(f"{found.asked} を共有する取引 / trades that share it; trace one of them:")
    for one in found.trades.items:
        click.echo(f"  {one.order_id}  {one.state or '-'}  {one.amount_gross_yen or 0:,} yen")
    _tell_more(found.trades.next_cursor)


def _tell_trail(told: Trail) -> None:
    click.echo(f"取引 Trade {told.order_id}")
    for node in told.nodes:
        click.echo(_line(node))
    click.echo(f"配信 Deliveries: {told.deliveries.count}")
    _tell_more(told.deliveries.next_cursor)
    for gap in told.missing:
        click.echo(_missing(gap))
    if told.closes:
        click.echo("欠けているものはありません / the trail closes")


def _tell_more(next_cursor: str | None) -> None:
    if next_cursor:
        click.echo(f"続き / more: --cursor {next_cursor}")


def _line(node: Node) -> str:
    amounts = " ".join(f"{name}={value:,}" for name, value in node.amounts.items())
    places = ",".join("-" if one.position is None else str(one.position) for one in node.entries)
    at = f"{node.at.astimezone(JST):%Y-%m-%d %H:%M:%S}"
    said = (at, f"{node.kind.ja} {node.kind.en}", node.id, node.state, amounts, f"記録 record [{places}]")
    return "  ".join(part for part in said if part)


def _missing(gap: Gap) -> str:
    return (
        f"MISSING {gap.missing.ja} {gap.missing.en} ({gap.name})"
        f" — {gap.kind.ja} {gap.kind.en} {gap.id} にあるべきもの / which it must have"
    )


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
