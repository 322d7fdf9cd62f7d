"""Mail that waits, read on the machine itself: where no mail server is set, its links are taken from here."""

import click

from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.kit import mail as outbox


@click.group()
def mail() -> None:
    """Read the mail that was not sent."""


@mail.command("list")
@pass_composition
def list_(composition: Composition) -> None:
    """Print each message that waits, oldest first."""
    with application(composition):
        for message in outbox.list_waiting():
            trouble = f"  ({message.attempts} attempts, {message.last_trouble})" if message.attempts else ""
            click.echo(f"{message.id}  {message.created_at:%Y-%m-%d %H:%M}  to {message.recipient}{trouble}")
            click.echo(f"  {message.subject}")
            click.echo("".join(f"  {line}\n" for line in message.body.splitlines()))


COMMANDS = (mail,)
