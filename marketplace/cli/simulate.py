"""Playing a simulated quarter, and proving it."""

import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import click

from marketplace.cli.composition import Composition, pass_composition
from marketplace.kit import health, logs, postgres
from marketplace.kit.settings import Settings
from marketplace.simulation import proof, quarter, report
from marketplace.simulation.plan import Plan
from marketplace.simulation.proof import Verdict
from marketplace.simulation.world import SimulationFailed

APPROVAL_YEN = 150_000


@click.group()
def simulate() -> None:
    """Play trade on a database of its own, never on that of the installation."""


@simulate.command("quarter")
@click.option("--seed", type=int, default=1, show_default=True, help="the same seed plays the same quarter")
@click.option(
    "--from", "first", metavar="YYYY-MM", default="2028-02", show_default=True, help="the first of three months"
)
@click.option("--buyers", type=click.IntRange(2, 500), default=20, show_default=True)
@click.option("--purchases", type=click.IntRange(0, 100), default=6, show_default=True, help="plain ones of each buyer")
@click.option(
    "--seller", type=click.Choice(["agent", "principal"]), default="agent", show_default=True, help="in whose name"
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="keep the exported books here")
@pass_composition
def play_quarter(
    composition: Composition, seed: int, first: str, buyers: int, purchases: int, seller: str, out: Path | None
) -> None:
    """Play a quarter: every way to pay, refunds, disputes, subscriptions, metering, payouts; then prove the books.

    Prints what happened, what was booked and issued, and the trial balance. Exits 1 naming what is wrong.
    """
    plan = Plan(seed=seed, first=_month(first), buyers=buyers, purchases=purchases)
    # What is put in suspense here is part of the story.
    with _home() as home, logs.from_level(logging.ERROR, "marketplace"):
        folder = out or home
        folder.mkdir(parents=True, exist_ok=True)
        # Not the settings of the environment: no database, account or key of the machine is touched.
        given = Settings(data_dir=home, payout_approval_yen=APPROVAL_YEN, seller=seller)
        verdict = _perform(composition, given, plan, folder)
    for trouble in verdict.wrong:
        click.echo(f"WRONG {trouble}")
    if verdict.wrong:
        sys.exit(f"the quarter does not add up: {len(verdict.wrong)} findings")
    click.echo("the quarter adds up to the yen")


def _perform(composition: Composition, given: Settings, plan: Plan, folder: Path) -> Verdict:
    app = composition.create_app(composition.prepare(given))
    try:
        world, network = quarter.play(app, plan, click.echo)
        with app.app_context():
            verdict = proof.prove(world, folder)
            for line in report.lines(world, network, verdict):
                click.echo(line)
            return verdict
    except SimulationFailed as failure:
        return Verdict(wrong=[str(failure)])
    finally:
        with app.app_context():
            health.hang_up()


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no month such as 2028-02", param_hint="--from") from error


@contextmanager
def _home() -> Iterator[Path]:
    # The embedded server, which never runs as root, must be able to enter it.
    home = Path(tempfile.mkdtemp(prefix="musubi-quarter-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        postgres.stop(home)
        shutil.rmtree(home, ignore_errors=True)


COMMANDS = (simulate,)
