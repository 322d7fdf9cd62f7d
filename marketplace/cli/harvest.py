"""Taking over a foreign catalogue by one command, with a report of what became of it and of what became better."""

from pathlib import Path
from urllib.parse import urlsplit

import click

from marketplace.catalog.cleaning import comparing
from marketplace.catalog.harvesting import queries, service
from marketplace.catalog.harvesting.rules import FILE, HarvestDraft
from marketplace.catalog.harvesting.states import HarvestSchedule, Outcome, SourceKind
from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.exchange import harvesting, listing
from marketplace.exchange.harvest_fetching import Reach
from marketplace.exchange.harvest_walks import Step
from marketplace.identity import queries as identity
from marketplace.identity import service as organizations
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.identity.rules import ApplicationDraft
from marketplace.identity.states import Capacity, OrganizationKind, OrganizationState
from marketplace.kit.transaction import transaction

REFUSED_SHOWN = 20
KINDS = {
    ".csv": SourceKind.LIST, ".xlsx": SourceKind.CADDE, ".ttl": SourceKind.DCAT, ".rdf": SourceKind.DCAT,
    ".xml": SourceKind.DCAT, ".jsonld": SourceKind.DCAT, ".json": SourceKind.PACKAGES, ".jsonl": SourceKind.PACKAGES,
    ".ndjson": SourceKind.PACKAGES, ".gz": SourceKind.PACKAGES,
}  # fmt: skip
OUTCOMES = ("created", "changed", "unchanged", "refused", "vanished")


@click.command()
@click.argument("source")
@click.option("--kind", type=click.Choice([one.value for one in SourceKind]), help="read from SOURCE when absent")
@click.option("--organization", "organization_id", help="whose datasets they become; the only provider when absent")
@click.option("--as", "name", help="found a provider of this name for them")
@click.option("--dry-run", is_flag=True, help="report alone: nothing is taken over")
@click.option("--full", "is_full", is_flag=True, help="ask for all records, not for those alone that changed")
@click.option("--no-repairs", is_flag=True, help="take over as it is; what could be better is suggested")
@click.option("--every", type=click.Choice([one.value for one in HarvestSchedule]), help="and again by itself")
@click.option("--refused", "refused_shown", type=click.IntRange(0), default=REFUSED_SHOWN, help="so many are named")
@pass_composition
def harvest(
    composition: Composition, /, source: str, kind: str | None, refused_shown: int, **given: str | bool | None
) -> None:
    """Take over the catalogue at SOURCE: the address of a CKAN site, a list, spreadsheet or DCAT document; or a file.

    Prints what became of the records and what is better here than there. The same again changes only what changed.
    An address such as http://127.0.0.1:5000 is a server on this machine.
    """
    address, reach = _found(source)
    chosen = SourceKind(kind) if kind else _kind_of(source)
    with application(composition):
        actor = _provider(given["organization_id"], given["name"], source)
        schedule = HarvestSchedule(str(given["every"])) if given["every"] else None
        draft = HarvestDraft(address, chosen, schedule, repairs=not given["no_repairs"])
        run_id = _begun(actor, draft, reach, dry_run=bool(given["dry_run"]), is_full=bool(given["is_full"]))
        harvesting.carry_on(run_id, reach, _progress())
        listing.index()
        _tell(run_id, refused_shown)


def _found(source: str) -> tuple[str, Reach]:
    if "://" not in source:
        path = Path(source)
        if not path.is_file():
            raise click.BadParameter(f"no file is called {source!r}", param_hint="SOURCE")
        return f"{FILE}{path.name}", Reach(file=path)
    within = source.startswith("http://")
    return source, Reach(within=within, pause_seconds=0.0) if within else Reach()


def _kind_of(source: str) -> SourceKind:
    path = urlsplit(source).path if "://" in source else source
    default = SourceKind.CKAN if "://" in source else SourceKind.PACKAGES
    return KINDS.get(Path(path).suffix.lower(), default)


def _provider(organization_id: str | bool | None, name: str | bool | None, source: str) -> Actor:
    if organization_id:
        return on_behalf_of(identity.get_organization(str(organization_id)).id)
    verified = OrganizationState.VERIFIED
    providers = identity.list_organizations(state=verified, capacity=Capacity.PROVIDER, size=2).items
    if name or not providers:
        host = urlsplit(source).hostname or "a file"
        called = str(name or f"{host} のカタログ")
        kind, capacities = OrganizationKind.PUBLIC_BODY, frozenset({Capacity.PROVIDER})
        with transaction():
            draft = ApplicationDraft(called, f"Catalogue of {host}", kind, capacities)
            founded = organizations.found_organization(draft)
            click.echo(f"organization {founded.organization.id} {called}, founded for this catalogue")
            return on_behalf_of(founded.organization.id)
    if len(providers) > 1:
        raise click.BadParameter("there are several providers: say which", param_hint="--organization")
    return on_behalf_of(providers[0].id)


def _begun(actor: Actor, draft: HarvestDraft, reach: Reach, *, dry_run: bool, is_full: bool) -> str:
    is_ours = reach.within or reach.file is not None
    with transaction():
        held = service.set_harvest(actor, draft) if is_ours else harvesting.name_harvest(actor, draft)
        running = queries.find_running(held.id)
        if running is not None:
            click.echo(f"run {running.id} was cut off after {running.position} batches and goes on")
        run = running or service.begin_run(actor, held.id, dry_run=dry_run, is_full=is_full)
        click.echo(f"harvest {held.id} {held.kind} {held.address}, run {run.id}{', dry run' if run.dry_run else ''}")
        return run.id


def _progress() -> harvesting.Tell:
    done = 0

    def tell(step: Step) -> None:
        nonlocal done
        done += len(step.records)
        if done % 1_000 < len(step.records):
            click.echo(f"  {done:,} records{f' of {step.announced:,}' if step.announced else ''}")

    return tell


def _tell(run_id: str, refused_shown: int) -> None:
    run = queries.find_run(run_id)
    if run is None or run.state == "running":
        raise click.ClickException("the run is in the hands of another process now")
    click.echo(", ".join(f"{getattr(run, name):,} {name}" for name in OUTCOMES))
    for _name, label, whole, before, after in comparing.rows(run.comparison):
        click.echo(f"  {label.en:50} {before:>7,} there  {after:>7,} here  of {whole:,}")
    if refused_shown and run.refused:
        for line in queries.list_lines(run_id, outcome=Outcome.REFUSED, size=refused_shown).items:
            click.echo(f"  refused {line.record_id} {line.title}: {line.reason} {line.detail}".rstrip())
    if run.problem:
        click.echo(f"problem: {run.problem} {run.detail}".rstrip())
    if run.state == "failed":
        raise click.ClickException("the run did not come to its end; the same command meets what it has taken over")


COMMANDS = (harvest,)
