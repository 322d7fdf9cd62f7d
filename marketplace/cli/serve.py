"""Serving, working, migrating, and looking after an installation."""

import click

from marketplace.api import headers
from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.exchange import archiving
from marketplace.kit import health, migrations, postgres
from marketplace.kit.roles import RolesRefused
from marketplace.kit.settings import Settings
from marketplace.server import config as server


@click.command()
@pass_composition
def serve(composition: Composition) -> None:
    """Migrate and serve the exchange until SIGTERM or Ctrl-C."""
    settings = composition.prepare(composition.settings())
    click.echo(f"Musubi serves {settings.base_url} (documentation: {settings.base_url}/docs)")
    try:
        server.run(
            lambda: composition.create_serving_app(settings),
            _server_config(settings),
        )
    finally:
        postgres.stop(settings.data_dir)


def _server_config(settings: Settings) -> server.ServerConfig:
    fields = headers.of_every_answer(settings.base_url) | {"Content-Security-Policy": headers.NOTHING}
    return server.ServerConfig(
        host=settings.host,
        port=settings.port,
        threads=settings.threads,
        worker_class=settings.worker_class,
        request_line_bytes_max=settings.request_line_bytes_max,
        header_fields_max=settings.header_fields_max,
        header_bytes_max=settings.header_bytes_max,
        problems_url=f"{settings.base_url}/problems",
        answer_fields=tuple(fields.items()),
    )


@click.command()
@pass_composition
def worker(composition: Composition) -> None:
    """Do background work until SIGTERM; for installations that serve with MARKETPLACE_RUN_WORKER=false."""
    settings = composition.prepare(composition.settings())
    composition.run_worker(composition.create_app(settings))


@click.command()
@click.option("--down-to", metavar="REVISION", help="take the schema down to this revision instead")
@click.option("--roles", is_flag=True, help="make the roles that serve and audit, and give them their rights anew")
@pass_composition
def migrate(composition: Composition, down_to: str | None, roles: bool) -> None:
    """Bring the schema to the newest revision."""
    with application(composition) as settings:
        if down_to:
            try:
                health.migrate_down(down_to)
            except ValueError as error:
                raise click.BadParameter(str(error), param_hint="--down-to") from error
        click.echo(f"the schema is at {health.revision()} (newest: {migrations.head()}) in {settings.data_dir}")
        if roles:
            _establish_roles()


def _establish_roles() -> None:
    try:
        made = health.establish_roles(archiving.TABLES)
    except RolesRefused as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"serve as a member of {made.serve}, audit as a member of {made.audit}, migrate as the owner")


COMMANDS = (serve, worker, migrate)
