"""Many at once, each on a connection of its own: the database decides, and exactly one wins."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import func, select, text

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries, service
from marketplace.licensing.errors import OfferNotOpen
from marketplace.licensing.models import Acceptance, Offer, Terms
from marketplace.licensing.rules import Price, TermsDraft
from marketplace.licensing.states import PriceKind
from tests.factories import licensing as make

THREADS = 8


def at_once(app, deed):
    """Run the deed in eight threads that start together; return results and refusals."""
    barrier = Barrier(THREADS)

    def run(number):
        with app.app_context():
            barrier.wait()
            try:
                with transaction():
                    return deed(number)
            except OfferNotOpen as refusal:
                return refusal

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def count(table, *conditions):
    return db.session.scalar(select(func.count()).select_from(table).where(*conditions))


@pytest.fixture
def world(own_database):
    with transaction():
        provider, buyer = make.provider(), make.buyer()
        offer = make.offer_of(provider)
        draft = make.draft_for(provider, dataset_id=offer.dataset_id)
        ids = (offer.id, offer.terms_sha256)
    return provider, buyer, draft, *ids


def test_eight_acceptances_make_one_row_and_one_entry(own_database, world):
    _, buyer, _, _, sha256 = world
    found = at_once(own_database, lambda _: service.accept_terms(buyer, sha256).id)
    assert len(set(found)) == 1
    assert count(Acceptance) == 1
    assert count(Entry, Entry.verb == Verb.TERMS_ACCEPTED.value) == 1


def test_eight_writings_of_the_same_terms_make_one_row_and_one_entry(own_database, world):
    provider = world[0]
    before = count(Terms)
    found = at_once(own_database, lambda _: service.write_terms(provider, TermsDraft({"template": "cc-by-4.0"})).id)
    assert len(set(found)) == 1
    assert count(Terms) == before + 1
    assert count(Entry, Entry.subject == found[0]) == 1


def test_of_eight_new_versions_one_wins(own_database, world):
    provider, _, draft, offer_id, _ = world
    prices = [Price(PriceKind.ONE_OFF, 1_000 + number) for number in range(THREADS)]

    def supersede(number):
        changed = make.OfferDraftFactory(dataset_id=draft.dataset_id, terms_id=draft.terms_id, price=prices[number])
        return service.supersede_offer(provider, offer_id, changed).id

    results = at_once(own_database, supersede)
    winners = [result for result in results if isinstance(result, str)]
    assert len(winners) == 1
    assert count(Offer, Offer.supersedes == offer_id) == 1
    assert count(Offer, Offer.state == "open") == 1


def test_of_supersession_and_withdrawal_one_wins(own_database, world):
    provider, _, draft, offer_id, _ = world

    def end(number):
        if number % 2:
            return service.withdraw_offer(provider, offer_id).id
        return service.supersede_offer(provider, offer_id, draft).id

    results = at_once(own_database, end)
    assert sum(isinstance(result, str) for result in results) == 1
    assert count(Offer, Offer.id == offer_id, Offer.state == "open") == 0


def test_buyers_hold_an_offer_together_and_its_end_waits_for_them(own_database, world):
    provider, buyer, _, offer_id, _ = world
    held = at_once(own_database, lambda _: queries.lock_open_offer(offer_id, buyer).id)
    assert held == [offer_id] * THREADS
    with transaction():
        queries.lock_open_offer(offer_id, buyer)
        with db.engine.connect() as other:
            other.execute(text("SELECT 1 FROM offer WHERE id = :id FOR SHARE NOWAIT"), {"id": offer_id})
            other.rollback()
            other.execute(text("SET lock_timeout = '1ms'"))
            with pytest.raises(Exception, match="lock timeout"):
                other.execute(text("UPDATE offer SET state = 'withdrawn' WHERE id = :id"), {"id": offer_id})
    with transaction():
        service.withdraw_offer(provider, offer_id)
    assert queries.get_offer(offer_id).state == "withdrawn"


def test_a_stale_reader_sees_the_offer_as_it_is_when_it_locks(own_database, world):
    _, buyer, _, offer_id, _ = world
    with transaction():
        assert queries.get_offer(offer_id).state == "open"
        with db.engine.begin() as other:
            other.execute(text("UPDATE offer SET state = 'withdrawn' WHERE id = :id"), {"id": offer_id})
        with pytest.raises(OfferNotOpen):
            queries.lock_open_offer(offer_id, buyer)
