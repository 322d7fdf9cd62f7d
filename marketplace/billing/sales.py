"""Sales and what they earn the providers: booking, taking back, restoring, releasing after the hold period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb
from sqlalchemy import func, select, update
from sqlalchemy.orm import aliased

from marketplace.billing import ledger, postings, shares
from marketplace.billing.earning_models import Earning
from marketplace.billing.errors import LedgerConflict, NotRestorable, ReversalTooLarge
from marketplace.billing.ledger import Beside
from marketplace.billing.shares import Part, Sale
from marketplace.billing.states import EarningKind, SellerRole, Via
from marketplace.identity.actors import Actor
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.ids import new_id

__all__ = [
    "Reversal",
    "Sale",
    "Via",
    "book_sale",
    "get_reversal",
    "make_available",
    "release_due",
    "restore",
    "reverse",
]

# A sale is posted and told in one statement. Their rows go in as JSON, so that their number does not change the text.
_EARN = """
INSERT INTO earning SELECT told.* FROM posted, jsonb_populate_recordset(
    jsonb_populate_record(NULL::earning, jsonb_build_object('txn_id', posted.id)), %(earnings)s::jsonb) AS told
"""
_EARN_UNPOSTED = f"WITH posted AS (SELECT NULL::bigint AS id) {_EARN}"
_OTHER = aliased(Earning)
RELEASED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Reversal:
    """What a reversal took back, in yen above zero; ``legs`` per provider and dataset."""

    idem: str
    txn_id: int | None
    legs: tuple[Part, ...]

    @property
    def net(self) -> int:
        """What went back of the price before tax."""
        return sum(leg.net for leg in self.legs)

    @property
    def tax(self) -> int:
        """What went back of the invoice's tax."""
        return sum(leg.tax for leg in self.legs)

    @property
    def commission(self) -> int:
        """What the exchange gave back of its commission, before tax."""
        return sum(leg.commission for leg in self.legs)

    @property
    def commission_tax(self) -> int:
        """What went back of the tax on the commission."""
        return sum(leg.commission_tax for leg in self.legs)

    @property
    def gross(self) -> int:
        """What goes back to the buyer."""
        return self.net + self.tax


@dataclass(frozen=True, slots=True)
class _Deed:
    """What all earnings of one deed share."""

    kind: EarningKind
    ref: str
    idem: str
    on: date
    via: Via
    role: SellerRole
    buyer: str
    money: str
    undoes: str | None = None


class _Dates(NamedTuple):
    """When an earning may be paid out, and when the ledger said so."""

    available_on: date | None = None
    released_on: date | None = None


def book_sale(  # noqa: PLR0913 - each names one fact of the sale, and a bundle would be built in every caller
    actor: Actor,
    sale: Sale,
    *,
    kind: str,
    ref: str,
    idem: str,
    via: Via,
    buyer_organization_id: str,
    nets_by_dataset: Mapping[str, int],
    on: date,
) -> int | None:
    """Book a sale and what it earns each provider with each dataset; returns the ledger transaction, if any.

    ``ref`` is the order or invoice sold, one sale each. Money at the gateway is paid: its hold period
    begins at once; what is receivable waits for ``make_available``; of what is paid outside only the
    commission is ours, and the provider owes it. The same ``idem`` again returns the same transaction;
    other content raises LedgerConflict. Raises ValueError when the nets do not sum to the sale's.
    """
    parts = shares.parts_of(sale, nets_by_dataset)
    role = SellerRole(settings.current().seller)
    money = postings.receivable(buyer_organization_id) if via == Via.RECEIVABLE else postings.CLEARING
    entries = postings.sold_outside(parts, role) if via == Via.OUTSIDE else postings.sold(parts, money, role)
    deed = _Deed(EarningKind.SALE, ref, idem, on, via, role, buyer_organization_id, money)
    return _book(actor, kind, deed, entries, _rows(deed, parts, _dates_of_sale(via, on)))


def reverse(actor: Actor, *, ref: str, amount_yen: int, credit_to: str, kind: str, idem: str, on: date) -> Reversal:
    """Take ``amount_yen`` (tax included) of a sale back from everyone who got of it, onto an account.

    ``credit_to`` is where the buyer's money goes: refunds in transit, the held dispute, the receivable
    of an invoice not paid yet; of a sale paid outside nothing but the commission goes back. Each leg
    gives in proportion to what is left of it. The same ``idem`` with the same amount returns the first
    reversal, with another one raises LedgerConflict. Raises ReversalTooLarge when less is left.
    """
    _lock(ref)
    before = _find(idem)
    if before is not None:
        return _same_or_conflict(before, amount_yen)
    sold, left = _left(ref)
    if not 0 < amount_yen <= sum(part.gross for part in left):
        raise ReversalTooLarge(ref=ref, left_yen=sum(part.gross for part in left))
    taken = [part for part in shares.take_back(amount_yen, left) if part.gross]
    deed = replace(sold, kind=EarningKind.REVERSAL, idem=idem, on=on, money=credit_to)
    available, dates = _standing(ref, on)
    entries = _entries_back(deed, taken, available=available)
    txn_id = _book(actor, kind, deed, entries, _rows(deed, taken, dates, sign=-1))
    return Reversal(idem, txn_id, tuple(taken))


