"""MCP: whole files for agents, by an address that lives for minutes, within what a person lets them fetch in a day."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from marketplace.access.ticket_models import Ticket
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering import agents
from marketplace.metering.agent_models import AgentBudget
from tests.api.trade import CONTENT, Goods, Market, call, market_of, ok, row_counts
from tests.protocols.test_mcp import MIB, bound, fault, found, refused, result, say
from tests.protocols.test_mcp import call as ask

NAME = "人流.csv"
SIZE = len(CONTENT)
BY_REQUEST = {"kind": "per_unit", "unit": "request", "unit_yen": "30"}
BY_MIB = {"kind": "per_unit", "unit": "mib", "unit_yen": "1000"}


@pytest.fixture
def market(app: Flask) -> Market:
    """Everybody who takes part."""
    return market_of(app)


def bought(market: Market, price: dict[str, Any] | None = None, goods: Goods | None = None, **limits: Any) -> str:
    """A grant for a file, free where it has no price."""
    kind = "one_off" if price else "free"
    return str(market.bought(goods, kind, **({"price": price} if price else {}), **limits)["grant_id"])


def opened(market: Market, grant_id: str) -> dict[str, Any]:
    told: dict[str, Any] = found(market.buyer, "fetch_file", grant_id=grant_id, file_name=NAME)
    return told


def get(market: Market, url: str, method: str = "GET", **headers: str) -> TestResponse:
    """Fetch as any tool would: without a token."""
    answer = call(market.app, method, url.removeprefix("http://127.0.0.1:8000"), headers=headers)
    answer.get_data()
    answer.close()
    return answer


def left(market: Market) -> tuple[int, int]:
    """What is left of the day, in bytes and yen."""
    budget = agents.find_budget(market.buyer.organization_id)
    assert budget is not None
    return budget.bytes_left, budget.yen_left


def tickets() -> int:
    return len(db.session.scalars(select(Ticket.id)).all())


def test_a_file_is_linked_fetched_and_counted_once_however_often_it_breaks(market: Market) -> None:
    grant_id = bought(market)
    bound(market)
    asked = {"name": "fetch_file", "arguments": {"grant_id": grant_id, "file_name": NAME}}
    text, link = result(say(market.buyer, "tools/call", asked))["content"]
    told = json.loads(text["text"])
    assert (link["type"], link["uri"], link["name"], link["size"]) == ("resource_link", told["url"], NAME, SIZE)
    assert link["mimeType"] == told["media_type"] == "text/csv"
    assert told["url"].startswith("http://127.0.0.1:8000/tickets/mk_tk_")
    assert left(market) == (MIB - SIZE, 10_000)
    whole = get(market, told["url"])
    assert (whole.status_code, whole.data) == (200, CONTENT)
    part = get(market, told["url"], Range="bytes=4-9")
    assert (part.status_code, part.data) == (206, CONTENT[4:10])
    assert get(market, told["url"], "HEAD").status_code == 200
    assert left(market) == (MIB - SIZE, 10_000)
    assert market.usage(grant_id)[0] == SIZE
    # Another address is another carrying away, and is counted anew.
    opened(market, grant_id)
    assert left(market) == (MIB - 2 * SIZE, 10_000)


def test_a_client_of_the_first_version_gets_the_address_without_a_link(market: Market) -> None:
    grant_id = bought(market)
    bound(market)
    asked = {"name": "fetch_file", "arguments": {"grant_id": grant_id, "file_name": NAME}}
    for version, kinds in (("2025-03-26", ["text"]), ("2025-06-18", ["text", "resource_link"])):
        told = result(say(market.buyer, "tools/call", asked, MCP_Protocol_Version=version))
        assert [one["type"] for one in told["content"]] == kinds
        assert told["structuredContent"]["url"]


def test_what_the_budget_does_not_bear_is_not_issued(market: Market) -> None:
    grant_id, unscoped = bought(market), market.buyer.with_scopes("grants:read")
    asked = {"grant_id": grant_id, "file_name": NAME}
    before = row_counts()
    assert "agent-budget-missing" in refused(market.buyer, "fetch_file", **asked)
    assert row_counts() == before
    bound(market, SIZE - 1)
    before = row_counts()
    assert "agent-budget-exhausted" in refused(market.buyer, "fetch_file", **asked)
    assert "not-found" in refused(market.buyer, "fetch_file", **asked | {"file_name": "他.csv"})
    assert "not-found" in refused(market.buyer, "fetch_file", **asked | {"grant_id": "grt_" + "0" * 32})
    assert "purpose" in json.dumps(
        result(say(market.buyer, "tools/call", {"name": "fetch_file", "arguments": asked}, Musubi_Purpose="war"))
    )
    fault(ask(market.nobody, "fetch_file", **asked), 401, -32600)
    fault(ask(unscoped, "fetch_file", **asked), 403, -32600)
    assert row_counts() == before
    bound(market, SIZE)
    assert opened(market, grant_id)["size_bytes"] == SIZE


def test_yen_are_set_aside_before_the_first_byte_and_used_by_it(market: Market) -> None:
    grant_id = bought(market, BY_MIB)
    bound(market, MIB, 1500)
    told = opened(market, grant_id)
    aside = told["yen_set_aside"]
    assert aside > 0
    assert left(market) == (MIB - SIZE, 1500 - aside)
    before = market.usage(grant_id)
    # Nothing was delivered or held by being set aside.
    assert before == (0, 0)
    assert get(market, told["url"]).status_code == 200
    assert get(market, told["url"]).status_code == 200
    assert left(market) == (MIB - SIZE, 1500 - aside)


def test_each_request_that_is_charged_is_counted_and_the_one_too_many_gets_nothing(market: Market) -> None:
    grant_id = bought(market, BY_REQUEST)
    bound(market, MIB, 70)
    told = opened(market, grant_id)
    assert (told["yen_set_aside"], left(market)[1]) == (30, 40)
    assert get(market, told["url"]).status_code == 200
    assert left(market)[1] == 40
    assert get(market, told["url"]).status_code == 200
    assert left(market)[1] == 10
    before = row_counts()
    over = get(market, told["url"])
    assert (over.status_code, json.loads(over.data)["type"].rsplit("/", 1)[1]) == (403, "agent-budget-exhausted")
    assert row_counts() == before
    assert left(market)[1] == 10


def test_a_ticket_that_no_agent_asked_for_is_bound_by_no_budget(market: Market) -> None:
    grant_id = bought(market, BY_REQUEST)
    bound(market, 0, 0)
    issued = ok(market.buyer.post(f"/v1/grants/{grant_id}/tickets", {"file_name": NAME}), 201)
    assert get(market, issued["url"]).status_code == 200


def test_an_address_ends_with_its_minutes_its_grant_and_nothing_brings_the_budget_back(market: Market) -> None:
    grant_id = bought(market)
    bound(market)
    late, revoked = opened(market, grant_id), opened(market, grant_id)
    with clock.stopped(clock.now() + timedelta(seconds=61)):
        assert get(market, late["url"]).status_code == 404
    ok(market.provider.post(f"/v1/grants/{grant_id}/revoke", {"reason": "契約違反"}))
    assert get(market, revoked["url"]).status_code == 403
    assert left(market)[0] == MIB - 2 * SIZE


def test_of_two_agents_at_the_edge_of_the_budget_one_gets_the_file(own_database: Flask) -> None:
    market = market_of(own_database)
    grant_id = bought(market)
    bound(market)
    with transaction():
        db.session.execute(update(AgentBudget).values(bytes_per_day=3 * SIZE))
    barrier, answers = threading.Barrier(4), []

    def agent() -> None:
        barrier.wait()
        asked = {"grant_id": grant_id, "file_name": NAME}
        answers.extend(json.loads(ask(market.buyer, "fetch_file", **asked).data)["result"] for _ in range(2))

    threads = [threading.Thread(target=agent) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    given = [one["structuredContent"]["url"] for one in answers if not one["isError"]]
    assert (len(answers), len(given), len(set(given)), tickets()) == (8, 3, 3, 3)
    assert all("agent-budget-exhausted" in one["content"][0]["text"] for one in answers if one["isError"])
    assert left(market)[0] == 0


def test_two_requests_under_one_ticket_do_not_use_the_same_yen(own_database: Flask) -> None:
    market = market_of(own_database)
    grant_id = bought(market, BY_REQUEST)
    bound(market, MIB, 90)
    url, barrier, statuses = opened(market, grant_id)["url"], threading.Barrier(5), []

    def fetch() -> None:
        barrier.wait()
        statuses.append(get(market, url).status_code)

    threads = [threading.Thread(target=fetch) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 200, 200, 403, 403]
    assert left(market)[1] == 0
