"""Looking after what others deliver for the exchange, and setting right what was counted."""

from dataclasses import replace
from typing import BinaryIO

import click

from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.exchange import correcting, redirecting
from marketplace.identity.actors import SYSTEM
from marketplace.identity.states import Capacity
from marketplace.kit.transaction import transaction
from marketplace.metering.corrections import Correction
from marketplace.metering.edge import Noted

OPERATING = replace(SYSTEM, capacities=frozenset({Capacity.OPERATOR}))
"""The exchange itself, seeing what its operator may see: who is at the machine."""


@click.group()
def delivery() -> None:
    """Look after deliveries: those that others carry out, and what was counted wrongly."""


@delivery.command("import-log")
@click.argument("files", metavar="FILE...", type=click.File("rb"), nargs=-1, required=True)
@pass_composition
def import_log(composition: Composition, files: tuple[BinaryIO, ...]) -> None:
    """Count what a bucket has sent, from its access logs; a file may be taken twice, and in any order.

    Exits 1 where a line contradicts one that was taken before under the same request id: the first one stands.
    """
    with application(composition):
        for file in files:
            counts = redirecting.import_log(file)
            click.echo(f"{file.name}: {', '.join(f'{counts[noted]} {noted}' for noted in Noted)}")
            if counts[Noted.CONTRADICTED]:
                raise click.ClickException("the log was changed: compare it with the bucket's")


@delivery.command()
@click.argument("delivery_id")
@click.option("--reference", required=True, help="yours; the same again under it changes nothing")
@click.option("--reason", required=True, help="for both parties to read")
@click.option("--bytes", "byte_count", type=int, default=0, help="to add, or below zero to take off")
@click.option("--rows", type=int, default=0)
@click.option("--requests", type=click.IntRange(-1, 1), default=0)
@click.option("--downloads", type=click.IntRange(-1, 1), default=0)
@pass_composition
def correct(
    composition: Composition,
    delivery_id: str,
    reference: str,
    reason: str,
    byte_count: int,
    rows: int,
    requests: int,
    downloads: int,
) -> None:
    """Correct the usage of a delivery beside what was counted; the next settlement bills the difference."""
    correction = Correction(reference, reason, byte_count, rows, requests, downloads)
    with application(composition), transaction():
        event = correcting.correct(OPERATING, delivery_id, correction)
        click.echo(f"{event.id} corrects {event.corrects_event_id}")


COMMANDS = (delivery,)
