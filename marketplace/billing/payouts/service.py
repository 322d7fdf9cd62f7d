"""Deeds of payouts: naming the account, drawing what is free, approving, and what the bank makes of it."""

from dataclasses import asdict
from datetime import date

from sqlalchemy import insert, update
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import ledger, postings
from marketplace.billing.payouts import queries, rules
from marketplace.billing.payouts.errors import PayoutMoved, SecondPersonNeeded
from marketplace.billing.payouts.models import Payout, PayoutAccount, PayoutApproval, PayoutItem
from marketplace.billing.payouts.rules import AccountDraft
from marketplace.billing.payouts.states import MOVES, PayoutState, PayoutWay
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, settings
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
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

    Raises PayeeAbroad, PayeeNotBusiness or Invalid.
    """
    values = asdict(rules.check_account(draft)) | {"account_type": draft.account_type.value}
    values |= {"organization_id": actor.organization_id, "changed_at": clock.now()}
    statement = postgresql.insert(PayoutAccount).values(values | {"receipt_agency_at": clock.now()})
    kept = statement.on_conflict_do_update(index_elements=["organization_id"], set_=values).returning(PayoutAccount)
    account = db.session.scalars(kept, execution_options={"populate_existing": True}).one()
    # The number itself stays out of the record: it is the provider's, and the record is read by many.
    digest = digest_of([getattr(account, name) for name in _ACCOUNT_FIELDS])
    audit.record(actor, Verb.PAYOUT_ACCOUNT_NAMED, subject=actor.organization_id, facts={"account_sha256": digest})
    return account


def draw(actor: Actor, organization_id: str) -> Payout | None:
    """Put all that a provider may draw into one payout, and book that it is on its way.

    None where that is less than the minimum payout, or there is no account to send it to. Whoever draws
    for the same provider at the same time waits, and finds nothing left.
    """
    account = queries.lock_account(organization_id)
    earnings = queries.unpaid_of(organization_id)
    amount = sum(earning.payable_yen for earning in earnings)
    if account is None or amount < max(settings.current().payout_minimum_yen, 1):
        return None
    payout = _keep(account, amount)
    items = [{"payout_id": payout.id, "earning_id": earning.id, "freed": False} for earning in earnings]
    db.session.execute(insert(PayoutItem), items)
    if actor.organization_id != SYSTEM.organization_id:
        _approve(actor, payout)
    _record(actor, Verb.PAYOUT_CREATED, payout)
    entries = postings.payout_created(organization_id, amount)
    ledger.post("payout_created", payout.id, f"payout:{payout.id}", clock.today(), entries, actor=actor)
    return payout


def approve(actor: Actor, payout_id: str) -> Payout:
    """Say yes to a payout; it may be sent once enough persons have. Raises PayoutMoved or SecondPersonNeeded."""
    payout = queries.lock_payout(payout_id)
    if payout.state != PayoutState.CREATED:
        raise PayoutMoved(state=payout.state)
    if not _approve(actor, payout) and not _is_approved(payout):
        raise SecondPersonNeeded
    if _is_approved(payout):
        _move(actor, payout, PayoutState.APPROVED)
    return payout


def mark_sent(actor: Actor, payout_id: str, gateway_transfer_id: str | None = None) -> Payout:
    """Note that the bank or the gateway has been told; raises PayoutMoved."""
    payout = queries.lock_payout(payout_id)
    payout.gateway_transfer_id = gateway_transfer_id
    payout.sent_at = clock.now()
    _move(actor, payout, PayoutState.SENT)
    return payout


def mark_paid(actor: Actor, payout_id: str, paid_on: date) -> Payout:
    """Note that the money has left us, and book it; raises PayoutMoved."""
    payout = queries.lock_payout(payout_id)
    _move(actor, payout, PayoutState.PAID)
    payout.paid_on = paid_on
    entries = postings.payout_paid(payout.amount_yen, _source(payout))
    ledger.post("payout_paid", _told_as(payout), f"payout_paid:{payout.id}", paid_on, entries, actor=actor)
    return payout


def mark_failed(actor: Actor, payout_id: str, reason: str) -> Payout:
    """Note that the money did not arrive, and let the provider draw it again; raises PayoutMoved."""
    payout = queries.lock_payout(payout_id)
    was_paid = payout.state == PayoutState.PAID.value
    _move(actor, payout, PayoutState.FAILED)
    payout.failure = reason
    _give_back(actor, payout, was_paid=was_paid)
    return payout


def cancel(actor: Actor, payout_id: str) -> Payout:
    """Call off a payout that nobody has sent, and let the provider draw it again; raises PayoutMoved."""
    payout = queries.lock_payout(payout_id)
    _move(actor, payout, PayoutState.CANCELLED)
    _give_back(actor, payout, was_paid=False)
    return payout


def _keep(account: PayoutAccount, amount_yen: int) -> Payout:
    payout_id = new_id("pyt")
    by_gateway = settings.current().stripe_connect == "transfers" and account.connect_account_id is not None
    payout = Payout(
        id=payout_id,
        organization_id=account.organization_id,
        amount_yen=amount_yen,
        way=(PayoutWay.CONNECT if by_gateway else PayoutWay.BANK).value,
        account={name: getattr(account, name) for name in (*_ACCOUNT_FIELDS, "connect_account_id")},
        state=PayoutState.CREATED.value,
        idempotency_key=f"payout-{payout_id}",
        created_at=clock.now(),
    )
    db.session.add(payout)
    db.session.flush()
    return payout


def _approve(actor: Actor, payout: Payout) -> bool:
    row = {"payout_id": payout.id, "approver": _person(actor), "approved_at": clock.now()}
    statement = postgresql.insert(PayoutApproval).values(row).on_conflict_do_nothing()
    return db.session.execute(statement.returning(PayoutApproval.approver)).one_or_none() is not None


def _person(actor: Actor) -> str:
    # Credentials stand for persons: a member, or the client that one uses.
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


def _give_back(actor: Actor, payout: Payout, *, was_paid: bool) -> None:
    db.session.execute(update(PayoutItem).where(PayoutItem.payout_id == payout.id).values(freed=True))
    provider, amount = payout.organization_id, payout.amount_yen
    returned, never_left = postings.payout_returned, postings.payout_failed
    entries = returned(provider, amount, _source(payout)) if was_paid else never_left(provider, amount)
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
        facts={"way": payout.way, "account_sha256": digest_of(payout.account)},
    )
