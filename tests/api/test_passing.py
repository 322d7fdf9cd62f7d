"""Passes: what a client asks for again is answered without asking, and stands on the record as if it had been asked."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.api import keeping, leased, passing, streams
from marketplace.api.keeping import Keeper
from marketplace.api.passing import Begun, Pass
from marketplace.billing.budgets.rules import BudgetDraft
from marketplace.exchange import download, leasing, spending
from marketplace.exchange.download import Wanted
from marketplace.identity.oauth import access_tokens
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.notices import Ear
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from marketplace.metering import leases, running
from tests.api.trade import Goods, Market, file_path, ok
from tests.factories import market as trades
from tests.live import wait_until

LIFE_SECONDS = 200.0  # of passes here, where one thread does everything, on a machine full of other work
FIGURES = text(
    "SELECT used_downloads, used_requests, open_deliveries, leased_deliveries, used_bytes, reserved_bytes"
    " FROM quota WHERE grant_id = :grant_id"
)
EVENTS = text(
    "SELECT count(*), sum(requests), sum(bytes_new), sum(bytes_acked) FROM usage_event WHERE grant_id = :grant_id"
)
STATES = text("SELECT state FROM delivery WHERE grant_id = :grant_id ORDER BY id")


@dataclass
class Slot:
    """The place that a server keeps for a pass."""

    asked_at: float = field(default_factory=time.monotonic)
    leave: Pass | None = None

    def keep(self, leave: Pass) -> None:
        self.leave = leave


@dataclass
class Hot:
    """A grant whose file was fetched before, and a keeper that hears and whose thread does not run."""

    market: Market
    grant_id: str
    name: str
    keeper: Keeper
    told: list[str] = field(default_factory=list)

    def ask(self, slot: Slot | None = None, **headers: str) -> Slot:
        """Fetch the usual way, with a place for a pass."""
        slot = slot or Slot()
        fields = {"Authorization": f"Bearer {self.market.buyer.token}"} | headers
        answer = self.market.app.test_client().get(
            file_path(self.grant_id, self.name), headers=fields, environ_overrides={passing.SLOT: slot}
        )
        assert answer.status_code in {200, 206}
        answer.get_data()
        answer.close()
        return slot

    def leave(self, **headers: str) -> Pass:
        """A pass."""
        found = self.ask(**headers).leave
        assert found is not None
        return found

    def end(self, begun: Begun | None, acked: int | None = None, outcome: str = "complete") -> None:
        """Report a body as the server does."""
        assert begun is not None
        acked = begun.length if acked is None else acked
        begun.file.close()
        begun.report(acked, acked, outcome, lambda: self.told.append(begun.key))

    def quota(self) -> tuple[int, ...]:
        return tuple(db.session.execute(FIGURES, {"grant_id": self.grant_id}).one())

    def events(self) -> tuple[int, ...]:
        return tuple(map(int, db.session.execute(EVENTS, {"grant_id": self.grant_id}).one()))

    def states(self) -> list[str]:
        return list(db.session.scalars(STATES, {"grant_id": self.grant_id}))


@pytest.fixture
def make_hot(market: Market, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Hot]]:
    keeper: Keeper = market.app.extensions[passing.EXTENSION]
    fresh = Keeper(market.app, market.app.extensions[streams.EXTENSION])
    monkeypatch.setitem(market.app.extensions, passing.EXTENSION, fresh)
    monkeypatch.setattr(fresh, "start", lambda: None)
    monkeypatch.setattr(passing, "LIFE_SECONDS", LIFE_SECONDS)
    monkeypatch.setattr(passing, "RENEWED_AFTER_SECONDS", LIFE_SECONDS / 2)
    monkeypatch.setattr(leased, "LIFE_SECONDS", 10 * LIFE_SECONDS)
    assert isinstance(keeper, Keeper)
    fresh.listen(hears=True)

    def make(goods: Goods | None = None, kind: str = "free", **limits: Any) -> Hot:
        goods = goods or market.goods()
        grant_id = str(market.bought(goods, kind, **limits)["grant_id"])
        assert market.fetch(grant_id, goods.file_name).data == goods.content
        return Hot(market, grant_id, goods.file_name, fresh)

    yield make
    for held in (*fresh._held.values(), *(one.held for one in fresh._running.values())):
        held.close()


@pytest.fixture
def hot(make_hot: Callable[..., Hot]) -> Hot:
    return make_hot()


def test_what_a_pass_begins_is_on_the_record_with_the_next_turn(hot: Hot) -> None:
    leave = hot.leave()
    before = hot.quota()
    begun = [leave.begin(None) for _ in range(3)]
    assert hot.quota() == before
    for one in begun:
        hot.end(one)
    assert hot.told == []
    assert hot.keeper.turn()
    assert hot.told == [one.key for one in begun if one]
    downloads, requests, running, leased, used, reserved = before
    assert hot.quota() == (downloads + 3, requests + 3, running, leased, used, reserved)
    assert hot.states() == ["complete"] * 5
    size = used
    assert hot.events() == (5, 5, size, 5 * size)


def test_a_pass_brings_the_bytes_that_were_asked_for(make_hot: Callable[..., Hot], market: Market) -> None:
    goods = market.goods(content=b"0123456789" * 10)
    hot = make_hot(goods)
    leave = hot.leave(Range="bytes=5-9")
    begun = leave.begin("bytes=90-")
    assert begun is not None
    assert (begun.start, begun.length) == (90, 10)
    assert begun.fields == {"Content-Range": "bytes 90-99/100", "Content-Length": "10"}
    hot.end(begun)
    assert leave.begin("bytes=100-") is None
    assert leave.begin("lines=1-2") is None
    assert leave.begin(None) is None
    hot.keeper.turn()
    assert hot.states() == ["complete"] * 3


def test_nothing_is_begun_for_what_was_not_received_wholly(market: Market, make_hot: Callable[..., Hot]) -> None:
    goods = market.goods()
    grant_id = str(market.bought(goods)["grant_id"])
    hot = make_hot(goods)
    other = Hot(market, grant_id, goods.file_name, hot.keeper)
    assert other.ask(Range="bytes=0-3").leave is None
    assert other.quota()[3] == 0


@pytest.mark.parametrize(("name", "value"), [("download_passes", False), ("grant_requests_per_minute", 1000)], ids=str)
def test_no_pass_where_the_settings_say_so(hot: Hot, name: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = replace(settings.current(), **{name: value})
    monkeypatch.setattr(settings, "current", lambda: chosen)
    assert hot.ask().leave is None
    assert hot.quota()[3] == 0


def test_no_pass_under_a_budget_and_a_budget_ends_those_there_are(hot: Hot, market: Market) -> None:
    leave = hot.leave()
    draft = {"name": "今月", "limit_yen": 1000}
    ok(market.buyer.post("/v1/budgets", draft), 201)
    assert hot.ask().leave is None
    hot.keeper.heed({market.buyer.organization_id})
    assert leave.begin(None) is None


@pytest.mark.parametrize("more", [{"unit": "request"}, {"unit": "download", "download_due": "first_byte"}], ids=str)
def test_no_pass_where_each_delivery_may_cost_something(make_hot: Callable[..., Hot], more: dict[str, str]) -> None:
    hot = make_hot(kind="per_mib", price={"kind": "per_unit", "unit_yen": "10"} | more)
    assert hot.ask().leave is None
    assert hot.quota()[3] == 0


@pytest.mark.parametrize("limits", [{"quota_downloads": 100}, {"quota_streams": 3}], ids=str)
def test_no_pass_near_the_end_of_a_quota(make_hot: Callable[..., Hot], limits: dict[str, int]) -> None:
    hot = make_hot(**limits)
    assert hot.ask().leave is None
    assert hot.quota()[3] == 0


@pytest.mark.parametrize("what", ["grant", "organization", "dataset", "client", "token"])
def test_whatever_a_right_hangs_on_ends_its_passes_when_it_is_told_of(hot: Hot, market: Market, what: str) -> None:
    leave, other = hot.leave(), hot.leave()
    claims = access_tokens.verify(str(market.buyer.token))
    of = {"client": claims.client_id, "token": claims.jti, "organization": claims.organization_id}
    of |= {"grant": hot.grant_id, "dataset": leave.terms.entitled.dataset_id}
    hot.keeper.heed({"grt_of_nobody"})
    assert leave.begin(None) is not None
    hot.keeper.heed({of[what]})
    assert leave.begin(None) is None
    assert other.begin(None) is None
    assert not leave.waits()


def test_what_was_told_while_a_request_was_looked_at_lets_no_pass_be_given(hot: Hot) -> None:
    slot = Slot()
    hot.keeper.heed({hot.grant_id})
    assert hot.ask(slot).leave is None
    assert hot.ask().leave is not None


def test_there_are_no_passes_while_nothing_is_heard(hot: Hot) -> None:
    leave = hot.leave()
    hot.keeper.listen(hears=False)
    assert leave.begin(None) is None
    assert hot.ask().leave is None
    hot.keeper.listen(hears=True)
    assert hot.leave().begin(None) is not None


def test_a_pass_ends_with_its_token_and_its_grant(hot: Hot) -> None:
    claims = access_tokens.verify(str(hot.market.buyer.token))
    with clock.stopped(datetime.fromtimestamp(claims.expires_at - 0.5, UTC)):
        assert hot.leave().terms.until - time.monotonic() <= 0.5
    ends = clock.now() + timedelta(seconds=100)
    moved = {"at": ends, "id": hot.grant_id}
    db.session.execute(text("UPDATE access_grant SET expires_at = :at WHERE id = :id"), moved)
    with clock.stopped(ends - timedelta(seconds=0.1)):
        assert hot.leave().terms.until - time.monotonic() <= 0.1


def test_a_pass_is_over_after_its_life_and_asks_once_in_the_second_half(
    hot: Hot, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = hot.leave()
    now, answers = time.monotonic(), []
    for after in (10.0, 110.0, 110.0, 150.0, 210.0, 210.0):
        with monkeypatch.context() as moved:
            moved.setattr(time, "monotonic", lambda after=after: now + after)
            answers.append(leave.begin(None) is not None)
    assert answers == [True, False, True, True, False, False]
    assert leave.over is False
    leave.end()
    assert leave.over


def test_a_lease_that_is_spent_waits_for_the_record_and_goes_on(hot: Hot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "DELIVERIES_MAX", 16)
    leave = hot.leave()
    begun = [leave.begin(None) for _ in range(16)]
    assert None not in begun
    assert leave.begin(None) is None
    assert leave.waits()
    hot.end(begun[0])
    hot.keeper.turn()
    assert not leave.waits()
    assert leave.begin(None) is not None
    assert leave.begin(None) is None


def test_what_lasts_is_entered_as_open_and_closed_like_any_other(hot: Hot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "ENTERED_AFTER_SECONDS", 0.0)
    begun = hot.leave().begin(None)
    assert begun is not None
    hot.keeper.turn()
    assert hot.states() == ["complete", "complete", "open"]
    assert hot.quota()[2] == 1
    reports: streams.Reports = hot.market.app.extensions[streams.EXTENSION]
    assert begun.key in reports.running()
    hot.end(begun, acked=3, outcome="broken")
    hot.keeper.turn()
    assert hot.states() == ["complete", "complete", "broken"]
    assert hot.told == [begun.key]
    assert begun.key not in reports.running()
    assert hot.quota()[2] == 0


def test_what_runs_when_a_right_ends_is_on_the_record_at_once(hot: Hot) -> None:
    leave = hot.leave()
    begun = leave.begin(None)
    hot.keeper.turn()
    assert hot.states() == ["complete", "complete"]
    hot.keeper.heed({hot.grant_id})
    hot.keeper.turn()
    assert hot.states() == ["complete", "complete", "open"]
    hot.end(begun)
    hot.keeper.turn()
    assert hot.states() == ["complete"] * 3


def test_a_report_that_cannot_be_kept_keeps_nobody_waiting_and_is_not_lost(
    hot: Hot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun = hot.leave().begin(None)
    assert begun is not None

    def away(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(leasing, "keep", away)
        hot.end(begun)
        assert not hot.keeper.turn()
    assert hot.told == [begun.key]
    assert "could not be told yet" in caplog.text
    assert hot.keeper.turn()
    assert hot.told == [begun.key]
    assert hot.states() == ["complete"] * 3


def test_ending_puts_everything_on_the_record_and_gives_the_leases_back(hot: Hot) -> None:
    begun = [hot.leave().begin(None) for _ in range(3)]
    for one in begun:
        hot.end(one)
    hot.keeper.stop()
    hot.keeper._run()
    assert hot.states() == ["complete"] * 7
    assert hot.quota()[2:4] == (0, 0)
    assert hot.ask().leave is None


def test_a_lease_that_nobody_uses_is_given_back_and_one_in_use_is_renewed(
    hot: Hot, make_hot: Callable[..., Hot], monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = make_hot()
    idle.leave()
    used = hot.leave()
    monkeypatch.setattr(keeping, "IDLE_SECONDS", -1.0)
    idle.keeper.heed({idle.grant_id})
    with clock.stopped(clock.now() + leases.TTL - timedelta(seconds=1)):
        hot.keeper._look_at = 0.0
        hot.keeper.turn()
    assert idle.quota()[3] == 0
    assert hot.quota()[3] > 0
    assert used.begin(None) is not None
    with clock.stopped(clock.now() + leases.TTL + timedelta(seconds=10)):
        leasing.sweep()
        assert hot.quota()[3] > 0


def test_the_lease_of_a_process_that_died_is_swept_and_charged_nothing(hot: Hot) -> None:
    leave = hot.leave()
    assert leave.begin(None) is not None
    before = hot.events()
    with clock.stopped(clock.now() + leases.TTL + timedelta(seconds=1)):
        leasing.sweep()
    assert hot.quota()[3] == 0
    assert hot.events() == before
    hot.keeper._look_at = 0.0
    hot.keeper.turn()
    assert leave.begin(None) is None


def test_another_release_and_a_budget_are_told_with_their_commit(own_database: Flask) -> None:
    buyer, listed = trades.buyer(), trades.listed()
    offer = trades.offered(listed, PriceKind.FREE)
    grant_id = str(trades.bought(own_database, buyer, offer).grant_id)
    second = trades.release_of(listed.provider, listed.dataset_id)
    opening = {"grant_id": grant_id, "release_id": second}
    with Ear(own_database.config["SQLALCHEMY_DATABASE_URI"], running.CHANNEL) as ear:
        with transaction():
            db.session.execute(text("INSERT INTO access_grant_release VALUES (:grant_id, :release_id)"), opening)
        assert wait_until("the release to be told of", lambda: grant_id in ear.hear(1.0))
        with transaction():
            spending.set_budget(buyer, BudgetDraft("今月", 1000))
        assert wait_until("the budget to be told of", lambda: buyer.organization_id in ear.hear(1.0))


def test_what_goes_wrong_with_a_pass_spoils_no_download(
    hot: Hot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(leasing, "until", lambda _: 1 / 0)
    assert hot.ask().leave is None
    assert "no pass could be given" in caplog.text
    assert hot.states() == ["complete", "complete"]


def test_an_answer_without_a_body_leaves_no_pass(hot: Hot) -> None:
    wanted = Wanted(hot.grant_id, hot.name, None, "HEAD", {})
    with transaction():
        answer = download.open_delivery(access_tokens.authenticate(str(hot.market.buyer.token)), wanted)
    assert (answer.status, answer.entitled) == (200, None)
