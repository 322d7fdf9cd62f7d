"""Rated usage: what each period of a grant comes to, revision by revision. No unit is billed twice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import ARRAY, Text, any_, func, literal, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import aliased

from marketplace.billing import pricing
from marketplace.billing.errors import UsageAlreadyRated
from marketplace.billing.models import RatedLine
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.licensing.prices import BILLED_ALONG, Price
from marketplace.licensing.states import BillingPeriod, UsageUnit

LIFETIME = "grant"
"""The period of a price that counts over the whole life of a grant."""
COUNTED = {
    UsageUnit.MIB: "byte", UsageUnit.ROW: "row", UsageUnit.REQUEST: "request", UsageUnit.DOWNLOAD: "download",
}  # fmt: skip
"""What usage is counted in, by the unit of the price: whole numbers alone."""
_EARLIER = aliased(RatedLine)


@dataclass(frozen=True, slots=True)
class Metered:
    """Whose usage is rated: a grant, its two parties, and the basis points that its order took off, in their order."""

    grant_id: str
    provider_organization_id: str
    organization_id: str
    off: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Newly claimed usage of one period: ``period`` is a month such as 2026-11, or LIFETIME; days are Japanese.

    ``closed`` says that the period is over, so that no more usage belongs to it but what is late.
    """

    period: str
    closed: bool
    period_from: date
    period_to: date
    quantity_new: int


@dataclass(frozen=True, slots=True)
class Rated:
    """What a stretch adds to its period: whole units, exact yen, and the yen of its line; both may be negative.

    All lines of a period together are what it comes to, floored once, however often it is settled.
    """

    of: Metered
    stretch: Stretch
    unit: str
    revision: int
    closed: bool
    quantity_from: int
    exact_yen: Decimal
    line_yen: int

    @property
    def quantity_to(self) -> int:
        """The units of the period so far, with this stretch."""
        return self.quantity_from + self.stretch.quantity_new


@dataclass(frozen=True, slots=True)
class Sofar:
    """What all revisions of a period come to so far."""

    revision: int = 0
    closed: bool = False
    quantity: int = 0
    exact_yen: Decimal = Decimal(0)
    line_yen: int = 0


@dataclass(frozen=True, slots=True)
class OpenLine:
    """A rated line that no invoice bills yet; an adjustment is one of a period that was closed before."""

    line: RatedLine
    is_adjustment: bool


def is_billed_along(price: Price) -> bool:
    """Whether usage is billed while its period runs; a volume price is known only at the end."""
    return price.kind in BILLED_ALONG


def has_closing_fee(price: Price) -> bool:
    """Whether a period may cost something though nothing was used in it."""
    return price.is_metered and (bool(price.minimum_yen) or price.flat_fee_at_zero)


def rate(of: Metered, stretch: Stretch, price: Price) -> Rated | None:
    """Price newly claimed usage of one period; None where there is nothing to keep. Keeps nothing yet.

    The caller holds the grant's accounting.
    """
    return rated_after(_sofar(of.grant_id, stretch.period), of, stretch, price)


def rated_after(before: Sofar, of: Metered, stretch: Stretch, price: Price) -> Rated | None:
    """Price a stretch of usage after what its period came to before, which is taken off: pure.

    Once a period is closed it stays so, and what comes late is its adjustment.
    """
    if price.unit is None:
        raise ValueError("only a price by units is rated")
    closed = stretch.closed or before.closed
    closes = closed and not before.closed and (has_closing_fee(price) or not is_billed_along(price))
    if not stretch.quantity_new and not closes:
        return None
    quantity = pricing.quantity_of(price.unit, before.quantity + stretch.quantity_new)
    listed = pricing.charge(price, quantity) if closed else pricing.accrued(price, quantity)
    total = pricing.discounted(listed, of.off)
    return Rated(
        of=of,
        stretch=stretch,
        unit=COUNTED[price.unit],
        revision=before.revision + 1,
        closed=closed,
        quantity_from=before.quantity,
        exact_yen=pricing.sum_exact([total, before.exact_yen.copy_negate()]),
        line_yen=pricing.line_yen(total) - before.line_yen,
    )


def _sofar(grant_id: str, period: str) -> Sofar:
    line = RatedLine
    sums = select(
        func.coalesce(func.max(line.revision), 0),
        func.coalesce(func.bool_or(line.closed), False),
        func.coalesce(func.sum(line.quantity_to - line.quantity_from), 0),
        func.coalesce(func.sum(line.amount_yen_exact), Decimal(0)),
        func.coalesce(func.sum(line.line_yen), 0),
    )
    row = db.session.execute(sums.where(line.grant_id == grant_id, line.period == period)).one()
    return Sofar(row[0], row[1], int(row[2]), row[3], int(row[4]))


