"""Purchase: what is refused, what it costs, and that it is fulfilled once."""

from datetime import timedelta

import pytest
from flask import Flask

from marketplace.access import queries as grants
from marketplace.access.queries import list_entitled_files
from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.billing import ledger_queries, queries
from marketplace.billing.errors import OrderNotFound
from marketplace.catalog import service as catalog
from marketplace.exchange import listing, purchase
from marketplace.exchange.errors import NothingToDeliver, OwnOffer, TermsDiffer
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.errors import NotFound, Refusal
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.licensing.errors import OfferNotOpen
from marketplace.licensing.models import Offer
from marketplace.licensing.states import PriceKind, ReleaseScope
from marketplace.metering import queries as metering
from tests.factories import market
from tests.factories.catalog import DatasetDraftFactory


def balances() -> dict[str, int]:
    return {row.code: row.balance_minor for row in ledger_queries.trial_balance().accounts if row.balance_minor}


def deeds(subject: str) -> list[str]:
    found = record.search_entries(record.Search(subject=subject), size=100)
    return [placed.entry.verb for placed in reversed(found.items)]


def place(who: Actor, offer: Offer, sha256: str | None = None) -> str:
    with transaction():
        return purchase.place_order(who, offer.id, sha256 or offer.terms_sha256)


def refused(reason: type[Refusal], who: Actor, offer: Offer, sha256: str | None = None) -> None:
    with pytest.raises(reason):
        place(who, offer, sha256)
    assert not queries.list_orders(who).items
    assert not grants.list_grants(who).items


