"""Offers to one buyer, offers that end, revenue that is shared, prices by the row."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from marketplace.audit.models import Entry
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.licensing import queries, service
from marketplace.licensing.errors import BuyerNotEligible, OfferNotOpen, PayeeNotEligible, RowsNotCounted
from marketplace.licensing.models import Offer
from marketplace.licensing.offers import Discount, Share
from marketplace.licensing.prices import Price, Tier, read_price
from marketplace.licensing.states import DiscountClass, PriceKind, Rail, UsageUnit
from tests.factories import licensing as make
from tests.factories.access import release_with
from tests.factories.identity import ApiClientFactory, OrganizationFactory, actor_of

pytestmark = pytest.mark.usefixtures("session")


def party(**traits):
    organization = OrganizationFactory(**traits)
    return actor_of(organization, ApiClientFactory(organization=organization))


def state():
    return [db.session.scalar(select(func.count()).select_from(table)) for table in (Offer, Entry)]


def refused(kind, actor, **fields):
    fields |= {"dataset_id": make.dataset_of(actor).id, "terms_id": make.terms_of(actor).id}
    before = state()
    with pytest.raises(kind) as caught:
        make.offer_of(actor, **fields)
    assert state() == before
    return [error["pointer"] for error in caught.value.errors]


def test_everything_that_an_offer_says_is_kept_as_it_was_said():
    provider, partner, buyer = make.provider(), make.provider(), make.buyer()
    until = clock.now() + timedelta(days=7)
    price = read_price(
        {"kind": "graduated", "unit": "request", "tiers": [{"up_to": "100", "unit_yen": "0.5"}, {"unit_yen": "0.25"}]}
    )
    offer = make.offer_of(
        provider,
        price=price,
        rails=(Rail.INVOICE, Rail.CARD),
        buyer_organization_id=buyer.organization_id,
        valid_until=until,
        shares=(Share(partner.organization_id, 3_333), Share(provider.organization_id, 6_667)),
        discounts=(Discount(DiscountClass.SAME_CITY, 1_000),),
        fee_ordinance="札幌市手数料条例第2条",
    )
    db.session.expire_all()
    kept = queries.get_offer(offer.id)
    assert queries.price_of(kept) == price
    assert isinstance(queries.price_of(kept).tiers[0], Tier)
    assert queries.rails_of(kept) == (Rail.INVOICE, Rail.CARD)
    assert queries.shares_of(kept) == ((provider.organization_id, 6_667), (partner.organization_id, 3_333))
    assert queries.discounts_of(kept) == {DiscountClass.SAME_CITY: 1_000}
    assert (kept.valid_until, kept.fee_ordinance) == (until, "札幌市手数料条例第2条")


def test_what_is_not_said_is_paid_by_card_and_all_the_providers():
    provider = make.provider()
    offer = make.offer_of(provider)
    assert queries.rails_of(offer) == (Rail.CARD,)
    assert queries.shares_of(offer) == ((provider.organization_id, 10_000),)
    assert queries.discounts_of(offer) == {}
    free = make.terms_of(provider, template="cc-by-4.0", notices=None)
    assert queries.rails_of(make.offer_of(provider, terms_id=free.id, price=Price(PriceKind.FREE))) == ()


def test_a_private_offer_exists_for_its_two_parties_and_overseers_alone():
    provider, buyer = make.provider(), make.buyer()
    operator, auditor = party(operator=True), party(auditor=True)
    dataset = make.dataset_of(provider)
    public = make.offer_of(provider, dataset_id=dataset.id)
    private = make.offer_of(provider, dataset_id=dataset.id, buyer_organization_id=buyer.organization_id)

    def seen(reader):
        return [offer.id for offer in queries.list_offers(dataset.id, reader=reader).items]

    for insider in (provider, buyer, operator, auditor):
        assert seen(insider) == [private.id, public.id]
        assert queries.may_see(insider, private)
    for outsider in (None, make.buyer(), make.provider()):
        assert seen(outsider) == [public.id]
        assert not queries.may_see(outsider, private)
    assert queries.lock_open_offer(private.id, buyer) is private
    with pytest.raises(NotFound):
        queries.lock_open_offer(private.id, make.buyer())
    assert queries.has_private_offer(buyer, dataset.id)
    assert not queries.has_private_offer(make.buyer(), dataset.id)


def test_nobody_else_learns_of_the_terms_of_a_private_offer_by_accepting_them():
    provider, buyer = make.provider(), make.buyer()
    private = make.offer_of(provider, buyer_organization_id=buyer.organization_id)
    with pytest.raises(NotFound):
        service.accept_terms(make.buyer(), private.terms_sha256)
    assert service.accept_terms(buyer, private.terms_sha256).terms_sha256 == private.terms_sha256


def test_a_private_offer_is_made_to_one_verified_buyer_who_is_somebody_else():
    provider = party(provider=True, capacities=["provider", "buyer"])
    unverified = OrganizationFactory(buyer=True, state="applied", verified_at=None)
    for buyer_id in (provider.organization_id, make.provider().organization_id, unverified.id, "org_none"):
        assert refused(BuyerNotEligible, provider, buyer_organization_id=buyer_id) == ["/buyer_organization_id"]


def test_the_record_names_the_buyer_of_a_private_offer():
    provider, buyer = make.provider(), make.buyer()
    private = make.offer_of(provider, buyer_organization_id=buyer.organization_id)
    entry = db.session.scalar(select(Entry).where(Entry.subject == private.id))
    assert entry.counterparty_id == buyer.organization_id


def test_after_its_last_instant_an_offer_is_open_no_more():
    provider, buyer = make.provider(), make.buyer()
    offer = make.offer_of(provider, valid_until=clock.now() + timedelta(days=7))
    service.accept_terms(buyer, offer.terms_sha256)
    with clock.stopped(offer.valid_until - timedelta(microseconds=1)):
        assert queries.lock_open_offer(offer.id, buyer) is offer
        assert queries.list_offers(offer.dataset_id).items == [offer]
    with clock.stopped(offer.valid_until):
        with pytest.raises(OfferNotOpen) as caught:
            queries.lock_open_offer(offer.id, buyer)
        assert caught.value.members == {"state": "expired"}
        assert queries.list_offers(offer.dataset_id).items == []
        assert queries.list_offers(offer.dataset_id, open_only=False).items == [offer]
        with pytest.raises(NotFound):
            service.accept_terms(make.buyer(), offer.terms_sha256)
        assert service.withdraw_offer(provider, offer.id).state == "withdrawn"


def test_revenue_is_shared_among_verified_providers_alone():
    """Individuals, buyers and strangers are no payees; nobody learns from the refusal who exists."""
    provider = make.provider()
    suspended = OrganizationFactory(provider=True, suspended=True)
    for payee in (make.buyer().organization_id, suspended.id, "org_none"):
        shares = (Share(provider.organization_id, 5_000), Share(payee, 5_000))
        assert refused(PayeeNotEligible, provider, shares=shares) == ["/shares/1/organization_id"]


def test_the_provider_itself_has_a_share():
    provider, partner = make.provider(), make.provider()
    assert refused(Invalid, provider, shares=(Share(partner.organization_id, 10_000),)) == ["/shares"]


def test_only_those_who_share_know_how():
    provider, partner, buyer = make.provider(), make.provider(), make.buyer()
    shares = (Share(provider.organization_id, 1), Share(partner.organization_id, 9_999))
    offer = make.offer_of(provider, shares=shares)
    assert all(queries.may_see_shares(who, offer) for who in (provider, partner, party(auditor=True)))
    assert not any(queries.may_see_shares(who, offer) for who in (None, buyer, make.provider()))


BY_THE_ROW = read_price({"kind": "per_unit", "unit": "row", "unit_yen": "0.1"})


def test_a_price_by_the_row_needs_files_whose_rows_are_counted():
    provider = make.provider()
    dataset = make.dataset_of(provider)
    assert make.offer_of(provider, dataset_id=dataset.id, price=BY_THE_ROW).price["unit"] == "row"
    db.session.execute(Offer.__table__.metadata.tables["dataset"].update().values(state="published"))
    release_with(dataset.id, {"写真.zip": b"PK"})
    before = state()
    with pytest.raises(RowsNotCounted) as caught:
        make.offer_of(provider, dataset_id=dataset.id, terms_id=make.terms_of(provider).id, price=BY_THE_ROW)
    assert caught.value.errors == [{"pointer": "/price/unit", "detail": "写真.zip"}]
    assert state()[0] == before[0]
    by_request = Price(PriceKind.PER_UNIT, unit=UsageUnit.REQUEST, unit_yen=BY_THE_ROW.unit_yen)
    assert make.offer_of(provider, dataset_id=dataset.id, price=by_request)
