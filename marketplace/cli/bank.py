"""Bank transfers on the command line: taking in statements, adding virtual accounts, looking at what is in suspense."""

from pathlib import Path

import click

from marketplace.billing.bank import accounts, queries
from marketplace.billing.bank.states import BankLineState
from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.exchange import banking
from marketplace.identity.actors import SYSTEM
from marketplace.kit.transaction import transaction

NUMBERS_MAX = 100_000


@click.group()
def bank() -> None:
    """Look after bank transfers."""


@bank.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@pass_composition
def import_file(composition: Composition, file: Path) -> None:
    """Take in the incoming transfers of a bank's CSV; a line that was taken in before is left alone."""
    content = file.read_bytes()
    with application(composition):
        done = banking.import_statement(SYSTEM, content)
    click.echo(f"{done.matched} paid invoices, {done.unapplied} wait for an invoice, {done.suspense} lie in suspense")
    click.echo(f"{done.yen:,} yen new; {done.known} lines were known already")


@bank.command("accounts")
@click.option("--branch", required=True, help="three digits of the branch")
@click.option("--first", required=True, help="seven digits of the first account")
@click.option("--count", type=click.IntRange(1, NUMBERS_MAX), default=1, show_default=True)
@pass_composition
def add_accounts(composition: Composition, branch: str, first: str, count: int) -> None:
    """Add a run of virtual accounts of the bank to the pool; buyers get the lowest free one."""
    if not (branch.isascii() and branch.isdigit() and len(branch) == queries.BRANCH_DIGITS):
        raise click.BadParameter("three digits", param_hint="--branch")
    if not (first.isascii() and first.isdigit() and len(first) == queries.ACCOUNT_DIGITS):
        raise click.BadParameter("seven digits", param_hint="--first")
    if int(first) + count > 10**queries.ACCOUNT_DIGITS:
        raise click.BadParameter("the run goes beyond 9999999", param_hint="--count")
    numbers = [f"{branch}{number:07d}" for number in range(int(first), int(first) + count)]
    with application(composition), transaction():
        added = accounts.add(numbers)
        click.echo(f"{added} new; {queries.count_free_accounts()} are free")


@bank.command("suspense")
@pass_composition
def suspense(composition: Composition) -> None:
    """List the transfers that nobody was named for, newest first."""
    with application(composition):
        for line in queries.list_lines(size=100, state=BankLineState.SUSPENSE).items:
            hint = f", came from {line.hint_organization_id} before" if line.hint_organization_id else ""
            click.echo(f"{line.id} {line.booked_on} {line.amount_yen:,} yen {line.payer} {line.reference}{hint}")


COMMANDS = (bank,)
