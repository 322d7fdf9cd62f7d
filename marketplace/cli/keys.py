"""The keys that sign access tokens, from the machine itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.identity.oauth import keys as signing_keys
from marketplace.identity.oauth.keys import KeysInUse, SigningKeyUnusable


@click.group()
def keys() -> None:
    """Show, replace or drop the keys that sign access tokens."""


@keys.command(name="list")
@pass_composition
def show(composition: Composition) -> None:
    """Name the keys: the first signs, the others still verify."""
    with application(composition), _told():
        ring = signing_keys.current()
        click.echo(f"{ring.signing.kid} signs")
        for key in ring.retired:
            click.echo(f"{key.kid} verifies")


@keys.command()
@pass_composition
def rotate(composition: Composition) -> None:
    """Sign with a new key from now on; running servers take it up with the next token."""
    with application(composition), _told():
        click.echo(f"{signing_keys.rotate().kid} signs from now on")


@keys.command()
@pass_composition
def prune(composition: Composition) -> None:
    """Drop the keys that sign no more, an hour after they were replaced."""
    with application(composition), _told():
        dropped = signing_keys.prune()
        for kid in dropped:
            click.echo(f"{kid} dropped")
        if not dropped:
            click.echo("there is one key, which signs")


@contextmanager
def _told() -> Iterator[None]:
    """End a command with what is wrong with the keys."""
    try:
        yield
    except (KeysInUse, SigningKeyUnusable) as trouble:
        raise click.ClickException(str(trouble)) from trouble


COMMANDS = (keys,)
