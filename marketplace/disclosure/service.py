"""Publishing: each month of the register once, some days after its end."""

from datetime import date, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import insert, text

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings
from marketplace.disclosure import counting, queries, rules
from marketplace.disclosure.models import RegisterLine, RegisterMonth
from marketplace.disclosure.rules import Told
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, jobs, settings
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering.periods import following

AMOUNTS = ("trades", "yen", "bytes")
BATCH = 500
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('disclosure.register'))")


@jobs.task("disclosure.register", cron="13 19 * * *", slow=True)
def publish_due() -> None:
    """Publish the months whose time has come, each in a transaction of its own."""
    while True:
        with transaction():
            db.session.execute(_ONE_AT_A_TIME)
            month = _due()
            if month is None:
                return
            publish(month)


def publish(month: date) -> RegisterMonth:
    """Publish what the register tells of a month, for good, in the open transaction."""
    threshold = settings.current().register_threshold
    total, buyers = counting.month_of_trade(month)
    told = rules.tell(total, threshold, parties=buyers)
    lines = [line for some in _batches(told.parts or ()) for line in _lines(some, month)]
    document = _figures(told) | {"datasets_listed": listings.count_listings(), "datasets_told": told.parts is not None}
    name, sha256 = f"{month:%Y-%m}", digest_of({"document": document, "lines": [line["document"] for line in lines]})
    row = RegisterMonth(month=name, threshold=threshold, document=document, sha256=sha256, published_at=clock.now())
    db.session.add(row)
    db.session.flush()
    numbered = [line | {"month": name, "number": number} for number, line in enumerate(lines, start=1)]
    if numbered:
        db.session.execute(insert(RegisterLine), numbered)
    audit.record(
        SYSTEM,
        Verb.REGISTER_PUBLISHED,
        subject=name,
        facts={"sha256": sha256, "threshold": threshold, "lines": len(lines)},
    )
    return row


def _due() -> date | None:
    """Return the next month to publish, None while it waits for late payments and corrections."""
    last = queries.last_month()
    month = following(last) if last else queries.first_month_of_trade(is_public=True)
    if month is None:
        return None
    ready = following(month) + timedelta(days=settings.current().register_days)
    return month if clock.today() >= ready else None


def _batches(parts: tuple[Told, ...]) -> list[list[Told]]:
    left = iter(parts)
    return list(iter(lambda: list(islice(left, BATCH)), []))


def _lines(parts: list[Told], month: date) -> list[dict[str, Any]]:
    documents = listings.find_listings(part.key for part in parts if part.key != counting.UNLISTED)
    offered = queries.terms_offered(list(documents), *counting.span(month))
    assessed = queries.assessments(list(documents))
    return [_line(part, documents.get(part.key), offered.get(part.key, []), assessed.get(part.key)) for part in parts]


def _line(
    part: Told, listed: dict[str, Any] | None, terms: list[dict[str, Any]], assessed: str | None
) -> dict[str, Any]:
    kinds = None if part.parts is None else [{"kind": kind.key} | _figures(kind) for kind in part.parts]
    document = _described(listed, terms, assessed) | _figures(part) | {"kinds": kinds}
    return {"dataset_id": listed["id"] if listed else None, "document": document}


def _described(listed: dict[str, Any] | None, terms: list[dict[str, Any]], assessed: str | None) -> dict[str, Any]:
    if listed is None:
        return {"dataset": None, "terms": [], "price_classes": [], "assessment": None}
    publisher = listed["publisher"]
    return {
        "dataset": {name: listed[name] for name in ("id", "title_ja", "title_en")},
        "provider": {name: publisher[name] for name in ("id", "name_ja", "name_en")},
        "terms": terms,
        "price_classes": listed["price_classes"],
        "assessment": {"url": assessed} if assessed else None,
    }


def _figures(told: Told) -> dict[str, Any]:
    amounts = told.amounts or (None,) * len(AMOUNTS)
    return {"showing": told.showing.value, "buyers": told.count, **dict(zip(AMOUNTS, amounts, strict=True))}
