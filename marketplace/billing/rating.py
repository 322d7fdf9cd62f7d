"""Rated usage: which delivered bytes of a grant have been billed. No byte is billed twice."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql

from marketplace.billing import pricing
from marketplace.billing.errors import UsageAlreadyRated
from marketplace.billing.models import RatedLine
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.licensing.prices import Price


@dataclass(frozen=True, slots=True)
class Rated:
    """A stretch of a grant's delivered bytes, its exact price in yen, and the exact price of all bytes before it."""

    grant_id: str
    bytes_from: int
    bytes_to: int
    exact_yen: Decimal
    before_yen: Decimal = Decimal(0)

    @property
    def line_yen(self) -> int:
        """The yen of its invoice line: all lines of a grant together are its total price, floored once.

        However often a grant is settled, no fraction of a yen is lost or billed twice.
        """
        whole = pricing.line_yen(pricing.sum_exact([self.before_yen, self.exact_yen]))
        return whole - pricing.line_yen(self.before_yen)


def rate(grant_id: str, bytes_new: int, price: Price) -> Rated:
    """Price the bytes that were delivered since the grant was last billed; keeps nothing yet."""
    before = billed_bytes(grant_id)
    exact = pricing.rate_bytes(price, before, bytes_new)
    return Rated(grant_id, before, before + bytes_new, exact, pricing.rate_bytes(price, 0, before))


def keep(rated: Rated, period_from: date, period_to: date, invoice_id: str | None) -> None:
    """Note that the stretch is billed, on an invoice or (within the included amount) on none.

    Raises UsageAlreadyRated when another settlement took the same stretch; ValueError for no bytes.
    """
    if rated.bytes_to <= rated.bytes_from:
        raise ValueError("there is nothing to keep of no bytes")
    statement = (
        postgresql.insert(RatedLine)
        .values(
            id=new_id("rtl"),
            grant_id=rated.grant_id,
            invoice_id=invoice_id,
            period_from=period_from,
            period_to=period_to,
            bytes_from=rated.bytes_from,
            bytes_to=rated.bytes_to,
            amount_yen_exact=rated.exact_yen,
        )
        .on_conflict_do_nothing(index_elements=["grant_id", "bytes_from"])
        .returning(RatedLine.id)
    )
    if db.session.execute(statement).scalar_one_or_none() is None:
        raise UsageAlreadyRated


def billed_bytes(grant_id: str) -> int:
    """Return how many bytes of the grant have been billed so far."""
    query = select(func.coalesce(func.max(RatedLine.bytes_to), 0)).where(RatedLine.grant_id == grant_id)
    return int(db.session.execute(query).scalar_one())
