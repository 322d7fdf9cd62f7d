"""The root of the marketplace command."""

from typing import Any

import click

from marketplace import __version__
from marketplace.cli import (
    applications,
    audit,
    balance,
    bank,
    delivery,
    demo,
    doctor,
    harvest,
    keys,
    ledger,
    mail,
    market,
    payouts,
    people,
    permissions,
    reports,
    serve,
    simulate,
    tracing,
)
from marketplace.cli.composition import Composition
from marketplace.client import entry as client
from marketplace.kit.errors import Refusal


class RefusingGroup(click.Group):
    """A group whose commands end with what is wrong, and how to mend it, where the exchange refuses."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a refusal becomes an error of the command line, with exit code 1."""
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(told(refusal)) from refusal


def told(refusal: Refusal) -> str:
    """Return a refusal as lines for a terminal: what is wrong, where, with which facts, and what to do."""
    faults = [f"  {error['pointer'].strip('/')}: {error['detail']}" for error in refusal.errors]
    facts = [f"  {name}: {_words(one)}" for name, value in refusal.members.items() for one in _each(value)]
    return "\n".join([refusal.detail, *faults, *facts, refusal.cure])


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _words(value: Any) -> str:
    return ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, dict) else str(value)


def build(composition: Composition) -> click.Group:
    """Return the command on top of a composition; the composition root calls this."""

    @click.group(cls=RefusingGroup, context_settings={"help_option_names": ["-h", "--help"], "obj": composition})
    @click.version_option(__version__)
    def marketplace() -> None:
        """Run a data exchange: list, license, sell, deliver, meter and audit data."""

    groups = (
        bank,
        payouts,
        ledger,
        audit,
        balance,
        mail,
        people,
        applications,
        permissions,
        keys,
        delivery,
        tracing,
        harvest,
    )
    for module in (serve, doctor, market, *groups, reports, demo, simulate):
        for command in module.COMMANDS:
            marketplace.add_command(command)
    for command in client.COMMANDS:
        marketplace.add_command(command)
    return marketplace
