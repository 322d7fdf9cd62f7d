"""Reading what was published, and what a month of the register needs to know of the catalogue."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, text

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.billing.models import Order
from marketplace.catalog.models import Dataset
from marketplace.disclosure.models import AnnualReport, RegisterLine, RegisterMonth
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, broken_cursor, cut, decode_cursor
from marketplace.kit.texts import storable
from marketplace.licensing import queries as licensing
from marketplace.licensing.models import Terms
from marketplace.metering.periods import month_of
from marketplace.privacy import rules as privacy

FEED_MONTHS = 24
YEAR_MAX = 9999
# An offer ends when it is superseded, withdrawn, or by itself; what was offered to everybody is no secret.
_OFFERED = text("""
SELECT DISTINCT ON (o.dataset_id, o.terms_sha256) o.dataset_id, o.terms_id
  FROM offer o LEFT JOIN offer later ON later.supersedes = o.id
 WHERE o.dataset_id = ANY(:wanted) AND o.buyer_organization_id IS NULL
   AND o.created_at < :after AND (o.valid_until IS NULL OR o.valid_until > :first)
   AND (o.state = 'open' OR later.created_at > :first OR EXISTS (
        SELECT FROM audit_entry e WHERE e.subject = o.id AND e.verb = :withdrawn AND e.occurred_at > :first))
 ORDER BY o.dataset_id, o.terms_sha256, o.terms_id
""")


def list_months(size: int = FEED_MONTHS) -> Sequence[RegisterMonth]:
    """Return the months that were published last, newest first."""
    return db.session.scalars(select(RegisterMonth).order_by(RegisterMonth.month.desc()).limit(size)).all()


def list_months_of(year: int) -> Sequence[RegisterMonth]:
    """Return the published months of a year, in order."""
    within = RegisterMonth.month.between(f"{year:04d}-01", f"{year:04d}-12")
    return db.session.scalars(select(RegisterMonth).where(within).order_by(RegisterMonth.month)).all()


def get_month(month: str) -> RegisterMonth:
    """Return a published month or raise NotFound."""
    found = db.session.scalar(select(RegisterMonth).where(RegisterMonth.month == storable(month)))
    if found is None:
        raise NotFound
    return found


def list_lines(month: str, *, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[RegisterLine]:
    """Return what a month tells of datasets, in order."""
    statement = select(RegisterLine).where(RegisterLine.month == storable(month))
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(RegisterLine.number > _whole(after[0]))
    rows = db.session.scalars(statement.order_by(RegisterLine.number).limit(size + 1)).all()
    return cut(rows, size, lambda row: [row.number])


def first_lines(months: Sequence[RegisterMonth], size: int) -> dict[str, list[dict[str, Any]]]:
    """Return what each of these months tells of its first datasets."""
    wanted = RegisterLine.month.in_([month.month for month in months]), RegisterLine.number <= size
    rows = db.session.scalars(select(RegisterLine).where(*wanted).order_by(RegisterLine.month, RegisterLine.number))
    found = defaultdict(list)
    for row in rows:
        found[row.month].append(row.document)
    return found


def last_month() -> date | None:
    """Return the first day of the month that was published last."""
    last = db.session.scalar(select(RegisterMonth.month).order_by(RegisterMonth.month.desc()).limit(1))
    return date.fromisoformat(f"{last}-01") if last else None


def first_month_of_trade(*, is_public: bool = False) -> date | None:
    """Return the first day of the month in which the first order was fulfilled, or the first of what is not private."""
    first = select(Entry.occurred_at).where(Entry.verb == Verb.ORDER_FULFILLED.value)
    if is_public:
        first = first.join(Order, Order.id == Entry.subject).join(Dataset).where(Dataset.audience.is_(None))
    at = db.session.scalar(first.order_by(Entry.occurred_at).limit(1))
    return month_of(at) if at else None


def terms_offered(dataset_ids: Sequence[str], first: datetime, after: datetime) -> dict[str, list[dict[str, Any]]]:
    """Return the terms under which everybody could buy these datasets in a span, each with what sums it up."""
    asked = {"wanted": list(dataset_ids), "first": first, "after": after, "withdrawn": Verb.OFFER_WITHDRAWN.value}
    rows = db.session.execute(_OFFERED, asked).all()
    summaries = {terms_id: _summary(licensing.get_terms(terms_id)) for terms_id in {row.terms_id for row in rows}}
    found = defaultdict(list)
    for row in rows:
        found[row.dataset_id].append(summaries[row.terms_id])
    return found


def assessments(dataset_ids: Sequence[str]) -> dict[str, str]:
    """Return where the privacy impact assessments of datasets can be read, for those that name one."""
    named = select(Dataset.id, Dataset.assessment_url).where(Dataset.id.in_(dataset_ids), Dataset.assessment_url != "")
    return {row.id: row.assessment_url for row in db.session.execute(named)}


def find_report(year: int) -> AnnualReport | None:
    """Return the report on a year, None where none was computed."""
    # Further years are no integers of the database.
    return db.session.get(AnnualReport, year, populate_existing=True) if year <= YEAR_MAX else None


def get_report(year: int) -> AnnualReport:
    """Return the report on a year, or raise NotFound."""
    report = find_report(year)
    if report is None:
        raise NotFound
    return report


def get_published_report(year: int) -> dict[str, Any]:
    """Return the public version of a report, or raise NotFound."""
    report = find_report(year)
    if report is None or report.published is None:
        raise NotFound
    return report.published


def list_published_years() -> Sequence[int]:
    """Return the years of which the public has a report, newest first."""
    published = select(AnnualReport.year).where(AnnualReport.published.isnot(None))
    return db.session.scalars(published.order_by(AnnualReport.year.desc())).all()


def _summary(terms: Terms) -> dict[str, Any]:
    items = licensing.usage_terms(terms)
    privacy_class = items.personal_data.code
    return {
        "sha256": terms.sha256,
        "title_ja": terms.title_ja,
        "title_en": terms.title_en,
        "contract_type": items.contract_type.value,
        "purposes": [one.code.value for one in items.use_application],
        "privacy_class": privacy_class.value,
        "conditions": [condition.value for condition in privacy.listing_conditions(privacy_class)],
    }


def _whole(part: str | int) -> int:
    if not isinstance(part, int) or not 0 <= part < 2**31:
        raise broken_cursor()
    return part
