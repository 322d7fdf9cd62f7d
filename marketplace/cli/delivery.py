"""Looking after what others deliver for the exchange."""

from typing import BinaryIO

import click

from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.exchange import redirecting
from marketplace.metering.edge import Noted


@click.group()
def delivery() -> None:
    """Look after deliveries that are not the exchange's own."""


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


COMMANDS = (delivery,)
