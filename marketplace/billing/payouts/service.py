"""Deeds of payouts: naming the account, drawing what is free, approving, and what the bank makes of it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date

from sqlalchemy import ARRAY, Text, any_, insert, literal, update
from sqlalchemy.dialects import postgresql

from marketplace.audit import commitments
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import ledger, postings
from marketplace.billing.earning_models import Earning
from marketplace.billing.payouts import queries, rules
from marketplace.billing.payouts.errors import (
    ClaimNotCovered,
    NothingToClaim,
    NothingToDraw,
    NothingToTransfer,
    PayoutMoved,
    SecondPersonNeeded,
)
from marketplace.billing.payouts.models import Payout, PayoutAccount, PayoutApproval, PayoutFile, PayoutItem
from marketplace.billing.payouts.rules import AccountDraft
from marketplace.billing.payouts.states import MOVES, PayoutState, PayoutWay
from marketplace.billing.receivables import queries as receivables
from marketplace.billing.receivables import service as receiving
from marketplace.identity import queries as identity
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.states import OrganizationState
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.ids import new_id

_VERBS = {
    PayoutState.APPROVED: Verb.PAYOUT_APPROVED,
    PayoutState.SENT: Verb.PAYOUT_SENT,
    PayoutState.PAID: Verb.PAYOUT_PAID,
    PayoutState.FAILED: Verb.PAYOUT_FAILED,
    PayoutState.CANCELLED: Verb.PAYOUT_CANCELLED,
}
_ACCOUNT_FIELDS = ("bank_code", "branch_code", "account_type", "account_number", "holder_kana")


def name_account(actor: Actor, draft: AccountDraft) -> PayoutAccount:
    """Set where the caller's money goes from now on, and let the exchange receive it in its name (代理受領).

    Payouts drawn before keep the account that they were drawn to. Raises PayeeAbroad, PayeeNotBusiness or
    Invalid.
    """
    values = asdict(rules.check_account(draft)) | {"account_type": draft.account_type.value}
    values |= {"organization_id": actor.organization_id, "changed_at": clock.now()}
    statement = postgresql.insert(PayoutAccount).values(values | {"receipt_agency_at": clock.now()})
    kept = statement.on_conflict_do_update(index_elements=["organization_id"], set_=values).returning(PayoutAccount)
    account = db.session.scalars(kept, execution_options={"populate_existing": True}).one()
    facts = {"account_commitment": _commitment(actor.organization_id, _snapshot(account))}
    audit.record(actor, Verb.PAYOUT_ACCOUNT_NAMED, subject=actor.organization_id, facts=facts)
    return account


def find_draw(actor: Actor, organization_id: str) -> Payout | None:
    """Do what ``draw`` does, or return None where no payout comes of what there is."""
    account = queries.lock_account(organization_id)
    if account is None or not _is_verified(organization_id):
        return None
    earnings = queries.unpaid_of(organization_id)
    payable, offset = _sums(earnings)
    if payable - offset < max(settings.current().payout_minimum_yen, 1):
        return None
    by_gateway = settings.current().stripe_connect == "transfers" and account.connect_account_id is not None
    payout = _keep(organization_id, payable - offset, offset, PayoutWay.CONNECT if by_gateway else PayoutWay.BANK)
    payout.account = _snapshot(account) | {"connect_account_id": account.connect_account_id}
    _settle(actor, payout, earnings)
    entries = postings.payout_created(organization_id, payable, offset)
    ledger.post("payout_created", payout.id, f"payout:{payout.id}", clock.today(), entries, actor=actor)
    if actor.organization_id != SYSTEM.organization_id:
        _approve(actor, payout)
        if _is_approved(payout):
            _move(actor, payout, PayoutState.APPROVED)
    return payout


def draw(actor: Actor, organization_id: str) -> Payout:
    """Put all that a provider may draw into one payout, and book that it is on its way.

    What it owes of sales paid outside, and of refunds after a payout, is netted. Whoever draws for the same
    provider at the same time waits, and finds nothing left. A person who draws has thereby approved; the
    exchange by itself has not. Raises NothingToDraw.
    """
    payout = find_draw(actor, organization_id)
    if payout is None:
        raise NothingToDraw(minimum_yen=settings.current().payout_minimum_yen)
    return payout


def claim(actor: Actor, organization_id: str) -> Payout:
    """Ask a provider to pay what it owes beyond what it has earned; raises OrganizationNotFound or NothingToClaim.

    All of it then stands on its receivable. Its papers are issued by ``exchange.payout.claim``.
    """
    receiving.lock_buyer(identity.get_organization(organization_id).id)
    queries.lock_account(organization_id)
    earnings = queries.unpaid_of(organization_id)
    payable, offset = _sums(earnings)
    if payable >= offset:
        raise NothingToClaim
    payout = _keep(organization_id, offset - payable, offset, PayoutWay.CLAIM)
    _settle(actor, payout, earnings)
    entries = postings.debt_claimed(organization_id, payable)
    ledger.post("payout_claimed", payout.id, f"payout:{payout.id}", clock.today(), entries, actor=actor)
    return payout


def approve(actor: Actor, payout_id: str) -> Payout:
    """Say yes to a payout; it may be sent once enough persons have. Raises PayoutMoved or SecondPersonNeeded."""
    payout = queries.lock_payout(payout_id)
    if payout.state == PayoutState.APPROVED and _person(actor) in queries.approvers_of(payout_id):
        return payout
    if payout.state != PayoutState.CREATED:
        raise PayoutMoved(state=payout.state)
    if not _approve(actor, payout) and not _is_approved(payout):
        raise SecondPersonNeeded
    if _is_approved(payout):
        _move(actor, payout, PayoutState.APPROVED)
    return payout


def put_in_file(actor: Actor, transfer_on: date) -> PayoutFile:
    """Send all approved payouts by bank in one file, each in one file only; raises NothingToTransfer or Invalid."""
    if transfer_on < clock.today():
        raise Invalid(errors=[{"pointer": "/transfer_on", "detail": "the day is over"}])
    payouts = queries.lock_for_file()
    if not payouts:
        raise NothingToTransfer
    own = identity.find_operator()
    account = queries.find_account(own.id) if own else None
    requester = _snapshot(account) if account else None
    file = PayoutFile(id=new_id("pyf"), transfer_on=transfer_on, requester=requester, created_at=clock.now())
    db.session.add(file)
    db.session.flush()
    for payout in payouts:
        payout.sent_at, payout.file_id = clock.now(), file.id
        _move(actor, payout, PayoutState.SENT)
    return file


def mark_sent(actor: Actor, payout_id: str) -> Payout:
    """Note that the bank or the gateway is being told; from now on it cannot be called off. Raises PayoutMoved."""
    payout = queries.lock_payout(payout_id)
    if payout.state == PayoutState.SENT and payout.file_id is None:
        return payout
    payout.sent_at = clock.now()
    _move(actor, payout, PayoutState.SENT)
    return payout


def renew_key(payout_id: str, spent: str) -> Payout:
    """Keep another key than the one under which the gateway only fails; parallel callers get the same. The payout."""
    payout = queries.lock_payout(payout_id)
    if payout.idempotency_key == spent:
        payout.idempotency_key = f"payout-{payout.id}-{new_id('key')}"
        db.session.flush()
    return payout


def mark_paid(actor: Actor, payout_id: str, paid_on: date, gateway_transfer_id: str | None = None) -> Payout:
    """Note that the money has moved, and book it; the same day again changes nothing.

    Raises PayoutMoved, ClaimNotCovered, or Invalid for a day in the future or before it was sent.
    """
    _lock_payer(payout_id)
    payout = queries.lock_payout(payout_id)
    if payout.state == PayoutState.PAID and payout.paid_on == paid_on:
        return payout
    if payout.state not in MOVES[PayoutState.PAID]:
        raise PayoutMoved(state=payout.state)
    _check_day(payout, paid_on)
    payout.paid_on = paid_on
    payout.gateway_transfer_id = gateway_transfer_id
    _move(actor, payout, PayoutState.PAID)
    ledger.post("payout_paid", _told_as(payout), f"payout_paid:{payout.id}", paid_on, _paid(payout), actor=actor)
    return payout


def mark_failed(actor: Actor, payout_id: str, reason: str) -> Payout:
    """Note that the money did not arrive, and let the provider draw it again; twice is as once.

    Raises PayoutMoved.
    """
    payout = queries.lock_payout(payout_id)
    if payout.state == PayoutState.FAILED:
        return payout
    if payout.way == PayoutWay.CLAIM.value:
        raise PayoutMoved(state=payout.state)
    was_paid = payout.state == PayoutState.PAID.value
    payout.failure = reason
    _move(actor, payout, PayoutState.FAILED)
    _give_back(actor, payout, was_paid=was_paid)
    return payout


def cancel(actor: Actor, payout_id: str) -> Payout:
    """Call off a payout that nobody has sent, and let the provider draw it again; raises PayoutMoved."""
    payout = queries.lock_payout(payout_id)
    if payout.state == PayoutState.CANCELLED:
        return payout
    _move(actor, payout, PayoutState.CANCELLED)
    _give_back(actor, payout, was_paid=False)
    return payout


def mark_shown(payout_id: str, earnings: Sequence[Earning]) -> None:
    """Note that these earnings stand on the papers of a payout."""
    # One array: a list of parameters ends at 65,535 of them.
    shown = literal([earning.id for earning in earnings], ARRAY(Text))
    chosen = (PayoutItem.payout_id == payout_id, PayoutItem.earning_id == any_(shown))
    db.session.execute(update(PayoutItem).where(*chosen).values(shown=True))


def _keep(organization_id: str, amount_yen: int, offset_yen: int, way: PayoutWay) -> Payout:
    payout_id, claimed = new_id("pyt"), way is PayoutWay.CLAIM
    return Payout(
        id=payout_id,
        organization_id=organization_id,
        amount_yen=amount_yen,
        offset_yen=offset_yen,
        way=way.value,
        account={},
        # Nothing leaves us with a claim, so that nobody needs to approve it.
        state=(PayoutState.SENT if claimed else PayoutState.CREATED).value,
        idempotency_key=f"payout-{payout_id}",
        created_at=clock.now(),
        sent_at=clock.now() if claimed else None,
    )


def _settle(actor: Actor, payout: Payout, earnings: Sequence[Earning]) -> None:
    db.session.add(payout)
    db.session.flush()
    items = [{"payout_id": payout.id, "earning_id": one.id, "freed": False, "shown": False} for one in earnings]
    db.session.execute(insert(PayoutItem), items)
    _record(actor, Verb.PAYOUT_CREATED, payout)


def _sums(earnings: Sequence[Earning]) -> tuple[int, int]:
    offsets = (rules.offset_of(one.via, one.commission_yen, one.commission_tax_yen) for one in earnings)
    return sum(one.payable_yen for one in earnings), sum(offsets)


def _is_verified(organization_id: str) -> bool:
    return identity.get_organization(organization_id).state == OrganizationState.VERIFIED


def _snapshot(account: PayoutAccount) -> dict[str, str | None]:
    return {name: getattr(account, name) for name in _ACCOUNT_FIELDS}


def _commitment(organization_id: str, account: dict[str, str | None]) -> str:
    # The number stays out of the record, which many read for good; its bare hash would not, since there are few
    # enough numbers to try all. Under one salt an organization's accounts can still be told from each other.
    return commitments.commitment_to(organization_id, account)


def _approve(actor: Actor, payout: Payout) -> bool:
    row = {"payout_id": payout.id, "approver": _person(actor), "approved_at": clock.now()}
    statement = postgresql.insert(PayoutApproval).values(row).on_conflict_do_nothing()
    return db.session.execute(statement.returning(PayoutApproval.approver)).one_or_none() is not None


def _person(actor: Actor) -> str:
    # Credentials stand for persons: a member, or the client that one uses; the terminal of the server is one.
    return actor.member_id or actor.client_id or actor.organization_id


def _is_approved(payout: Payout) -> bool:
    needed = rules.persons_needed(payout.amount_yen, settings.current().payout_approval_yen)
    return len(queries.approvers_of(payout.id)) >= needed


def _move(actor: Actor, payout: Payout, to: PayoutState) -> None:
    if payout.state not in MOVES[to]:
        raise PayoutMoved(state=payout.state)
    payout.state = to.value
    db.session.flush()
    _record(actor, _VERBS[to], payout)


def _lock_payer(payout_id: str) -> None:
    payout = queries.require_payout(payout_id)
    if payout.way == PayoutWay.CLAIM.value:
        # Before the payout's row, as everywhere: what is unapplied is decided upon under this lock alone.
        receiving.lock_buyer(payout.organization_id)


def _check_day(payout: Payout, paid_on: date) -> None:
    sent_on = (payout.sent_at or payout.created_at).astimezone(clock.JST).date()
    if not sent_on <= paid_on <= clock.today():
        raise Invalid(errors=[{"pointer": "/paid_on", "detail": f"{sent_on} to {clock.today()}"}])


def _paid(payout: Payout) -> list[postings.Entry]:
    if payout.way != PayoutWay.CLAIM.value:
        return postings.payout_paid(payout.amount_yen, _source(payout))
    covered = receivables.unapplied_yen(payout.organization_id)
    if covered < payout.amount_yen:
        raise ClaimNotCovered(unapplied_yen=covered)
    return postings.unapplied_used(payout.amount_yen, payout.organization_id)


def _give_back(actor: Actor, payout: Payout, *, was_paid: bool) -> None:
    db.session.execute(update(PayoutItem).where(PayoutItem.payout_id == payout.id).values(freed=True))
    whose = (payout.organization_id, payout.amount_yen + payout.offset_yen, payout.offset_yen)
    returned, never_left = postings.payout_returned, postings.payout_failed
    entries = returned(*whose, _source(payout)) if was_paid else never_left(*whose)
    ledger.post("payout_failed", _told_as(payout), f"payout_failed:{payout.id}", clock.today(), entries, actor=actor)


def _source(payout: Payout) -> str:
    return postings.BANK if payout.way == PayoutWay.BANK.value else postings.CLEARING


def _told_as(payout: Payout) -> str:
    # The gateway's own name ties the posting to its balance transaction.
    return payout.gateway_transfer_id or payout.id


def _record(actor: Actor, verb: Verb, payout: Payout) -> None:
    audit.record(
        actor,
        verb,
        subject=payout.id,
        counterparty=payout.organization_id,
        amount_minor=payout.amount_yen,
        facts={"way": payout.way, "account_commitment": _commitment(payout.organization_id, payout.account)},
    )
