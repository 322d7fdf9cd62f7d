"""When the authority must hear of an incident, and which drafts make no sense."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from marketplace.incidents import rules
from marketplace.incidents.rules import IncidentDraft
from marketplace.incidents.states import IncidentKind, Stage, Target
from marketplace.kit import clock
from marketplace.kit.clock import JST
from marketplace.kit.errors import Invalid

NOTICED = datetime(2026, 11, 2, 23, 30, tzinfo=JST)


def draft(**changes: object) -> IncidentDraft:
    began = NOTICED - timedelta(hours=5)
    return replace(IncidentDraft(IncidentKind.LEAK, "概要", "Summary", began, NOTICED), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("deliberate", "full"),
    [(False, datetime(2026, 12, 2, tzinfo=JST)), (True, datetime(2027, 1, 1, tzinfo=JST))],
    ids=["30 days", "60 days on purpose"],
)
def test_the_day_of_noticing_is_the_first_and_the_last_day_counts_to_its_end(deliberate: bool, full: datetime) -> None:
    due = rules.due_dates(NOTICED, deliberate=deliberate, preliminary_days=3)
    assert due == {Stage.PRELIMINARY: datetime(2026, 11, 5, tzinfo=JST), Stage.FULL: full}


def test_days_are_those_of_japan_wherever_the_clock_stands() -> None:
    in_utc = clock.parse("2026-11-02T15:30:00Z")
    assert rules.due_dates(in_utc, deliberate=False, preliminary_days=5)[Stage.PRELIMINARY] == datetime(
        2026, 11, 8, tzinfo=JST
    )


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"noticed_at": NOTICED + timedelta(days=2)}, "/noticed_at"),
        ({"began_at": NOTICED + timedelta(seconds=1)}, "/began_at"),
        ({"ended_at": NOTICED - timedelta(days=1)}, "/ended_at"),
        ({"suspends": (Target.CLIENTS,)}, "/suspends"),
        ({"suspends": (Target.SALES,)}, "/suspends"),
    ],
    ids=["noticed in the future", "began after it was noticed", "ended before it began", "no clients", "no datasets"],
)
def test_a_draft_that_makes_no_sense_is_refused(changes: dict[str, object], pointer: str) -> None:
    with clock.stopped(NOTICED + timedelta(days=1)):
        rules.check_draft(draft())
        with pytest.raises(Invalid) as refused:
            rules.check_draft(draft(**changes))
    assert [error["pointer"] for error in refused.value.errors] == [pointer]
