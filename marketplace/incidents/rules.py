"""What an incident is, and by when whom is told of it: pure."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from marketplace.incidents.models import IncidentNotice
from marketplace.incidents.states import IncidentKind, NoticeState, Stage, Target
from marketplace.kit import clock
from marketplace.kit.clock import JST
from marketplace.kit.errors import Invalid

SUMMARY_LENGTH_MAX = 4000
REPORT_LENGTH_MAX = 20_000
SCOPE_IDS_MAX = 1000
SCOPES = ("dataset_ids", "release_ids", "sha256s", "organization_ids", "client_ids")

FULL_DAYS, FULL_DAYS_DELIBERATE = 30, 60
"""By when the full report is due: Enforcement Rules of the APPI (個人情報保護法施行規則) article 8(2), and 44(2)
of administrative organs, which municipalities are.

60 days where article 7(iii) or 43(iii) applies: it may have been done on purpose. The preliminary report is due
promptly (articles 8(1), 44(1)), which the Commission's guidelines (通則編 3-5-3-3) read as within about three to five
days.
"""
PRELIMINARY_DAYS_MAX = 5


@dataclass(frozen=True, slots=True)
class IncidentDraft:
    """What an operator knows as it opens an incident; empty scopes leave nothing out.

    ``sha256s`` name files, or contents that were made of them.
    """

    kind: IncidentKind
    summary_ja: str
    summary_en: str
    began_at: datetime
    noticed_at: datetime
    ended_at: datetime | None = None
    dataset_ids: tuple[str, ...] = ()
    release_ids: tuple[str, ...] = ()
    sha256s: tuple[str, ...] = ()
    organization_ids: tuple[str, ...] = ()
    client_ids: tuple[str, ...] = ()
    suspends: tuple[Target, ...] = ()
    personal_data: bool = False
    deliberate: bool = False
    drill: bool = False


def check_draft(draft: IncidentDraft) -> None:
    """Refuse a draft whose times run backwards or lie ahead, or that suspends what it does not name."""
    ends_early = draft.ended_at is not None and draft.ended_at < draft.began_at
    wrong = [
        ("/noticed_at", "must not lie ahead", draft.noticed_at > clock.now()),
        ("/began_at", "must not be later than noticed_at", draft.began_at > draft.noticed_at),
        ("/ended_at", "must not be earlier than began_at", ends_early),
        ("/suspends", "clients rest that client_ids names", _is_vain(draft, Target.CLIENTS, draft.client_ids)),
        ("/suspends", "sales rest of what dataset_ids names", _is_vain(draft, Target.SALES, draft.dataset_ids)),
    ]
    errors = [{"pointer": pointer, "detail": detail} for pointer, detail, is_wrong in wrong if is_wrong]
    if errors:
        raise Invalid(errors=errors)


def _is_vain(draft: IncidentDraft, target: Target, named: tuple[str, ...]) -> bool:
    return target in draft.suspends and not named


def due_dates(noticed_at: datetime, *, deliberate: bool, preliminary_days: int) -> dict[Stage, datetime]:
    """Return by when each report is due: the end of a day in Japan, of which the one of noticing is the first.

    Days on which the authority is closed put nothing off here, although they may there (通則編 3-5-3-4).
    """
    full = FULL_DAYS_DELIBERATE if deliberate else FULL_DAYS
    return {
        Stage.PRELIMINARY: _end_of_day(noticed_at, preliminary_days),
        Stage.FULL: _end_of_day(noticed_at, full),
    }


def _end_of_day(noticed_at: datetime, nth: int) -> datetime:
    after = noticed_at.astimezone(JST).date() + timedelta(days=nth)
    return datetime.combine(after, time(), JST)


def state_of(notice: IncidentNotice) -> NoticeState:
    """Return how far a notice has come."""
    if notice.acknowledged_at is not None:
        return NoticeState.ACKNOWLEDGED
    if notice.sent_at is not None:
        return NoticeState.SENT
    return NoticeState.HELD if notice.mail_id is None else NoticeState.QUEUED
