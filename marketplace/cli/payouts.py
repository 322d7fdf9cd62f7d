"""Payouts on the command line: what is payable, drawing, approving, the file for the bank, and what became of it."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from marketplace.billing.payouts import queries, service
from marketplace.billing.payouts.states import PayoutState
from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.exchange import payout as story
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.states import Capacity
from marketplace.kit import clock
from marketplace.kit.transaction import transaction

ENCODING = "cp932"
SHOWN = 100
# The terminal is one person, and sees what the operator sees.
TERMINAL = Actor(SYSTEM.organization_id, capacities=frozenset({Capacity.OPERATOR}))
DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def payouts() -> None:
    """Pay providers what they earned."""


@payouts.command()
@pass_composition
def payable(composition: Composition) -> None:
    """List what every provider may draw, owes, and has pending."""
    with application(composition):
        for one in queries.payables(TERMINAL):
            owed = f", of which {one.offset_yen:,} commission is taken off" if one.offset_yen else ""
            click.echo(f"{one.organization_id} {one.amount_yen:,} yen{owed}; {one.pending_yen:,} pending")


@payouts.command("list")
@click.option("--state", type=click.Choice([state.value for state in PayoutState]))
@pass_composition
def list_payouts(composition: Composition, state: str | None) -> None:
    """List payouts, newest first."""
    with application(composition):
        found = queries.list_payouts(TERMINAL, size=SHOWN, state=PayoutState(state) if state else None)
        for one in found.items:
            click.echo(_told(one))


@payouts.command()
@click.option("--organization", help="this provider alone; everyone who may draw enough when absent")
@pass_composition
def draw(composition: Composition, organization: str | None) -> None:
    """Draw what providers may draw; nobody has approved it with that."""
    with application(composition), transaction():
        for one in [service.draw(SYSTEM, organization)] if organization else story.draw_all(SYSTEM):
            click.echo(_told(one))


@payouts.command()
@click.argument("organization")
@pass_composition
def claim(composition: Composition, organization: str) -> None:
    """Claim what a provider owes beyond what it earned, with a commission invoice."""
    with application(composition), transaction():
        click.echo(_told(story.claim(SYSTEM, organization)))


@payouts.command()
@click.argument("payout_id")
@pass_composition
def approve(composition: Composition, payout_id: str) -> None:
    """Approve a payout; the terminal is one person, whoever sits at it."""
    with application(composition), transaction():
        click.echo(_told(service.approve(SYSTEM, payout_id)))


@payouts.command()
@click.argument("payout_id")
@pass_composition
def cancel(composition: Composition, payout_id: str) -> None:
    """Call off a payout that nobody has sent."""
    with application(composition), transaction():
        click.echo(_told(service.cancel(SYSTEM, payout_id)))


@payouts.command("file")
@click.option("--on", type=DAY, help="the day on which the bank is to transfer; today when absent")
@click.option("--again", help="the id of a file made before, instead of a new one")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@pass_composition
def write_file(composition: Composition, on: datetime | None, again: str | None, out: Path) -> None:
    """Write the file of bank transfers (総合振込) of all approved payouts, which are sent with that."""
    with application(composition):
        with transaction():
            file_id = again or service.put_in_file(SYSTEM, _day(on)).id
        # Only after that: the same bytes can be had again, should the disk be full.
        out.write_bytes(story.file_text(file_id).encode(ENCODING))
        sent = queries.list_of_file(file_id)
        click.echo(f"{file_id}: {len(sent)} payouts, {sum(one.amount_yen for one in sent):,} yen, in {out}")


@payouts.command()
@click.argument("payout_ids", nargs=-1, required=True)
@click.option("--on", type=DAY, help="the day on which the money moved; today when absent")
@pass_composition
def paid(composition: Composition, payout_ids: tuple[str, ...], on: datetime | None) -> None:
    """Note that payouts, or claims, are paid; their papers are issued."""
    with application(composition):
        for payout_id in payout_ids:
            with transaction():
                click.echo(_told(story.note_paid(SYSTEM, payout_id, _day(on))))


@payouts.command()
@click.argument("payout_id")
@click.option("--reason", required=True)
@pass_composition
def failed(composition: Composition, payout_id: str, reason: str) -> None:
    """Note that the bank could not pay, or sent the money back; it may be drawn again."""
    with application(composition), transaction():
        click.echo(_told(story.note_failed(SYSTEM, payout_id, reason)))


def _day(given: datetime | None) -> date:
    return given.date() if given else clock.today()


def _told(one: Any) -> str:
    return f"{one.id} {one.state} {one.organization_id} {one.amount_yen:,} yen by {one.way}"


COMMANDS = (payouts,)