def test_a_free_offer_is_fulfilled_at_once_without_money(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    offer = market.offered(on, PriceKind.FREE, quota_bytes=1000, quota_downloads=3, duration_days=30)
    made = purchase.read(buyer, place(buyer, offer))
    assert (made.order.state, made.payment, made.invoice_id) == ("fulfilled", None, None)
    assert balances() == {}
    grant = grants.get_grant(buyer, made.grant_id)
    assert grant.expires_at - grant.starts_at == timedelta(days=30)
    quota = metering.get_quota(grant.id)
    assert (quota.limit_bytes, quota.limit_downloads) == (1000, 3)
    assert deeds(made.order.id) == [Verb.ORDER_PLACED, Verb.ORDER_PAID, Verb.ORDER_FULFILLED]


def test_a_metered_offer_costs_nothing_yet(app: Flask) -> None:
    buyer = market.buyer()
    made = market.ordered(buyer, market.offered(market.listed(), PriceKind.PER_UNIT, 300))
    assert (made.order.state, made.order.amount_gross_yen, made.payment, made.invoice_id) == (
        "fulfilled",
        0,
        None,
        None,
    )
    assert made.grant_id


def test_a_paid_order_has_its_grant_invoice_and_postings_to_the_yen(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    made = market.bought(app, buyer, market.offered(on, PriceKind.ONE_OFF, 12_345))
    order = made.order
    assert (order.amount_net_yen, order.amount_tax_yen, order.amount_gross_yen) == (12_345, 1_234, 13_579)
    assert order.state == "fulfilled"
    invoice = queries.get_invoice(buyer, made.invoice_id)
    assert (invoice.amount_net_yen, invoice.amount_tax_yen, invoice.amount_gross_yen) == (12_345, 1_234, 13_579)
    assert invoice.state == "paid"
    assert invoice.registration_number == market.REGISTRATION
    # 10 % commission of the net price, floored, and 10 % tax on it, floored.
    fee = balances().pop("Expenses:PaymentProcessing")
    assert balances() == {
        "Assets:Clearing:Stripe": 13_579 - fee,
        f"Liabilities:Provider:{on.provider.organization_id}:Pending": -(13_579 - 1_234 - 123),
        "Income:MarketplaceFee": -1_234,
        "Liabilities:ConsumptionTax:Output": -123,
        "Expenses:PaymentProcessing": fee,
    }
    assert fee > 0
    assert [file.release_id for file in list_entitled_files(buyer, made.grant_id)] == [on.release_id]


def test_a_seller_without_registration_charges_no_tax(app: Flask) -> None:
    on, buyer = market.listed(market.seller(registered=False)), market.buyer()
    made = market.bought(app, buyer, market.offered(on, PriceKind.ONE_OFF, 999))
    invoice = queries.get_invoice(buyer, made.invoice_id)
    assert (invoice.amount_net_yen, invoice.amount_tax_yen, invoice.registration_number) == (999, 0, None)
    assert balances()["Liabilities:ConsumptionTax:Output"] == -9
    assert balances()["Income:MarketplaceFee"] == -99


def test_the_same_offer_can_be_bought_again(app: Flask) -> None:
    buyer = market.buyer()
    offer = market.offered(market.listed(), PriceKind.FREE)
    first, second = market.ordered(buyer, offer), market.ordered(buyer, offer)
    assert first.grant_id != second.grant_id
    assert first.order.acceptance_id == second.order.acceptance_id


def test_a_provider_does_not_buy_from_itself(app: Flask) -> None:
    on = market.listed()
    refused(OwnOffer, on.provider, market.offered(on, PriceKind.FREE))


def test_other_terms_than_those_of_the_offer_are_not_accepted(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    other = market.offered(on, PriceKind.FREE)
    with pytest.raises(TermsDiffer) as refusal:
        place(buyer, offer := market.offered(on, PriceKind.FREE), other.terms_sha256)
    assert refusal.value.members == {"terms_sha256": offer.terms_sha256}
    refused(TermsDiffer, buyer, offer, "0" * 64)


def test_an_unknown_offer_is_not_found(app: Flask) -> None:
    buyer = market.buyer()
    for unknown in (new_id("ofr"), "ofr_\0", ""):
        with pytest.raises(NotFound), transaction():
            purchase.place_order(buyer, unknown, "0" * 64)


def test_a_superseded_or_withdrawn_offer_is_refused(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    old = market.offered(on, PriceKind.FREE)
    with transaction():
        new = listing.supersede_offer(
            on.provider, old.id, market.offer_draft(on.provider, on.dataset_id, PriceKind.FREE)
        )
    refused(OfferNotOpen, buyer, old)
    with transaction():
        listing.withdraw_offer(on.provider, new.id)
    refused(OfferNotOpen, buyer, new)


def test_an_offer_of_nothing_is_refused_unless_it_includes_what_is_to_come(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    current, every = (market.offered(on, PriceKind.FREE, scope=scope) for scope in ReleaseScope)
    with transaction():
        listing.withdraw_release(on.provider, on.release_id)
    refused(NothingToDeliver, buyer, current)
    made = market.ordered(buyer, every)
    assert not list_entitled_files(buyer, made.grant_id)
    later = market.release_of(on.provider, on.dataset_id)
    assert [file.release_id for file in list_entitled_files(buyer, made.grant_id)] == [later]


def test_a_withdrawn_dataset_sells_nothing_more(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    every = market.offered(on, PriceKind.FREE, scope=ReleaseScope.ALL)
    with transaction():
        listing.withdraw_dataset(on.provider, on.dataset_id)
    refused(NothingToDeliver, buyer, every)


@pytest.mark.parametrize("scope", list(ReleaseScope))
def test_what_the_buyer_saw_when_ordering_is_granted_though_it_was_withdrawn_before_the_money_came(
    app: Flask, scope: ReleaseScope
) -> None:
    on, buyer = market.listed(), market.buyer()
    made = market.ordered(buyer, market.offered(on, scope=scope))
    with transaction():
        listing.withdraw_release(on.provider, on.release_id)
    later = market.release_of(on.provider, on.dataset_id)
    market.visit(app, made)
    market.learn()
    grant_id = purchase.read(buyer, made.order.id).grant_id
    granted = {file.release_id for file in list_entitled_files(buyer, grant_id)}
    assert granted == {on.release_id} | ({later} if scope is ReleaseScope.ALL else set())


def test_a_price_holds_from_the_order_on(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    offer = market.offered(on, PriceKind.ONE_OFF, 5000)
    made = market.ordered(buyer, offer)
    with transaction():
        dearer = market.offer_draft(on.provider, on.dataset_id, PriceKind.ONE_OFF, 9000)
        listing.supersede_offer(on.provider, offer.id, dearer)
    market.visit(app, made)
    market.learn()
    assert purchase.read(buyer, made.order.id).order.amount_gross_yen == 5500


def test_fulfilling_twice_changes_nothing(app: Flask) -> None:
    buyer = market.buyer()
    made = market.bought(app, buyer, market.offered(market.listed()))
    before = balances()
    with transaction():
        purchase.fulfil(made.order.id)
    assert balances() == before
    assert len(grants.list_grants(buyer).items) == 1
    assert len(queries.list_invoices(buyer).items) == 1


def test_a_strangers_order_is_not_found(app: Flask) -> None:
    made = market.ordered(market.buyer(), market.offered(market.listed(), PriceKind.FREE))
    with pytest.raises(OrderNotFound):
        purchase.read(market.buyer(), made.order.id)


def test_an_order_of_the_last_day_of_a_month_in_japan_is_dated_there(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    with clock.stopped(clock.parse("2026-11-30T23:59:59+09:00")):
        made = market.ordered(buyer, market.offered(on))
        market.visit(app, made)
        market.learn()
    invoice = queries.get_invoice(buyer, purchase.read(buyer, made.order.id).invoice_id)
    assert invoice.transaction_on.isoformat() == "2026-11-30"


def test_an_unpublished_dataset_is_not_sold_whatever_releases_are_to_come(app: Flask) -> None:
    del app
    provider, buyer = market.seller(), market.buyer()
    with transaction():
        dataset_id = catalog.register_dataset(provider, DatasetDraftFactory()).id
    coming = market.offered(market.Listed(provider, dataset_id, ""), PriceKind.FREE, scope=ReleaseScope.ALL)
    refused(NothingToDeliver, buyer, coming)
    market.release_of(provider, dataset_id)
    assert place(buyer, coming)
