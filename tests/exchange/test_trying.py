"""A trial is a grant for some days and bytes, once for each organization and dataset."""

import pytest
from flask import Flask

from marketplace.access import queries as grants
from marketplace.access import trials
from marketplace.access.errors import TriedAlready
from marketplace.access.trials import TrialDraft
from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings
from marketplace.exchange import listing, purchase, trying
from marketplace.exchange.errors import OwnOffer, TermsDiffer
from marketplace.identity.actors import Actor
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries as licensing
from marketplace.licensing import service as terms_of_use
from marketplace.licensing.errors import OfferNotOpen
from marketplace.licensing.models import Terms
from marketplace.licensing.rules import TermsDraft
from marketplace.metering import queries as metering
from tests.catalog.test_catalog_races import entries, lost, race, won
from tests.factories import market

DAYS, BYTES = 7, 1_000_000


def free_terms(provider: Actor, template: str = "public-interest") -> Terms:
    with transaction():
        return terms_of_use.write_terms(provider, TermsDraft({"template": template}))


def tried(on: market.Listed, terms: Terms) -> None:
    with transaction():
        trying.offer(on.provider, on.dataset_id, TrialDraft(terms.id, DAYS, BYTES))


def taken(actor: Actor, on: market.Listed, terms: Terms) -> str:
    with transaction():
        return trying.take(actor, on.dataset_id, terms.sha256)


def test_a_trial_is_a_pinned_grant_of_its_days_and_bytes(app: Flask) -> None:
    del app
    on, buyer = market.listed(), market.buyer()
    terms = free_terms(on.provider)
    tried(on, terms)

    order_id = taken(buyer, on, terms)

    bought = purchase.read(buyer, order_id)
    assert bought.grant_id is not None
    grant = grants.get_grant(buyer, bought.grant_id)
    assert grant.expires_at is not None
    assert (grant.expires_at - grant.starts_at).days == DAYS
    assert grant.release_scope == "current"
    assert metering.get_quota(grant.id).limit_bytes == BYTES
    assert (bought.order.amount_gross_yen, bought.invoice_id) == (0, None)
    for verb in (Verb.TRIAL_OFFERED, Verb.TRIAL_TAKEN, Verb.GRANT_ISSUED):
        assert entries(verb) == 1
    entry = record.search_entries(record.Search(verb=Verb.TRIAL_TAKEN.value)).items[0].entry
    assert (entry.subject, entry.facts) == (order_id, {"duration_days": DAYS, "quota_bytes": str(BYTES)})


def test_a_trial_is_had_once_and_its_offer_is_closed(app: Flask) -> None:
    del app
    on, buyer = market.listed(), market.buyer()
    terms = free_terms(on.provider)
    tried(on, terms)
    first = taken(buyer, on, terms)
    with pytest.raises(TriedAlready) as refused:
        taken(buyer, on, terms)
    assert refused.value.members["order_id"] == first
    order = purchase.read(buyer, first).order
    with pytest.raises(OfferNotOpen), transaction():
        purchase.place_order(buyer, order.offer_id, terms.sha256)
    assert licensing.list_offers(on.dataset_id, reader=buyer).items == []
    assert taken(market.buyer(), on, terms) != first
    assert entries(Verb.TRIAL_TAKEN) == 2


def test_the_listing_shows_the_trial_until_it_ends(app: Flask) -> None:
    del app
    on, buyer = market.listed(), market.buyer()
    terms = free_terms(on.provider)
    tried(on, terms)
    shown = listings.find_listing(on.dataset_id)
    assert shown is not None
    assert shown.document["trial"] == {
        "terms_id": terms.id, "terms_sha256": terms.sha256, "duration_days": DAYS, "quota_bytes": BYTES,
    }  # fmt: skip
    assert shown.document["offers"] == []
    with transaction():
        trying.end(on.provider, on.dataset_id)
    shown = listings.find_listing(on.dataset_id)
    assert shown is not None
    assert shown.document["trial"] is None
    with pytest.raises(NotFound):
        taken(buyer, on, terms)
    with pytest.raises(NotFound), transaction():
        trying.end(on.provider, on.dataset_id)


def test_what_no_trial_may_be_is_refused_and_changes_nothing(app: Flask) -> None:
    del app
    on, buyer, stranger = market.listed(), market.buyer(), market.seller()
    dear, free = free_terms(on.provider, "standard-commercial"), free_terms(on.provider)
    for draft in (TrialDraft(dear.id, DAYS, BYTES), TrialDraft(free.id, 0, BYTES), TrialDraft(free.id, DAYS, 0)):
        with pytest.raises(Invalid), transaction():
            trying.offer(on.provider, on.dataset_id, draft)
    with pytest.raises(NotFound), transaction():
        trying.offer(stranger, on.dataset_id, TrialDraft(free.id, DAYS, BYTES))
    assert trials.find_policy(on.dataset_id) is None
    tried(on, free)
    with pytest.raises(TermsDiffer), transaction():
        trying.take(buyer, on.dataset_id, "0" * 64)
    with pytest.raises(OwnOffer), transaction():
        trying.take(on.provider, on.dataset_id, free.sha256)
    with pytest.raises(NotFound), transaction():
        trying.take(buyer, "ds_0", free.sha256)
    assert entries(Verb.TRIAL_TAKEN) == 0
    assert taken(buyer, on, free)


def test_of_a_withdrawn_dataset_nothing_is_tried(app: Flask) -> None:
    del app
    on, buyer = market.listed(), market.buyer()
    terms = free_terms(on.provider)
    tried(on, terms)
    with transaction():
        listing.withdraw_dataset(on.provider, on.dataset_id)
    with pytest.raises(NotFound):
        taken(buyer, on, terms)


def test_of_many_who_ask_for_one_organization_at_once_one_gets_the_trial(own_database: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    terms = free_terms(on.provider)
    sha256, dataset_id = terms.sha256, on.dataset_id
    tried(on, terms)
    outcomes = race(own_database, lambda _n: trying.take(buyer, dataset_id, sha256))
    assert (len(won(outcomes)), lost(outcomes)) == (1, {TriedAlready})
    assert entries(Verb.TRIAL_TAKEN) == 1
    assert entries(Verb.GRANT_ISSUED) == 1
