"""How often a grant may ask in a minute, on every path of delivery, and the fields that tell of it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask

from marketplace.kit import clock, settings
from marketplace.metering.errors import QuotaExhausted, RateLimited
from marketplace.protocols.delta_sharing import refusals
from tests.api.trade import CONTENT, Market, file_path, ok, refused, row_counts

NAME = "人流.csv"


@pytest.fixture
def paced(app: Flask):
    """Two answers a minute for each grant, at a quarter past one."""
    del app
    before = settings.current()
    settings.install(replace(before, grant_requests_per_minute=2))
    with clock.stopped(clock.now().replace(second=15, microsecond=0)):
        yield clock.now()
    settings.install(before)


def test_files_ranges_and_tickets_share_the_minute_of_their_grant(market: Market, paced: datetime) -> None:
    goods = market.goods()
    grant_id, other = market.bought(goods)["grant_id"], market.bought(goods)["grant_id"]
    ticket = ok(market.buyer.post(f"/v1/grants/{grant_id}/tickets", {"file_name": NAME}), 201)["url"]
    for _ in range(3):
        assert market.buyer.call("HEAD", file_path(grant_id, NAME)).status_code == 200
    first = market.fetch(grant_id, Range="bytes=0-3")
    assert (first.status_code, first.headers["RateLimit"]) == (206, '"grant";r=1;t=45')
    assert first.headers["RateLimit-Policy"] == '"grant";q=2;w=60'
    second = market.nobody.get(ticket.removeprefix(settings.current().base_url))
    assert (second.data, second.headers["RateLimit"]) == (CONTENT, '"grant";r=0;t=45')
    before = row_counts()
    for limited in (market.fetch(grant_id), market.nobody.get(ticket.removeprefix(settings.current().base_url))):
        assert refused(limited, 429, "rate-limited")["limit"] == 2
        assert (limited.headers["Retry-After"], limited.headers["RateLimit"]) == ("45", '"grant";r=0;t=45')
        assert limited.headers["RateLimit-Policy"] == '"grant";q=2;w=60'
    assert row_counts() == before
    assert market.fetch(other).headers["RateLimit"] == '"grant";r=1;t=45'
    unchanged = market.fetch(other, **{"If-None-Match": first.headers["ETag"]})
    assert (unchanged.status_code, "RateLimit" in unchanged.headers) == (304, False)
    with clock.stopped(paced + timedelta(minutes=1)):
        assert market.fetch(grant_id).headers["RateLimit"] == '"grant";r=1;t=45'


def test_without_the_setting_nothing_is_said(market: Market) -> None:
    came = market.fetch(market.bought()["grant_id"])
    assert came.status_code == 200
    assert not {"RateLimit", "RateLimit-Policy"} & set(came.headers.keys())


def test_delta_sharing_says_a_minutes_rate_as_429_and_a_quota_as_403(app: Flask) -> None:
    with app.test_request_context("/delta-sharing/shares"):
        paced = refusals.answer(RateLimited("2 requests were made.", limit=2, retry_after_seconds=45))
        exhausted = refusals.answer(QuotaExhausted())
    assert (paced.status_code, paced.headers["Retry-After"], paced.json["errorCode"]) == (
        429,
        "45",
        "RESOURCE_EXHAUSTED",
    )
    assert paced.headers["RateLimit"] == '"grant";r=0;t=45'
    assert (exhausted.status_code, "Retry-After" in exhausted.headers) == (403, False)
