"""People who sign in, looked after from the machine: shut out, or signed out everywhere (OWASP ASVS V7.4.5)."""

import click

from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.identity.login import account, sessions
from marketplace.identity.login import people as directory
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction


@click.group()
def people() -> None:
    """Shut people out, or sign them out everywhere."""


@people.command("disable")
@click.argument("email")
@pass_composition
def disable(composition: Composition, email: str) -> None:
    """Shut somebody out at once and for good, with all that programs hold by their consent."""
    with application(composition), transaction():
        account.disable(_id_of(email))
    click.echo("shut out")


@people.command("sign-out")
@click.argument("email")
@pass_composition
def sign_out(composition: Composition, email: str) -> None:
    """End all sessions of somebody, and all that programs hold by their consent; they may sign in again."""
    with application(composition), transaction():
        sessions.revoke_all(_id_of(email))
    click.echo("signed out everywhere")


def _id_of(email: str) -> str:
    person = directory.find_by_email(email)
    if person is None:
        raise NotFound(f"Nobody signs in with {email}.")
    return person.id


COMMANDS = (people,)
