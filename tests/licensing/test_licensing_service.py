"""Deeds of licensing, and what they refuse."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog import service as catalog
from marketplace.catalog.errors import DatasetWithdrawn
from marketplace.identity.actors import Actor
from marketplace.identity.states import Capacity
from marketplace.kit import clock
from marketplace.kit.errors import Invalid, NotFound
from marketplace.licensing import queries, rules, service
from marketplace.licensing.errors import OfferNotOpen, TermsNotAccepted
from marketplace.licensing.models import Acceptance, Offer, Terms
from marketplace.licensing.rules import Limits, Price, TermsDraft
from marketplace.licensing.states import OfferState, PriceKind, ReleaseScope
from marketplace.privacy import service as privacy
from marketplace.privacy.errors import AnonymisationUnpublished, PrivacyClassNotListable
from marketplace.privacy.states import PrivacyClass
from tests.factories import licensing as make
from tests.factories.privacy import PUBLISHED

pytestmark = pytest.mark.usefixtures("session")
HOSTILE = ["", "x", "trm_", "trm_" + "0" * 32, "\x00", "\ud800", "' OR 1=1 --", "0" * 64, "F" * 64, "あ" * 64]


@pytest.fixture
def provider():
    return make.provider()


@pytest.fixture
def buyer():
    return make.buyer()


@pytest.fixture(autouse=True)
def noise(session):
    """Another provider's dataset, terms and offer, and another buyer's acceptance."""
    stranger = make.provider()
    offer = make.offer_of(stranger)
    service.accept_terms(make.buyer(), offer.terms_sha256)
    return offer


def count(table):
    from marketplace.kit.db import db

    return db.session.scalar(select(func.count()).select_from(table))


def entries(verb, subject):
    from marketplace.kit.db import db

    return db.session.scalars(select(Entry).where(Entry.verb == verb.value, Entry.subject == subject)).all()


def test_terms_are_kept_under_their_hash(provider):
    terms = service.write_terms(provider, TermsDraft(make.FULL, "人流データ利用条件", "People flow terms"))
    assert terms.organization_id == provider.organization_id
    assert (terms.title_ja, terms.title_en) == ("人流データ利用条件", "People flow terms")
    assert terms.sha256 == rules.terms_sha256(rules.read_terms(make.FULL))
    assert queries.usage_terms(terms) == rules.read_terms(make.FULL)
    assert queries.get_terms(terms.id) is terms
    assert queries.get_terms(terms.sha256) is terms
    assert queries.get_own_terms(provider, terms.sha256) is terms
    (entry,) = entries(Verb.TERMS_WRITTEN, terms.id)
    assert entry.organization_id == provider.organization_id
    assert entry.facts == {"sha256": terms.sha256, "template": "custom"}


def test_writing_the_same_terms_again_gives_back_the_first(provider):
    first = service.write_terms(provider, TermsDraft({"template": "cc-by-4.0"}))
    again = service.write_terms(provider, TermsDraft({"template": "CC BY 4.0"}, "別の題名", "Another title"))
    assert again is first
    assert again.title_ja == "クリエイティブ・コモンズ 表示 4.0 国際"
    assert len(entries(Verb.TERMS_WRITTEN, first.id)) == 1


def test_two_providers_may_use_the_same_text(provider):
    other = make.provider()
    mine = service.write_terms(provider, TermsDraft({"template": "cc-by-4.0"}))
    theirs = service.write_terms(other, TermsDraft({"template": "cc-by-4.0"}))
    assert mine.id != theirs.id
    assert mine.sha256 == theirs.sha256
    assert queries.get_terms(mine.sha256).id == min(mine.id, theirs.id)
    assert queries.get_own_terms(other, mine.sha256) is theirs


@pytest.mark.parametrize(
    ("titles", "pointers"),
    [
        ({}, ["/title_ja", "/title_en"]),
        ({"title_ja": "利用条件"}, ["/title_en"]),
        ({"title_ja": " ", "title_en": "Terms"}, ["/title_ja"]),
        ({"title_ja": "題" * 201, "title_en": "T" * 201}, ["/title_ja", "/title_en"]),
        ({"title_ja": "利用\x00条件", "title_en": "Terms"}, ["/title_ja"]),
    ],
)
def test_custom_terms_need_titles_in_both_languages(provider, titles, pointers):
    before = count(Terms)
    with pytest.raises(Invalid) as caught:
        service.write_terms(provider, TermsDraft(make.FULL, **titles))
    assert [fault["pointer"] for fault in caught.value.errors] == pointers
    assert count(Terms) == before


def test_an_offer_binds_dataset_terms_and_price(provider):
    draft = make.draft_for(
        provider,
        price=make.per_mib(3, 100),
        limits=Limits(365, 10**12, 64),
        release_scope=ReleaseScope.ALL,
    )
    offer = service.make_offer(provider, draft)
    terms = queries.get_terms(draft.terms_id)
    assert (offer.dataset_id, offer.organization_id) == (draft.dataset_id, provider.organization_id)
    assert (offer.terms_id, offer.terms_sha256) == (terms.id, terms.sha256)
    assert queries.price_of(offer) == draft.price
    assert queries.limits_of(offer) == draft.limits
    assert (offer.release_scope, offer.version, offer.supersedes, offer.state) == ("all", 1, None, "open")
    (entry,) = entries(Verb.OFFER_MADE, offer.id)
    assert (entry.dataset_id, entry.amount_minor) == (draft.dataset_id, 0)
    assert entry.facts == {"sha256": terms.sha256, "price_kind": "per_unit", "version": 1}


def test_terms_may_be_named_by_their_hash(provider):
    terms = make.terms_of(provider)
    assert make.offer_of(provider, terms_id=terms.sha256).terms_id == terms.id


def test_a_dataset_may_be_free_to_try_and_for_sale_at_once(provider):
    dataset = make.dataset_of(provider)
    trial = service.write_terms(provider, TermsDraft({"template": "trial"}))
    free = make.offer_of(
        provider, dataset_id=dataset.id, terms_id=trial.id, price=Price(PriceKind.FREE), limits=Limits(duration_days=30)
    )
    paid = make.offer_of(provider, dataset_id=dataset.id)
    assert [offer.id for offer in queries.list_offers(dataset.id).items] == [paid.id, free.id]


def test_another_providers_dataset_or_terms_do_not_exist_for_the_offerer(provider, noise):
    before = count(Offer)
    for fields in ({"dataset_id": noise.dataset_id}, {"terms_id": noise.terms_id}, {"terms_id": noise.terms_sha256}):
        with pytest.raises(NotFound):
            make.offer_of(provider, **fields)
    assert count(Offer) == before


@pytest.mark.parametrize("identifier", HOSTILE)
def test_ids_that_are_none_are_not_found(provider, identifier):
    for ask in (queries.get_terms, queries.get_offer):
        with pytest.raises(NotFound):
            ask(identifier)
    with pytest.raises(NotFound):
        queries.lock_open_offer(identifier, provider)
    for ask in (queries.get_own_terms, queries.get_own_offer, service.withdraw_offer, service.accept_terms):
        with pytest.raises(NotFound):
            ask(provider, identifier)
    assert queries.find_acceptance(provider.organization_id, identifier) is None
    assert queries.list_offers(identifier).items == []
    assert queries.list_offerers(identifier) == []


@pytest.mark.parametrize("known", [PrivacyClass.PERSONAL, PrivacyClass.PERSONAL_SENSITIVE, PrivacyClass.PSEUDONYMISED])
def test_data_of_a_class_that_may_not_be_listed_are_not_offered(provider, known):
    terms = make.terms_of(provider, personal_data=known.value)
    before = count(Offer)
    with pytest.raises(PrivacyClassNotListable) as caught:
        make.offer_of(provider, terms_id=terms.id)
    assert caught.value.members == {"privacy_class": known.value}
    assert known.ja in caught.value.errors[0]["detail"]
    assert count(Offer) == before


def test_a_class_that_cannot_be_judged_is_not_offered(provider):
    terms = make.terms_of(provider, personal_data="その他(個人関連情報)")
    with pytest.raises(PrivacyClassNotListable):
        make.offer_of(provider, terms_id=terms.id)


def test_anonymised_data_are_offered_when_their_items_are_published(provider):
    terms = make.terms_of(provider, personal_data="匿名加工情報", notices="項目: 年代、性別。方法: 配信")
    dataset_id = make.dataset_of(provider).id
    with pytest.raises(AnonymisationUnpublished):
        make.offer_of(provider, dataset_id=dataset_id, terms_id=terms.id)
    privacy.state_privacy(provider, dataset_id, PUBLISHED)
    assert make.offer_of(provider, dataset_id=dataset_id, terms_id=terms.id).state == OfferState.OPEN


def test_a_price_against_the_terms_is_refused_and_nothing_is_kept(provider):
    terms = service.write_terms(provider, TermsDraft({"template": "cc-by-4.0"}))
    before = count(Offer), count(Entry)
    dataset = make.dataset_of(provider)
    with pytest.raises(Invalid):
        make.offer_of(provider, dataset_id=dataset.id, terms_id=terms.id, price=Price(PriceKind.ONE_OFF, 500))
    assert (count(Offer), count(Entry)) == (before[0], before[1] + 1)


def test_a_withdrawn_dataset_is_not_offered(provider):
    dataset = make.dataset_of(provider)
    offer = make.offer_of(provider, dataset_id=dataset.id)
    catalog.withdraw_dataset(provider, dataset.id)
    with pytest.raises(DatasetWithdrawn):
        make.offer_of(provider, dataset_id=dataset.id)
    with pytest.raises(DatasetWithdrawn):
        service.supersede_offer(provider, offer.id, make.draft_for(provider, dataset_id=dataset.id))
    assert queries.get_offer(offer.id).state == OfferState.OPEN


def test_terms_that_end_before_today_in_japan_are_not_offered(provider):
    terms = make.terms_of(provider, usage_license_period={"kind": "endDate", "end": "2030-03-31"})
    dataset = make.dataset_of(provider)
    with clock.stopped(datetime(2030, 3, 31, 14, 59, tzinfo=UTC)):
        make.offer_of(provider, dataset_id=dataset.id, terms_id=terms.id)
    with clock.stopped(datetime(2030, 3, 31, 15, 0, tzinfo=UTC)), pytest.raises(Invalid):
        make.offer_of(provider, dataset_id=dataset.id, terms_id=terms.id)


def test_a_new_version_takes_the_place_of_the_old(provider):
    first = make.offer_of(provider)
    draft = make.draft_for(provider, dataset_id=first.dataset_id, price=Price(PriceKind.ONE_OFF, 8_000))
    second = service.supersede_offer(provider, first.id, draft)
    assert (second.version, second.supersedes, second.state) == (2, first.id, "open")
    assert queries.get_offer(first.id).state == OfferState.SUPERSEDED
    assert queries.get_offer(first.id).amount_yen == 5_000
    assert [offer.id for offer in queries.list_offers(first.dataset_id).items] == [second.id]
    everything = queries.list_offers(first.dataset_id, open_only=False).items
    assert [offer.id for offer in everything] == [second.id, first.id]
    (entry,) = entries(Verb.OFFER_SUPERSEDED, second.id)
    assert entry.facts["supersedes"] == first.id


def test_an_offer_is_superseded_once(provider):
    first = make.offer_of(provider)
    draft = make.draft_for(provider, dataset_id=first.dataset_id)
    service.supersede_offer(provider, first.id, draft)
    before = count(Offer)
    with pytest.raises(OfferNotOpen) as caught:
        service.supersede_offer(provider, first.id, draft)
    assert caught.value.members == {"state": "superseded"}
    with pytest.raises(OfferNotOpen):
        service.withdraw_offer(provider, first.id)
    assert count(Offer) == before


def test_a_new_version_stays_with_its_dataset(provider):
    first = make.offer_of(provider)
    with pytest.raises(Invalid) as caught:
        service.supersede_offer(provider, first.id, make.draft_for(provider))
    assert caught.value.errors[0]["pointer"] == "/dataset_id"
    assert queries.get_offer(first.id).state == OfferState.OPEN


def test_a_bad_new_version_leaves_the_old_open(provider):
    first = make.offer_of(provider)
    draft = make.draft_for(provider, dataset_id=first.dataset_id, price=Price(PriceKind.ONE_OFF, 1))
    with pytest.raises(Invalid):
        service.supersede_offer(provider, first.id, draft)
    assert queries.get_offer(first.id).state == OfferState.OPEN


def test_a_withdrawn_offer_is_off_the_market_and_stays_readable(provider):
    offer = make.offer_of(provider)
    assert service.withdraw_offer(provider, offer.id).state == OfferState.WITHDRAWN
    assert queries.list_offers(offer.dataset_id).items == []
    assert queries.get_offer(offer.id).amount_yen == 5_000
    assert len(entries(Verb.OFFER_WITHDRAWN, offer.id)) == 1
    with pytest.raises(OfferNotOpen) as caught:
        service.withdraw_offer(provider, offer.id)
    assert caught.value.members == {"state": "withdrawn"}
    with pytest.raises(OfferNotOpen):
        service.supersede_offer(provider, offer.id, make.draft_for(provider, dataset_id=offer.dataset_id))


def test_nobody_ends_the_offer_of_another(provider, noise):
    with pytest.raises(NotFound):
        service.withdraw_offer(provider, noise.id)
    with pytest.raises(NotFound):
        service.supersede_offer(provider, noise.id, make.draft_for(provider, dataset_id=noise.dataset_id, terms_id="x"))
    assert queries.get_offer(noise.id).state == OfferState.OPEN


def test_only_an_open_offer_can_be_held(provider):
    offer = make.offer_of(provider)
    assert queries.lock_open_offer(offer.id, provider) is offer
    service.withdraw_offer(provider, offer.id)
    with pytest.raises(OfferNotOpen) as caught:
        queries.lock_open_offer(offer.id, provider)
    assert caught.value.members == {"state": "withdrawn"}


def test_a_buyer_accepts_terms_by_their_hash(provider, buyer):
    offer = make.offer_of(provider)
    with pytest.raises(TermsNotAccepted) as caught:
        queries.require_acceptance(buyer.organization_id, offer.terms_sha256)
    assert caught.value.members == {"terms_sha256": offer.terms_sha256}
    acceptance = service.accept_terms(buyer, offer.terms_sha256)
    assert (acceptance.organization_id, acceptance.client_id) == (buyer.organization_id, buyer.client_id)
    assert acceptance.terms_sha256 == offer.terms_sha256
    assert clock.now() - acceptance.accepted_at < timedelta(minutes=5)
    assert queries.require_acceptance(buyer.organization_id, offer.terms_sha256) is acceptance
    (entry,) = entries(Verb.TERMS_ACCEPTED, acceptance.id)
    assert entry.counterparty_id == provider.organization_id
    assert entry.facts == {"sha256": offer.terms_sha256}


def test_accepting_again_gives_back_the_first_and_writes_nothing(provider, buyer):
    offer = make.offer_of(provider)
    first = service.accept_terms(buyer, offer.terms_sha256)
    again = service.accept_terms(replace(buyer, client_id=None, member_id="mem_" + "1" * 32), offer.terms_sha256)
    assert again is first
    assert again.client_id == buyer.client_id
    assert len(entries(Verb.TERMS_ACCEPTED, first.id)) == 1


def test_an_acceptance_outlives_the_offer(provider, buyer):
    offer = make.offer_of(provider)
    acceptance = service.accept_terms(buyer, offer.terms_sha256)
    service.withdraw_offer(provider, offer.id)
    assert service.accept_terms(buyer, offer.terms_sha256) is acceptance


def test_terms_that_nobody_offers_are_not_accepted(provider, buyer):
    unoffered = make.terms_of(provider)
    withdrawn = service.withdraw_offer(provider, make.offer_of(provider).id)
    before = count(Acceptance)
    for sha256 in (unoffered.sha256, withdrawn.terms_sha256):
        with pytest.raises(NotFound):
            service.accept_terms(buyer, sha256)
    assert count(Acceptance) == before


def test_a_text_offered_by_many_names_no_single_counterparty(provider, buyer):
    for actor in (provider, make.provider()):
        terms = service.write_terms(actor, TermsDraft({"template": "cc-by-4.0"}))
        offer = make.offer_of(actor, terms_id=terms.id, price=Price(PriceKind.FREE))
    acceptance = service.accept_terms(buyer, offer.terms_sha256)
    (entry,) = entries(Verb.TERMS_ACCEPTED, acceptance.id)
    assert entry.counterparty_id is None


def test_lists_are_pages_of_ones_own_newest_first(provider, buyer):
    written = [make.terms_of(provider) for _ in range(5)]
    seen, cursor = [], None
    while True:
        page = queries.list_terms(provider, cursor=cursor, size=2)
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [terms.id for terms in seen] == [terms.id for terms in reversed(written)]
    assert queries.list_terms(buyer).items == []
    auditor = Actor("org_auditor", capacities=frozenset({Capacity.AUDITOR}))
    assert {terms.id for terms in written} <= {terms.id for terms in queries.list_terms(auditor, size=100).items}
    with pytest.raises(Invalid):
        queries.list_terms(provider, cursor="not ours")