def restore(actor: Actor, *, reversal_idem: str, kind: str, idem: str, on: date) -> Reversal:
    """Undo a reversal (the refund failed): everyone gets back exactly what that reversal took.

    Returns what was restored. The same ``idem`` again returns it again; a reversal that another key has
    restored, or that does not exist, raises NotRestorable.
    """
    ref = db.session.scalar(select(Earning.ref).where(Earning.idem == reversal_idem).limit(1))
    if ref is None:
        raise NotRestorable
    _lock(ref)
    before = db.session.scalar(select(Earning.idem).where(Earning.undoes == reversal_idem).limit(1))
    reversal = _find(reversal_idem)
    if reversal is None or before not in {None, idem}:
        raise NotRestorable
    if before is None:
        _restore(actor, reversal, kind, idem, on)
    return get_reversal(idem)


def get_reversal(idem: str) -> Reversal:
    """Return what a reversal took back, or a restoration gave again; raises NotRestorable where there is none."""
    found = _find(idem)
    if found is None:
        raise NotRestorable
    return found


def make_available(ref: str, on: date) -> int:
    """Begin the hold period of what a sale earned, since its money came on that day; returns how many earnings.

    Once is enough: dates that are set stay as they are.
    """
    _lock(ref)
    day = on + timedelta(days=settings.current().hold_days)
    statement = update(Earning).where(Earning.ref == ref, Earning.available_on.is_(None)).values(available_on=day)
    return len(db.session.execute(statement.returning(Earning.id)).all())


def release_due(actor: Actor, until: date, size: int = RELEASED_AT_ONCE) -> int:
    """Let providers draw everything whose hold period is over on that day; returns how many sales.

    At most ``size`` of them, the oldest first, so that no transaction holds more: call it until it returns 0.
    What another release has at hand is left to it, so any number may run at once.
    """
    # One row stands for a sale in every lock: two that lock halves of it would wait for each other.
    first = select(func.min(_OTHER.id)).where(_OTHER.ref == Earning.ref, _OTHER.kind == EarningKind.SALE.value)
    due = (
        select(Earning.ref)
        .where(Earning.released_on.is_(None), Earning.available_on <= until)
        .where(Earning.id == first.correlate(Earning).scalar_subquery())
        .order_by(Earning.id)
        .limit(size)
        .with_for_update(skip_locked=True)
    )
    refs = db.session.scalars(due).all()
    for ref in refs:
        _release(actor, ref, until)
    return len(refs)


def _release(actor: Actor, ref: str, on: date) -> None:
    """Move what of a locked sale is pending, less what was taken back meanwhile."""
    statement = (
        update(Earning)
        .where(Earning.ref == ref, Earning.released_on.is_(None), Earning.available_on.is_not(None))
        .values(released_on=on)
        .returning(Earning.id, Earning.organization_id, Earning.payable_yen)
    )
    rows = db.session.execute(statement).all()
    amounts: dict[str, int] = {}
    for row in sorted(rows):
        amounts[row.organization_id] = amounts.get(row.organization_id, 0) + row.payable_yen
    idem = f"hold_over:{min(row.id for row in rows)}"
    ledger.post("hold_over", ref, idem, on, postings.hold_over(amounts), actor=actor)


def _dates_of_sale(via: Via, on: date) -> _Dates:
    if via == Via.GATEWAY:
        return _Dates(on + timedelta(days=settings.current().hold_days))
    if via == Via.OUTSIDE:  # the provider has it
        return _Dates(on, on)
    return _Dates()


def _lock(ref: str) -> None:
    """Wait for whoever takes back, restores or releases of the same sale."""
    query = select(Earning.id).where(Earning.ref == ref, Earning.kind == EarningKind.SALE.value)
    db.session.execute(query.order_by(Earning.id).limit(1).with_for_update()).all()


