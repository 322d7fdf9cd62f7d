"""Reports of harvests are forgotten when they are old and a whole run has followed, some at a time; the runs stay."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.catalog.harvesting import forgetting, service
from marketplace.catalog.harvesting.models import HarvestLine, HarvestRun
from marketplace.catalog.harvesting.rules import HarvestDraft
from marketplace.catalog.harvesting.states import HarvestProblem
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.identity import OrganizationFactory, actor_of

DAY = timedelta(days=1)


@pytest.fixture
def harvest(app: Flask) -> tuple[Actor, str]:
    owner = actor_of(OrganizationFactory(provider=True))
    with transaction():
        return owner, service.set_harvest(owner, HarvestDraft("https://ckan.example.jp/")).id


def ran(harvest: tuple[Actor, str], *, days_ago: int, lines: int = 3, end: str = "done", dry_run: bool = False) -> str:
    """A run over the catalogue that ended so many days ago, with its report."""
    with clock.stopped(clock.now() - days_ago * DAY), transaction():
        run = service.begin_run(*harvest, dry_run=dry_run)
        db.session.add_all(
            HarvestLine(run_id=run.id, record_id=f"r{n}", name="", title="", outcome="unchanged", detail="")
            for n in range(lines)
        )
        at = service.find_at(run.id)
        assert at is not None
        if end == "done":
            service.finish(at, None, "")
        elif end == "failed":
            service.fail(at, HarvestProblem.UNREACHABLE, "")
    return run.id


def left() -> dict[str, int]:
    db.session.expire_all()
    asked = select(HarvestLine.run_id, func.count()).group_by(HarvestLine.run_id)
    return {row[0]: row[1] for row in db.session.execute(asked)}


def test_old_reports_go_once_a_whole_run_has_followed(
    harvest: tuple[Actor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "LINES_AT_ONCE", 2)
    old = [ran(harvest, days_ago=300), ran(harvest, days_ago=200, end="failed")]
    newest_whole = ran(harvest, days_ago=150, lines=5)
    after = [ran(harvest, days_ago=140, end="failed"), ran(harvest, days_ago=130, dry_run=True)]
    assert len(left()) == 5
    forgetting.forget()
    assert left() == {newest_whole: 5, **dict.fromkeys(after, 3)}
    recent = ran(harvest, days_ago=10)
    forgetting.forget()
    assert left() == {recent: 3}
    runs = db.session.scalars(select(HarvestRun.id)).all()
    assert set(runs) == {*old, newest_whole, *after, recent}


def test_a_run_that_goes_on_and_other_catalogues_lose_nothing(harvest: tuple[Actor, str]) -> None:
    ran(harvest, days_ago=300)
    with transaction():
        owner = harvest[0]
        other = owner, service.set_harvest(owner, HarvestDraft("https://other.example.jp/")).id
    alone = ran(other, days_ago=300)
    going = ran(harvest, days_ago=200, end="")
    forgetting.forget()
    assert set(left()) >= {alone, going}
    assert len(left()) == 3
