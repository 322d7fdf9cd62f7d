"""The root of the marketplace command."""

import click

from marketplace import __version__
from marketplace.cli import audit, demo, market, serve
from marketplace.cli.composition import Composition


def build(composition: Composition) -> click.Group:
    """Return the command on top of a composition; the composition root calls this."""

    @click.group(context_settings={"help_option_names": ["-h", "--help"], "obj": composition})
    @click.version_option(__version__)
    def marketplace() -> None:
        """Run a data exchange: list, license, sell, deliver, meter and audit data."""

    for module in (serve, market, audit, demo):
        for command in module.COMMANDS:
            marketplace.add_command(command)
    return marketplace
