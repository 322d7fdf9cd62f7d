"""Counting the report on the running year each night, and publishing it once the year is closed."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.disclosure import queries
from marketplace.disclosure.annual.report import compile_report
from marketplace.disclosure.models import AnnualReport
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, jobs
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('disclosure.reports'))")


@jobs.task("disclosure.reports", cron="43 19 * * *", slow=True)
def count_years() -> None:
    """Count the running year anew, and each one before it until it is published."""
    with transaction():
        first = queries.first_month_of_trade()
    for year in range(first.year, clock.today().year + 1) if first else ():
        with transaction():
            db.session.execute(_ONE_AT_A_TIME)
            count(year)


def count(year: int) -> None:
    """Count a year into its report, unless it is published or had no trade; publish it if it is closed."""
    first, before = queries.first_month_of_trade(), queries.find_report(year)
    if first is None or first.year > year or (before and before.published is not None):
        return
    full, public = compile_report(year)
    is_closed = is_over(year)
    _keep(year, full, public if is_closed else None)
    if is_closed:
        facts = {"sha256": digest_of(public), "threshold": public["threshold"]}
        audit.record(SYSTEM, Verb.REPORT_PUBLISHED, subject=str(year), facts=facts)


def is_over(year: int) -> bool:
    """Tell whether the register has published the last month of a year."""
    last = queries.last_month()
    return last is not None and (last.year, last.month) >= (year, 12)


def _keep(year: int, full: dict[str, Any], public: dict[str, Any] | None) -> None:
    row = {"document": full, "published": public, "computed_at": clock.now()}
    statement = insert(AnnualReport).values(year=year, **row)
    db.session.execute(statement.on_conflict_do_update(index_elements=["year"], set_=row))
