"""The commands of a client by themselves: they start without the exchange, its database and its settings."""

from collections.abc import Sequence
from typing import Any

import click

from marketplace.client import fetching, providing, shopping, signing, verifying
from marketplace.client.options import be_printable
from marketplace.witness import commands as witness

COMMANDS = (
    *signing.COMMANDS,
    *shopping.COMMANDS,
    *fetching.COMMANDS,
    *providing.COMMANDS,
    *verifying.COMMANDS,
    *witness.COMMANDS,
)
NAMES = frozenset(str(command.name) for command in COMMANDS)


def is_meant(arguments: Sequence[str]) -> bool:
    """Tell whether a command line names a command of a client."""
    return bool(arguments) and arguments[0] in NAMES


def group() -> click.Group:
    """Return the command with those of a client alone."""
    settings = {"help_option_names": ["-h", "--help"]}
    return click.Group("marketplace", commands=list(COMMANDS), context_settings=settings)


def main(**given: Any) -> None:
    """Run a client's command."""
    be_printable()
    group()(**given)
