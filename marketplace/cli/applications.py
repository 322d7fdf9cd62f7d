"""Applications, read on the machine itself: who waits for a yes or a no, and what the checks found."""

from collections.abc import Iterator

import click

from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.identity.joining import queries
from marketplace.identity.joining.queries import Shown
from marketplace.kit.pages import SIZE_MAX


@click.group()
def applications() -> None:
    """Look at the organizations that want to take part."""


@applications.command("list")
@pass_composition
def list_(composition: Composition) -> None:
    """Print each application that waits, newest first; approve it with the API (`…/verify`)."""
    with application(composition):
        for line in _lines():
            click.echo(line)


def _lines() -> Iterator[str]:
    cursor: str | None = None
    while True:
        page = queries.list_waiting(cursor=cursor, size=SIZE_MAX)
        for one in page.items:
            yield from _told(one)
        cursor = page.next_cursor
        if cursor is None:
            return


def _told(one: Shown) -> Iterator[str]:
    waiting = one.application
    risk = waiting.risk or "not assessed yet"
    yield f"{one.organization.id}  {risk} ({', '.join(waiting.grounds)})  {one.approvals} approvals"
    of = one.organization
    yield f"  {of.name_ja} / {of.name_en}  {of.corporate_number or 'no corporate number'}"
    yield f"  {waiting.contact_name} <{waiting.contact_email}>"
    for finding in one.findings:
        yield f"  {finding.register}: {finding.outcome}"


COMMANDS = (applications,)
