"""Terms that name a last day of use: nothing is sold after it, and no grant outlives it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from marketplace.access import queries as grants
from marketplace.access.rules import expiry
from marketplace.exchange import listing, purchase
from marketplace.exchange.errors import LicenceEnded
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.licensing import service as licensing
from marketplace.licensing.models import Offer
from marketplace.licensing.offers import Limits, OfferDraft, Price
from marketplace.licensing.rules import TermsDraft
from marketplace.licensing.states import PriceKind
from tests.factories import market

LAST_DAY = date(2030, 3, 31)
AFTER_IT = datetime(2030, 3, 31, 15, tzinfo=UTC)  # midnight in Japan


def offered_until(last_day: date, duration_days: int | None = None) -> Offer:
    """A free offer under terms that end on a day."""
    on = market.listed()
    period = {"kind": "endDate", "end": last_day.isoformat()}
    with transaction():
        terms = licensing.write_terms(
            on.provider, TermsDraft({"template": "public-interest", "usage_license_period": period})
        )
        draft = OfferDraft(on.dataset_id, terms.id, Price(PriceKind.FREE), Limits(duration_days))
        return listing.make_offer(on.provider, draft)


def expiry_of(offer: Offer) -> datetime | None:
    """When the grant of a fresh order of the offer runs out."""
    buyer = market.buyer()
    grant_id = market.ordered(buyer, offer).grant_id
    return grants.get_grant(buyer, grant_id).expires_at


def test_a_grant_ends_with_the_last_day_of_its_terms(app: Flask) -> None:
    del app
    assert expiry_of(offered_until(LAST_DAY)) == AFTER_IT


def test_a_shorter_duration_ends_a_grant_earlier(app: Flask) -> None:
    del app
    ends = expiry_of(offered_until(LAST_DAY, duration_days=7))
    assert ends is not None
    assert ends < clock.now() + timedelta(days=8)


def test_nothing_is_sold_once_the_last_day_is_over(app: Flask) -> None:
    del app
    offer, buyer = offered_until(LAST_DAY), market.buyer()

    with clock.stopped(AFTER_IT), pytest.raises(LicenceEnded) as refused, transaction():
        purchase.place_order(buyer, offer.id, offer.terms_sha256)
    assert refused.value.members == {"last_day": "2030-03-31"}

    with clock.stopped(AFTER_IT - timedelta(seconds=1)):
        assert market.ordered(buyer, offer).grant_id


def test_money_that_came_late_still_opens_a_day() -> None:
    late = AFTER_IT + timedelta(hours=5)
    assert expiry(late, None, LAST_DAY) == late + timedelta(days=1)
    assert expiry(late, 30, None) == late + timedelta(days=30)
    assert expiry(late, None, None) is None
