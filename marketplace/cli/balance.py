"""Looking after the payment gateway's balance from the machine itself."""

import click

from marketplace.billing.balance import queries
from marketplace.billing.balance.states import MovementState
from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.exchange import balance as story
from marketplace.kit.transaction import transaction


@click.group()
def balance() -> None:
    """Compare the payment gateway's balance with the ledger, movement by movement."""


@balance.command()
@pass_composition
def reconcile(composition: Composition) -> None:
    """Read what moved the balance and tie it to the ledger; may be run at any time, and twice."""
    with application(composition):
        ended = story.reconcile()
    for state in MovementState:
        click.echo(f"{state.value} {ended[state]}")


@balance.command("list")
@pass_composition
def list_unexplained(composition: Composition) -> None:
    """List the movements that the ledger cannot explain: waiting for their posting, or in Assets:Suspense."""
    with application(composition), transaction():
        for state in (MovementState.SUSPENSE, MovementState.WAITING):
            for one in queries.list_movements(size=100, state=state).items:
                click.echo(f"{state.value} {one.id} {one.type} {one.source_id} {one.net_minor} {one.currency}")


COMMANDS = (balance,)