def _left(ref: str) -> tuple[_Deed, list[Part]]:
    first = db.session.scalar(select(Earning).where(Earning.ref == ref).order_by(Earning.id).limit(1))
    if first is None:
        raise ReversalTooLarge(ref=ref, left_yen=0)
    amounts = (Earning.net_yen, Earning.tax_yen, Earning.commission_yen, Earning.commission_tax_yen)
    query = (
        select(Earning.organization_id, Earning.dataset_id, *(func.sum(amount) for amount in amounts))
        .where(Earning.ref == ref)
        .group_by(Earning.organization_id, Earning.dataset_id)
        .order_by(func.min(Earning.id))
    )
    deed = _Deed(
        kind=EarningKind.SALE,
        ref=ref,
        idem=first.idem,
        on=first.occurred_on,
        via=Via(first.via),
        role=SellerRole(first.role),
        buyer=first.buyer_organization_id,
        money=first.money_account,
    )
    return deed, [Part(row[0], row[1], *map(int, row[2:])) for row in db.session.execute(query)]


def _standing(ref: str, on: date) -> tuple[bool, _Dates]:
    """Whether the sale's money may be drawn already, and the dates that go with that."""
    query = select(Earning.available_on, Earning.released_on).where(
        Earning.ref == ref, Earning.kind == EarningKind.SALE.value
    )
    sale = db.session.execute(query.limit(1)).one()
    if sale.released_on is not None:
        return True, _Dates(on, on)
    return False, _Dates(sale.available_on)


def _entries_back(deed: _Deed, taken: Sequence[Part], *, available: bool) -> list[postings.Entry]:
    if deed.via == Via.OUTSIDE:
        return postings.taken_back_outside(taken, deed.role)
    return postings.taken_back(taken, deed.money, deed.role, available=available)


def _restore(actor: Actor, reversal: Reversal, kind: str, idem: str, on: date) -> None:
    first = db.session.scalars(select(Earning).where(Earning.idem == reversal.idem).limit(1)).one()
    deed = _Deed(
        kind=EarningKind.RESTORATION,
        ref=first.ref,
        idem=idem,
        on=on,
        via=Via(first.via),
        role=SellerRole(first.role),
        buyer=first.buyer_organization_id,
        money=first.money_account,
        undoes=reversal.idem,
    )
    available, dates = _standing(first.ref, on)
    entries = [(entry[0], -entry[1]) for entry in _entries_back(deed, reversal.legs, available=available)]
    _book(actor, kind, deed, entries, _rows(deed, reversal.legs, dates), reverses=reversal.txn_id)


def _known(idem: str) -> bool:
    return db.session.scalar(select(Earning.id).where(Earning.idem == idem).limit(1)) is not None


def _find(idem: str) -> Reversal | None:
    rows = db.session.scalars(select(Earning).where(Earning.idem == idem).order_by(Earning.id)).all()
    if not rows:
        return None
    return Reversal(idem, rows[0].txn_id, tuple(_part_of(row) for row in rows))


def _part_of(row: Earning) -> Part:
    amounts = (row.net_yen, row.tax_yen, row.commission_yen, row.commission_tax_yen)
    return Part(row.organization_id, row.dataset_id, *map(abs, amounts))


def _same_or_conflict(before: Reversal, amount_yen: int) -> Reversal:
    if before.gross != amount_yen:
        raise LedgerConflict(f"The ledger key {before.idem} is booked with other content.")
    return before


def _book(
    actor: Actor,
    kind: str,
    deed: _Deed,
    entries: Sequence[postings.Entry],
    rows: Sequence[dict[str, Any]],
    reverses: int | None = None,
) -> int | None:
    """Post a deed and tell what it earned, once; where no money moves, the earnings stand alone."""
    beside = Beside(_EARN, {"earnings": Jsonb(rows)})
    txn_id = ledger.post(kind, deed.ref, deed.idem, deed.on, entries, reverses=reverses, actor=actor, beside=beside)
    if txn_id is None and not _known(deed.idem):
        db.session.connection().exec_driver_sql(_EARN_UNPOSTED, beside.values)
    return txn_id


def _rows(deed: _Deed, parts: Sequence[Part], dates: _Dates, sign: int = 1) -> list[dict[str, Any]]:
    shared = {
        "kind": deed.kind.value,
        "ref": deed.ref,
        "idem": deed.idem,
        "undoes": deed.undoes,
        "via": deed.via.value,
        "role": deed.role.value,
        "money_account": deed.money,
        "buyer_organization_id": deed.buyer,
        "occurred_on": deed.on.isoformat(),
        "available_on": dates.available_on and dates.available_on.isoformat(),
        "released_on": dates.released_on and dates.released_on.isoformat(),
        "created_at": clock.text(clock.now()),
    }
    return [shared | _columns(deed.via, part, sign) for part in parts]


def _columns(via: Via, part: Part, sign: int) -> dict[str, Any]:
    return {
        "id": new_id("ern"),
        "organization_id": part.provider,
        "dataset_id": part.dataset,
        "net_yen": sign * part.net,
        "tax_yen": sign * part.tax,
        "commission_yen": sign * part.commission,
        "commission_tax_yen": sign * part.commission_tax,
        "payable_yen": 0 if via == Via.OUTSIDE else sign * part.payable,
    }
