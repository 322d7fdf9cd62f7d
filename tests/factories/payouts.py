"""Payouts of what was sold: accounts, persons who approve, and sales whose hold period is over."""

from datetime import date

from flask import Flask

from marketplace.billing import sales
from marketplace.billing.documents.models import Document
from marketplace.billing.payouts import queries, service
from marketplace.billing.payouts.models import Payout, PayoutAccount
from marketplace.billing.payouts.rules import AccountDraft
from marketplace.billing.payouts.states import AccountType
from marketplace.exchange import payout as story
from marketplace.identity.actors import SYSTEM, Actor, on_behalf_of
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import market, money
from tests.factories.identity import ApiClientFactory, actor_of
from tests.factories.sales import Trade

FAR = date(2099, 1, 1)
HOLDER = "カ）サッポロデータ"


def account_draft(**changes: object) -> AccountDraft:
    """An ordinary account at a bank in Sapporo."""
    said: dict[str, object] = {
        "bank_code": "0501",
        "branch_code": "013",
        "account_type": AccountType.ORDINARY,
        "account_number": "0123456",
        "holder_kana": HOLDER,
        "is_business": True,
    }
    return AccountDraft(**(said | changes))  # type: ignore[arg-type] # a test may say what is wrong


def account_of(provider_id: str, **changes: object) -> PayoutAccount:
    """Name the account of a provider."""
    with transaction():
        return service.name_account(on_behalf_of(provider_id), account_draft(**changes))


def operator(**traits: object) -> Actor:
    """A person of the operator, which is registered for the consumption tax."""
    return market.party(operator=True, **({"invoice_registration_number": market.REGISTRATION} | traits))


def colleague(of: Actor) -> Actor:
    """Another person of the same organization, with credentials of its own."""
    with transaction():
        organization = db.session.get(Organization, of.organization_id)
        return actor_of(organization, ApiClientFactory(organization=organization))


def released(until: date = FAR) -> None:
    """Let every hold period be over."""
    with transaction():
        sales.release_due(SYSTEM, until)


def earned(app: Flask, yen: int = 20_000, **account: object) -> str:
    """A provider with an account and one sale that it may draw; returns the provider's id."""
    provider = money.sold(app, yen).order.provider_organization_id
    account_of(provider, **account)
    released()
    return provider


def drawn(actor: Actor, provider_id: str) -> Payout:
    """Draw a payout of a provider."""
    with transaction():
        return service.draw(actor, provider_id)


def now(payout_id: str) -> Payout:
    """A payout as it is now."""
    db.session.expire_all()
    return queries.require_payout(payout_id)


def paid(actor: Actor, provider_id: str) -> Payout:
    """Draw, send and pay a payout by bank."""
    payout = drawn(actor, provider_id)
    with transaction():
        service.put_in_file(actor, clock.today())
        story.note_paid(actor, payout.id, clock.today())
    return now(payout.id)


def papers_of(payout_id: str) -> dict[str, Document]:
    """The papers of a payout by their kind."""
    found = db.session.query(Document).filter(Document.about.contains([payout_id])).all()
    return {document.kind: document for document in found}


def traded(trade: Trade, *refs: str, on: date | None = None, **said: object) -> None:
    """Book sales in a trade, whose money may be drawn."""
    for ref in refs:
        trade.book(ref=ref, on=on or clock.today(), **said)
    released()
