"""Looking after the payment gateway's balance from the machine itself."""

from typing import Any

import click

from marketplace.billing.balance import queries, service
from marketplace.billing.balance.states import MovementState
from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.exchange import balance as story
from marketplace.identity.actors import SYSTEM
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
                click.echo(_told(one))


@balance.command()
@click.argument("movement_id")
@click.option("--account", help="where it belongs, without a currency: Expenses:PaymentProcessing")
@click.option("--new-account", is_flag=True, help="nothing was ever booked on that account, and this is on purpose")
@click.option("--exchanged-for", "bought_id", help="the movement that brought yen for the money that this one took")
@pass_composition
def explain(
    composition: Composition, movement_id: str, account: str | None, new_account: bool, bought_id: str | None
) -> None:
    """Say what a movement in suspense was, once you have looked it up at the gateway.

    It is booked from Assets:Suspense to the account, or as an exchange together with the other movement.
    """
    if (account is None) == (bought_id is None):
        raise click.UsageError("Say either --account or --exchanged-for.")
    with application(composition), transaction():
        if account is not None:
            click.echo(_told(service.explain(SYSTEM, movement_id, account, is_new=new_account)))
        if bought_id is not None:
            for one in service.exchange(SYSTEM, movement_id, bought_id):
                click.echo(_told(one))


def _told(one: Any) -> str:
    return f"{one.state} {one.id} {one.type} {one.source_id} {one.net_minor} {one.currency}"


COMMANDS = (balance,)
