"""What period an invoice names, and that one pair's trouble is not another's."""

from datetime import UTC, date, datetime

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.billing import invoices, ledger_queries, postings
from marketplace.billing.ledger_models import LedgerAccount
from marketplace.exchange import settlement
from marketplace.exchange.errors import SettlementIncomplete
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from tests.factories.access import GrantFactory, OfferOnFactory, PaidOrderFactory
from tests.factories.metering import entitlement_of, fetch, granted

MIDDAY = datetime(2026, 11, 10, 3, tzinfo=UTC)
LAST_MINUTE = datetime(2026, 11, 30, 14, 59, tzinfo=UTC)
MONTH_END = datetime(2026, 11, 30, 15, tzinfo=UTC)  # midnight in Japan


def metered_grant() -> GrantFactory:
    """A grant of an offer at 1 yen a byte, with its accounting open."""
    offer = OfferOnFactory(price_kind="per_unit", unit_yen=2**20, rails=["invoice"])
    return granted(order=PaidOrderFactory(offer=offer, price_kind="per_unit"))


def used(grant: object, at: datetime, content: bytes = b"0123456789") -> None:
    """Fetch ten bytes at an instant."""
    with clock.stopped(at):
        fetch(entitlement_of(content, grant=grant))


def test_a_settlement_at_midnight_bills_the_month_that_ended(app: Flask) -> None:
    del app
    grant = metered_grant()
    used(grant, MIDDAY)
    used(grant, LAST_MINUTE, b"abcdefghij")

    (invoice,) = settlement.settle(SYSTEM, MONTH_END)

    assert (invoice.period_from, invoice.period_to) == (date(2026, 11, 10), date(2026, 11, 30))
    assert invoice.transaction_on == date(2026, 11, 30)
    assert invoice.amount_net_yen == 20


def test_the_next_settlement_begins_where_its_own_usage_does(app: Flask) -> None:
    del app
    grant = metered_grant()
    used(grant, MIDDAY)
    settlement.settle(SYSTEM, MONTH_END)
    used(grant, datetime(2026, 12, 5, 3, tzinfo=UTC), b"abcdefghij")

    (invoice,) = settlement.settle(SYSTEM, datetime(2026, 12, 31, 15, tzinfo=UTC))

    assert (invoice.period_from, invoice.period_to) == (date(2026, 12, 5), date(2026, 12, 31))
    assert invoice.amount_net_yen == 10


def test_a_pair_that_cannot_be_billed_leaves_the_others_their_invoices(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    del app
    grants = [metered_grant(), metered_grant()]
    for grant in grants:
        used(grant, MIDDAY)
    ill = grants[0].organization_id
    issue = invoices.issue

    def issue_but_for_one(actor: object, draft: invoices.InvoiceDraft, **more: object) -> object:
        if draft.recipient.organization_id == ill:
            raise ValueError("this pair is ill")
        return issue(actor, draft, **more)

    monkeypatch.setattr(invoices, "issue", issue_but_for_one)
    with pytest.raises(SettlementIncomplete) as refused:
        settlement.settle(SYSTEM, MONTH_END)
    assert [pair["organization_id"] for pair in refused.value.members["failed"]] == [ill]
    assert len(refused.value.members["issued"]) == 1

    monkeypatch.setattr(invoices, "issue", issue)
    (invoice,) = settlement.settle(SYSTEM, MONTH_END)
    assert (invoice.recipient_organization_id, invoice.amount_net_yen) == (ill, 10)


def test_accounts_are_made_before_the_counter_of_invoice_numbers_is_held(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    del app
    grant = metered_grant()
    used(grant, MIDDAY)
    issue, known = invoices.issue, []

    def issue_and_look(actor: object, draft: invoices.InvoiceDraft, **more: object) -> object:
        known.extend(db.session.scalars(select(LedgerAccount.code)))
        return issue(actor, draft, **more)

    monkeypatch.setattr(invoices, "issue", issue_and_look)
    settlement.settle(SYSTEM, MONTH_END)

    moved = {line.account for txn in ledger_queries.list_transactions().items for line in txn.entries}
    assert moved <= set(known)
    assert postings.receivable(grant.organization_id) in moved
