"""Revenue: what providers sold, by dataset, class of buyer and month, down to what they are paid of it."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date

from sqlalchemy import func, select

from marketplace.audit.exports import safe_cell
from marketplace.billing.earning_models import Earning
from marketplace.billing.states import EarningKind, Via
from marketplace.catalog.models import Dataset
from marketplace.identity.actors import Actor
from marketplace.identity.models import Organization
from marketplace.kit.db import db


@dataclass(frozen=True, slots=True)
class Revenue:
    """What one provider sold of one dataset to one class of buyers in one month, in yen, less what was given back.

    ``outside_yen`` is what of ``net_yen`` and ``tax_yen`` the buyers paid to the provider itself: the rest,
    less commission and its tax, is ``payable_yen``, and what the commission of the former comes to is owed.
    """

    month: str
    organization_id: str
    dataset_id: str
    title_ja: str
    title_en: str
    buyer_kind: str
    sales: int
    net_yen: int
    tax_yen: int
    commission_yen: int
    commission_tax_yen: int
    outside_yen: int
    payable_yen: int


COLUMNS = tuple(field.name for field in fields(Revenue))


def list_revenue(actor: Actor, date_from: date | None = None, date_to: date | None = None) -> Sequence[Revenue]:
    """Return the revenue of days from and to (both included), oldest month first; overseers see every provider's.

    A sale counts on the day it was booked, what was given back on the day that it was.
    """
    month = func.to_char(Earning.occurred_on, "YYYY-MM")
    outside = Earning.via == Via.OUTSIDE.value
    sums = (
        func.count(Earning.id.distinct()).filter(Earning.kind == EarningKind.SALE.value),
        *map(func.sum, (Earning.net_yen, Earning.tax_yen, Earning.commission_yen, Earning.commission_tax_yen)),
        func.coalesce(func.sum(Earning.net_yen + Earning.tax_yen).filter(outside), 0),
        func.sum(Earning.payable_yen),
    )
    groups = (month, Earning.organization_id, Dataset.id, Dataset.title_ja, Dataset.title_en, Organization.kind)
    query = (
        select(*groups, *sums)
        .join(Dataset, Dataset.id == Earning.dataset_id)
        .join(Organization, Organization.id == Earning.buyer_organization_id)
        .group_by(*groups)
        .order_by(month, Earning.organization_id, Dataset.id, Organization.kind)
    )
    if not actor.oversees:
        query = query.where(Earning.organization_id == actor.organization_id)
    if date_from is not None:
        query = query.where(Earning.occurred_on >= date_from)
    if date_to is not None:
        query = query.where(Earning.occurred_on <= date_to)
    return [Revenue(*row[:6], *map(int, row[6:])) for row in db.session.execute(query)]


def as_csv(rows: Iterable[Revenue]) -> Iterator[bytes]:
    """Yield RFC 4180 rows in UTF-8 with BOM, so that Excel reads the Japanese in them; no cell is a formula."""
    yield b"\xef\xbb\xbf" + _row(COLUMNS)
    for row in rows:
        yield _row([safe_cell(value) for value in astuple(row)])


def _row(cells: Sequence[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().encode()
