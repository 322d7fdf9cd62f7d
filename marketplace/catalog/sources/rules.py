"""What a source must say of itself, and when it is asked next: pure functions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.catalog import rules
from marketplace.catalog.sources.states import Schedule
from marketplace.kit import outbound
from marketplace.kit.errors import Invalid
from marketplace.kit.outbound import OutboundRefused

_PERIODS = {Schedule.HOURLY: timedelta(hours=1), Schedule.DAILY: timedelta(days=1), Schedule.WEEKLY: timedelta(days=7)}
_MONTH = 12
_LAST_SAFE_DAY = 28
BACKOFF_FIRST = timedelta(minutes=15)
BACKOFF_MAX = timedelta(days=7)
_DOUBLINGS_MAX = 10


@dataclass(frozen=True, slots=True)
class SourceDraft:
    """What a provider says of a source; ``publish`` asks for each new release to be published by itself."""

    url: str
    schedule: Schedule
    file_name: str
    media_type: str
    publish: bool = False


def check_draft(draft: SourceDraft) -> None:
    """Return for a source that may be asked; raises Invalid or FileNameUnsafe."""
    rules.check_file_name(draft.file_name)
    rules.check_media_type(draft.media_type)
    try:
        outbound.check(draft.url)
    except OutboundRefused as refused:
        raise Invalid(errors=[{"pointer": "/url", "detail": str(refused)}]) from refused
    if len(draft.url) > rules.URL_LENGTH_MAX:
        raise Invalid(errors=[{"pointer": "/url", "detail": f"must have at most {rules.URL_LENGTH_MAX:,} characters"}])


def next_time(schedule: Schedule, now: datetime, failures: int) -> datetime:
    """Return when a source is asked next: by its schedule, and after failures sooner at first, then ever later."""
    if failures:
        return now + min(BACKOFF_FIRST * (1 << min(failures - 1, _DOUBLINGS_MAX)), BACKOFF_MAX)
    if schedule in _PERIODS:
        return now + _PERIODS[schedule]
    year, month = (now.year + 1, 1) if now.month == _MONTH else (now.year, now.month + 1)
    return now.replace(year=year, month=month, day=min(now.day, _LAST_SAFE_DAY))