def keep(rated: Rated) -> str:
    """Note what a stretch came to, and return its id; an invoice may take it up now or later.

    Raises UsageAlreadyRated when another settlement kept the same revision.
    """
    statement = (
        postgresql.insert(RatedLine)
        .values(
            id=new_id("rtl"),
            grant_id=rated.of.grant_id,
            provider_organization_id=rated.of.provider_organization_id,
            organization_id=rated.of.organization_id,
            period=rated.stretch.period,
            revision=rated.revision,
            closed=rated.closed,
            period_from=rated.stretch.period_from,
            period_to=rated.stretch.period_to,
            unit=rated.unit,
            quantity_from=rated.quantity_from,
            quantity_to=rated.quantity_to,
            amount_yen_exact=rated.exact_yen,
            line_yen=rated.line_yen,
        )
        .on_conflict_do_nothing(index_elements=["grant_id", "period", "revision"])
        .returning(RatedLine.id)
    )
    kept: str | None = db.session.execute(statement).scalar_one_or_none()
    if kept is None:
        raise UsageAlreadyRated
    return kept


def lock_open_lines(provider_organization_id: str, organization_id: str) -> list[OpenLine]:
    """Return the lines of a seller and a buyer that no invoice bills, and keep other settlements off them."""
    line = RatedLine
    closed_before = (
        select(_EARLIER.id)
        .where(_EARLIER.grant_id == line.grant_id, _EARLIER.period == line.period)
        .where(_EARLIER.revision < line.revision, _EARLIER.closed)
        .exists()
    )
    query = (
        select(line, closed_before)
        .where(line.provider_organization_id == provider_organization_id, line.organization_id == organization_id)
        .where(line.invoice_id.is_(None), line.line_yen != 0)
        .order_by(line.grant_id, line.period, line.revision)
        .with_for_update(of=line)
    )
    return [OpenLine(*row) for row in db.session.execute(query.execution_options(populate_existing=True))]


def bill(line_ids: Iterable[str], invoice_id: str) -> None:
    """Note the invoice that bills these lines. Raises UsageAlreadyRated where one of them is billed already."""
    wanted = set(line_ids)
    statement = (
        update(RatedLine)
        .where(RatedLine.id.in_(wanted), RatedLine.invoice_id.is_(None))
        .values(invoice_id=invoice_id)
        .returning(RatedLine.id)
    )
    if set(db.session.scalars(statement, execution_options={"synchronize_session": False})) != wanted:
        raise UsageAlreadyRated


def list_adjustments(before: str) -> Sequence[str]:
    """Return the open lines below zero of months before that one (such as 2026-11), oldest first."""
    line = RatedLine
    below = (line.invoice_id.is_(None), line.line_yen < 0, line.period != LIFETIME, line.period < before)
    return db.session.scalars(select(line.id).where(*below).order_by(line.id)).all()


def lock_open_line(line_id: str) -> RatedLine | None:
    """Return a line that no invoice bills, and keep settlements off it; None where it was billed meanwhile."""
    query = select(RatedLine).where(RatedLine.id == line_id, RatedLine.invoice_id.is_(None)).with_for_update()
    return db.session.scalar(query, execution_options={"populate_existing": True})


def list_invoices_of(line: RatedLine) -> list[str]:
    """Return the invoices that bill the period of a line, the last one first."""
    same = (RatedLine.grant_id == line.grant_id, RatedLine.period == line.period)
    query = select(RatedLine.invoice_id).where(*same, RatedLine.invoice_id.is_not(None), RatedLine.line_yen > 0)
    found = db.session.scalars(query.order_by(RatedLine.revision.desc()))
    return list(dict.fromkeys(invoice_id for invoice_id in found if invoice_id is not None))


def list_closed(grant_ids: Sequence[str]) -> set[tuple[str, str]]:
    """Return which periods of these grants are closed, as pairs of grant and period."""
    # One array: a list of parameters ends at 65,535 of them.
    named = RatedLine.grant_id == any_(literal(list(grant_ids), ARRAY(Text)))
    query = select(RatedLine.grant_id, RatedLine.period).where(named, RatedLine.closed)
    return {(row.grant_id, row.period) for row in db.session.execute(query.distinct())}


def period_of(price: Price, month: date) -> str:
    """Return the name of the period that usage of a month belongs to."""
    return LIFETIME if price.period is BillingPeriod.GRANT else f"{month:%Y-%m}"
