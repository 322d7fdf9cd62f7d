"""Operating the market from the machine: founding organizations, settling, rebuilding the index."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta

import click

from marketplace.billing import inbox
from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.exchange import closing, listing
from marketplace.exchange.closing import Closing, ClosingIncomplete
from marketplace.identity import service as identity
from marketplace.identity.actors import SYSTEM
from marketplace.identity.rules import ApplicationDraft
from marketplace.identity.states import Capacity, OrganizationKind
from marketplace.kit import clock
from marketplace.kit.transaction import transaction


@click.command()
@click.option("--name-ja", required=True)
@click.option("--name-en", required=True)
@click.option("--kind", type=click.Choice([kind.value for kind in OrganizationKind]), required=True)
@click.option(
    "--capacity", "capacities", type=click.Choice([one.value for one in Capacity]), multiple=True, required=True
)
@click.option("--corporate-number", help="法人番号, 13 digits")
@click.option("--invoice-number", help="登録番号, T and 13 digits")
@click.option("--government-code", help="全国地方公共団体コード, 6 digits")
@pass_composition
def found(composition: Composition, /, capacities: tuple[str, ...], kind: str, **given: str | None) -> None:
    """Found an organization, verified at once; this is how operator and auditor come to be.

    Prints the first API client and its secret, which is shown this once.
    """
    draft = ApplicationDraft(
        name_ja=given["name_ja"] or "",
        name_en=given["name_en"] or "",
        kind=OrganizationKind(kind),
        capacities=frozenset(Capacity(capacity) for capacity in capacities),
        corporate_number=given["corporate_number"],
        invoice_registration_number=given["invoice_number"],
        local_government_code=given["government_code"],
    )
    with application(composition), transaction():
        admission = identity.found_organization(draft)
        click.echo(f"organization {admission.organization.id}")
        click.echo(f"client_id {admission.client.id}")
        click.echo(f"client_secret {admission.secret}")


@click.command()
@click.option(
    "--until", help="a day in Japan such as 2026-11-30, which is included, or an RFC 3339 instant; now when absent"
)
@pass_composition
def settle(composition: Composition, until: str | None) -> None:
    """Do all that the calendar asks for: expire unpaid orders, bill usage, credit, renew, release earnings, chase.

    Prints what it did, also where some usage could not be billed: that is named then, and the rest is done.
    Running it twice, late, or at once with the jobs of a server does nothing twice.
    """
    try:
        at = min(_instant(until), clock.now()) if until else clock.now()
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--until") from error
    with application(composition):
        try:
            _tell(closing.close(SYSTEM, at))
        except ClosingIncomplete as incomplete:
            _tell(incomplete.done)
            raise
        click.echo(f"settled until {clock.text(at)}")


def _instant(text: str) -> datetime:
    if len(text) != len("2026-11-30"):
        return clock.parse(text)
    return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time.min, clock.JST)


def _tell(done: Closing) -> None:
    for line in _told(done):
        click.echo(line)


def _told(done: Closing) -> Iterator[str]:
    yield _named("unpaid orders expired", done.expired)
    for invoice in done.invoices:
        yield f"{invoice.number} {invoice.recipient_name_en}: {invoice.amount_gross_yen:,} yen"
    yield f"{len(done.invoices)} invoices of usage"
    yield _named("adjustments given back", done.adjusted)
    yield _named("credits for missed service levels", done.credited)
    renewals = done.renewals
    yield f"{len(renewals.order_ids)} renewals ordered, {renewals.opened} terms begun, {len(renewals.failed)} failed"
    yield f"{len(renewals.past_due)} subscriptions past due, {len(renewals.ended)} ended"
    yield f"{done.released} sales released to their providers"
    chased = done.chased
    yield f"{len(chased.reminded)} invoices reminded of, {len(chased.suspended)} suspended, {len(chased.lifted)} lifted"


def _named(what: str, ids: Sequence[str]) -> str:
    return f"{len(ids)} {what}{': ' if ids else ''}{', '.join(ids)}"


@click.group()
def search() -> None:
    """Look after the search index."""


@search.command()
@pass_composition
def rebuild(composition: Composition) -> None:
    """Make the search index anew from the listings, and find the keys by which they are joined."""
    with application(composition):
        click.echo(f"{listing.rebuild_index()} datasets in the index")
        listing.find_keys()


@click.group()
def events() -> None:
    """Look after gateway events that could not be worked on."""


@events.command("list")
@pass_composition
def list_events(composition: Composition) -> None:
    """List the parked events (no retry helped) and the troubled ones (tried again by themselves)."""
    with application(composition):
        for state, found_events in (("parked", inbox.list_parked()), ("waiting", inbox.list_troubled())):
            for event in found_events:
                click.echo(f"{state} {event.id} {event.type} {event.attempts} attempts: {event.trouble}")


@events.command()
@click.argument("event_id")
@pass_composition
def retry(composition: Composition, event_id: str) -> None:
    """Try a parked event again, once its cause is mended."""
    with application(composition), transaction():
        if not inbox.unpark(event_id):
            raise click.BadParameter(f"no parked event has the id {event_id!r}", param_hint="EVENT_ID")
    click.echo(f"{event_id} is in the queue again")


COMMANDS = (found, settle, search, events)
