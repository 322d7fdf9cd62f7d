"""Calls of a provider's API at once: the last request of a quota and of a minute is one caller's, on the real database."""

import hashlib
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.catalog.upstreams import service
from marketplace.catalog.upstreams.rules import UpstreamDraft
from marketplace.exchange import download, proxying
from marketplace.exchange.proxying import Call, Proxied
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Refusal
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from marketplace.metering import windows
from marketplace.metering.errors import RateLimited
from marketplace.metering.models import Delivery, Quota
from tests.factories import market

BODY = b'{"passers_by": 123}'
PATIENCE_SECONDS = 120


def bought(app: Flask, **limits: Any) -> tuple[Actor, str]:
    """A buyer whose grant opens an upstream."""
    buyer, on = market.buyer(), market.listed()
    with transaction():
        service.set_upstream(on.provider, on.dataset_id, UpstreamDraft("https://data.example.jp/", ["/stations"], 1000))
    offer = market.offered(on, PriceKind.FREE, **limits)
    return buyer, str(market.bought(app, buyer, offer).grant_id)


def taken() -> proxying._Taken:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever is refused, and by the test
    file.write(BODY)
    return proxying._Taken(file, hashlib.sha256(BODY).hexdigest(), len(BODY), "application/json", None)


def together(app: Flask, count: int, deed: Any) -> list[Any]:
    """Run a deed in as many threads, each with a session of its own; refusals are results."""

    def run(_number: int) -> Any:
        with app.app_context():
            try:
                return deed()
            except Refusal as refusal:
                return refusal.slug
            finally:
                db.session.remove()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_of_two_answers_for_the_last_request_of_a_quota_one_is_delivered(
    own_database: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer, grant_id = bought(own_database, quota_requests=1)
    answers, both = [taken(), taken()], threading.Barrier(2)
    waiting = list(answers)

    def answered(_admitted: Any) -> proxying._Taken:
        both.wait(PATIENCE_SECONDS)  # both were let in, and both have their answer
        return waiting.pop()

    monkeypatch.setattr(proxying, "_taken", answered)
    found = together(own_database, 2, lambda: proxying.call(buyer, Call(grant_id, "GET", "stations", [], {})))
    [proxied] = [one for one in found if isinstance(one, Proxied)]
    assert "quota-exhausted" in found
    assert sorted(one.file.closed for one in answers) == [False, True]
    [delivery] = db.session.scalars(select(Delivery)).all()
    assert (delivery.id, delivery.grant_id) == (proxied.answer.delivery_id, grant_id)
    assert proxied.answer.file is not None
    proxied.answer.file.close()
    download.close_delivery(delivery.id, len(BODY), len(BODY), "complete")
    quota = db.session.get_one(Quota, grant_id, populate_existing=True)
    assert (quota.used_requests, quota.open_deliveries, quota.used_bytes) == (1, 0, len(BODY))


def test_of_many_requests_at_once_a_minute_has_exactly_as_many_as_it_allows(own_database: Flask) -> None:
    _buyer, grant_id = bought(own_database)
    now = clock.now()

    def take() -> int:
        with clock.stopped(now), transaction():
            return windows.take(grant_id, 5).left

    found = together(own_database, 16, take)
    assert Counter(found) == Counter([4, 3, 2, 1, 0] + [RateLimited.slug] * 11)
