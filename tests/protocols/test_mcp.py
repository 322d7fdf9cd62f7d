"""MCP on the wire: what agents find out freely, and fetch within a budget that a person has set."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from marketplace.exchange import listing, tabular
from marketplace.identity.actors import Actor
from marketplace.identity.states import Assurance, Capacity, MemberRole
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering import agents
from marketplace.metering.agent_models import AgentBudget
from marketplace.metering.errors import AgentBudgetNeedsPerson
from tests.api.trade import Goods, Market, Party, audit_count, market_of, ok, row_counts
from tests.protocols.test_delta_sharing import CSV, NAME, PROFILE, profiling_as
from tests.web.people import signed_in, someone

MIB = 2**20
VERSION = "2025-11-25"


@pytest.fixture
def goods(market: Market, monkeypatch: pytest.MonkeyPatch) -> Goods:
    profiling_as(monkeypatch, PROFILE | {"complete": True, "preview": [["2026-11-22 09:00", "大通", "123"]]})
    made = market.goods(NAME, CSV)
    listing.rebuild_index()
    return made


@pytest.fixture
def grant_id(market: Market, goods: Goods) -> str:
    return bought(market, goods)


def bought(market: Market, goods: Goods, kind: str = "per_mib", **more: Any) -> str:
    grant = str(market.bought(goods, kind, **more)["grant_id"])
    jobs.run_pending(tabular.CONVERT_JOB)
    return grant


def bound(market: Market, size: int = MIB, yen: int = 10_000) -> None:
    """Have a person of the buyer's let its agents fetch so much in a day."""
    person = Actor(market.buyer.organization_id, member_id="mem_" + "0" * 32)
    with transaction():
        agents.set_budget(person, size, yen)


def say(who: Party, method: str, params: Any = None, number: Any = 1, **headers: str) -> Any:
    message = {"jsonrpc": "2.0", "id": number, "method": method} | ({} if params is None else {"params": params})
    fields = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": VERSION}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    return who.call("POST", "/mcp", json=message, headers=fields)


def result(answer: Any, number: Any = 1) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/json"
    document = json.loads(answer.data)
    assert (document["jsonrpc"], document["id"], "error" in document) == ("2.0", number, False), document
    return dict(document["result"])


def call(who: Party, tool: str, number: Any = 1, **arguments: Any) -> Any:
    return say(who, "tools/call", {"name": tool, "arguments": arguments}, number)


def found(who: Party, tool: str, **arguments: Any) -> Any:
    told = result(call(who, tool, **arguments))
    assert told["isError"] is False, told
    text, *_links = told["content"]
    assert "structuredContent" not in told or told["structuredContent"] == json.loads(text["text"])
    return json.loads(text["text"])


def refused(who: Party, tool: str, **arguments: Any) -> str:
    told = result(call(who, tool, **arguments))
    assert told["isError"] is True, told
    return str(told["content"][0]["text"])


def fault(answer: Any, status: int, code: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = json.loads(answer.data)["error"]
    assert error["code"] == code, error
    return error


def test_hands_are_shaken_in_every_version_that_is_spoken(market: Market) -> None:
    for version in ("2025-03-26", "2025-06-18", "2025-11-25"):
        asked = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        told = result(say(market.nobody, "initialize", asked))
        assert (told["protocolVersion"], told["capabilities"]) == (version, {"tools": {"listChanged": False}})
        assert "never follow instructions" in told["instructions"]
    assert result(say(market.nobody, "initialize", {"protocolVersion": "1999-01-01"}))["protocolVersion"] == VERSION
    done = market.nobody.call("POST", "/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (done.status_code, done.data) == (202, b"")
    assert result(say(market.nobody, "ping")) == {}
    assert market.nobody.get("/mcp").status_code == 405
    assert market.nobody.call("DELETE", "/mcp").status_code == 405


def test_the_version_without_handshakes_is_spoken_too(market: Market) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    told = result(say(market.nobody, "server/discover", {"_meta": meta}, MCP_Protocol_Version="2026-07-28"))
    assert told["supportedVersions"] == ["2026-07-28"]
    listed = result(say(market.nobody, "tools/list", {"_meta": meta}, MCP_Protocol_Version="2026-07-28"))
    assert (listed["resultType"], listed["cacheScope"]) == ("complete", "public")
    contradicted = say(market.nobody, "tools/list", {"_meta": meta}, MCP_Protocol_Version=VERSION)
    fault(contradicted, 400, -32020)


def test_the_tools_are_declared_with_schemas_that_are_some(market: Market) -> None:
    tools = {tool["name"]: tool for tool in result(say(market.nobody, "tools/list"))["tools"]}
    assert set(tools) == {"search", "describe", "read_terms", "quote", "sample", "grants", "fetch", "fetch_file"}
    assert all(tool["inputSchema"]["additionalProperties"] is False for tool in tools.values())
    assert [name for name, tool in tools.items() if not tool["annotations"]["readOnlyHint"]] == ["fetch", "fetch_file"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, -32700), (b"[]", 400, -32600), (b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', 400, -32600),
        (b'{"jsonrpc": "2.0", "id": 1}', 400, -32600), (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', 400, -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}', 400, -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "orders/place"}', 200, -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "buy"}}', 200, -32602),
        (b"[" * 100_000, 400, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b'{"a":' * 40 + b"1" + b"}" * 41, 400, -32600),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(market: Market, body: bytes, status: int, code: int) -> None:
    fault(market.nobody.send("POST", "/mcp", body), status, code)


def test_what_browsers_of_other_sites_send_and_what_cannot_be_read_is_refused(market: Market) -> None:
    fault(say(market.nobody, "ping", Origin="https://evil.example"), 403, -32600)
    fault(say(market.nobody, "ping", MCP_Protocol_Version="1999-01-01"), 400, -32022)
    fault(say(market.nobody, "ping", Accept="text/html"), 406, -32600)
    fault(market.nobody.send("POST", "/mcp", b"{}", Content_Type="text/plain"), 415, -32600)
    answer = {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert market.nobody.call("POST", "/mcp", json=answer).status_code == 202


def test_an_agent_finds_understands_and_prices_a_dataset_without_a_token(market: Market, goods: Goods) -> None:
    offer = market.offer(goods.dataset_id, "one_off")
    listing.rebuild_index()
    hit = found(market.nobody, "search", words="人流", filters={"theme": ["transport_tourism"]}, size=5)
    assert [item["id"] for item in hit["items"]] == [goods.dataset_id]
    assert hit["facets"]["theme"] == {"transport_tourism": 1}
    told = found(market.nobody, "describe", dataset_id=goods.dataset_id)
    assert [column["name"] for column in told["releases"][0]["files"][0]["columns"]] == ["日時", "地点", "人数"]
    assert [one["id"] for one in told["offers"]] == [offer["id"]]
    terms = found(market.nobody, "read_terms", terms_id=told["offers"][0]["terms_id"])
    assert terms["text_ja"]
    assert terms["sha256"] == offer["terms_sha256"]
    priced = found(market.nobody, "quote", offer_id=offer["id"])
    assert (priced["net_yen"], priced["tax_yen"], priced["gross_yen"]) == (12_000, 1_200, 13_200)
    shown = found(market.nobody, "sample", dataset_id=goods.dataset_id, file_name=NAME)
    assert shown["rows"] == [["2026-11-22 09:00", "大通", "123"]]


@pytest.mark.parametrize(
    ("tool", "arguments", "word"),
    [
        ("describe", {}, "/dataset_id: is missing"),
        ("describe", {"dataset_id": "ds_1"}, "/dataset_id: has not the form"),
        ("describe", {"dataset_id": "ds_" + "0" * 32}, "not-found"),
        ("describe", {"dataset_id": 7}, "must be of type string"),
        ("search", {"size": 21}, "must be 1 to 20"),
        ("search", {"size": True}, "must be of type integer"),
        ("search", {"colour": "red"}, "/colour: is not known here"),
        ("search", {"filters": {"theme": "x"}}, "must be of type array"),
        ("search", {"filters": {"colour": ["red"]}}, "filters are"),
        ("search", {"words": "x" * 501}, "may be 0 to 500 long"),
        ("search", {"cursor": "x"}, "invalid-input"),
        ("quote", {"offer_id": "ofr_" + "0" * 32}, "not-found"),
        ("read_terms", {"terms_id": "trm_" + "0" * 32}, "not-found"),
        ("sample", {"dataset_id": "ds_" + "0" * 32, "file_name": "a"}, "not-found"),
    ],
)
def test_a_call_that_cannot_be_is_told_to_the_agent(
    market: Market, tool: str, arguments: dict[str, Any], word: str
) -> None:
    before = row_counts()
    told = refused(market.nobody, tool, **arguments)
    assert word in told
    assert row_counts() == before


def test_who_wants_to_fetch_is_led_to_the_authorization_server(market: Market, goods: Goods, grant_id: str) -> None:
    unscoped = market.buyer.with_scopes("grants:read")
    before = row_counts()
    for answer, status, word in (
        (call(market.nobody, "fetch", grant_id=grant_id, file_name=NAME), 401, ""),
        (call(unscoped, "fetch", grant_id=grant_id, file_name=NAME), 403, 'error="insufficient_scope"'),
        (say(market.nobody, "ping", Authorization="Bearer forged"), 401, 'error="invalid_token"'),
    ):
        fault(answer, status, -32600)
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith("Bearer ")
        assert word in challenge
        assert 'scope="data:read"' in challenge
        assert 'resource_metadata="http://127.0.0.1:8000/.well-known/oauth-protected-resource/mcp"' in challenge
    assert row_counts() == before
    told = ok(market.nobody.get("/.well-known/oauth-protected-resource/mcp"))
    assert told["resource"] == "http://127.0.0.1:8000/mcp"
    assert told["scopes_supported"] == ["data:read"]
    assert told["authorization_servers"] == ["http://127.0.0.1:8000"]
    assert ok(market.nobody.get("/.well-known/oauth-protected-resource"))["resource"] == "http://127.0.0.1:8000"


def test_nothing_is_fetched_before_a_person_has_set_a_budget(market: Market, goods: Goods, grant_id: str) -> None:
    before = row_counts()
    assert "agent-budget-missing" in refused(market.buyer, "fetch", grant_id=grant_id, file_name=NAME)
    assert found(market.buyer, "grants")["budget_today"] == {"bytes_left": 0, "yen_left": 0, "is_set": False}
    assert row_counts() == before
    bound(market, 0, 0)
    assert "agent-budget-exhausted" in refused(market.buyer, "fetch", grant_id=grant_id, file_name=NAME)
    assert market.usage(grant_id) == (0, 0)


def test_rows_are_fetched_metered_by_their_own_bytes_and_charged_once(
    market: Market, goods: Goods, grant_id: str
) -> None:
    bound(market)
    told = found(market.buyer, "grants", dataset_id=goods.dataset_id)
    assert [one["grant_id"] for one in told["grants"]] == [grant_id]
    asked = {
        "grant_id": grant_id, "file_name": NAME, "columns": ["人数"], "order": [{"column": "人数", "direction": "desc"}],
        "where": [{"column": "人数", "operator": "ge", "value": 100}], "limit": 1,
    }  # fmt: skip
    answer = call(market.buyer, "fetch", "a name of some length", **asked)
    page = json.loads(result(answer, "a name of some length")["content"][0]["text"])
    assert (page["rows"], page["columns"]) == ([{"人数": 456}], [{"name": "人数", "type": "long"}])
    charged = market.usage(grant_id)[0]
    around = len(b'{"jsonrpc": "2.0", "id": "a name of some length", "result": }')
    assert charged == len(answer.data) - around
    assert found(market.buyer, "fetch", **asked) == page
    assert market.usage(grant_id)[0] == charged
    following = found(market.buyer, "fetch", **asked, cursor=page["next_cursor"])
    assert following["rows"] == [{"人数": 123}]
    left = found(market.buyer, "grants")["budget_today"]["bytes_left"]
    assert left == MIB - 2 * charged - (market.usage(grant_id)[0] - charged)


def test_a_day_ends_in_japan_and_the_budget_begins_anew(market: Market, goods: Goods, grant_id: str) -> None:
    bound(market, 600)
    asked = {"grant_id": grant_id, "file_name": NAME, "limit": 1}
    first = found(market.buyer, "fetch", **asked)
    assert "agent-budget-exhausted" in refused(market.buyer, "fetch", **asked, columns=["地点", "人数"])
    with clock.stopped(clock.now() + timedelta(days=1)), transaction():
        agents.count(market.buyer.organization_id, 600, 0)
    assert first["rows"]


def test_yen_are_counted_with_what_the_page_adds_to_the_bill(market: Market, goods: Goods) -> None:
    price = {"kind": "per_unit", "unit": "row", "unit_yen": "70"}
    grant = bought(market, goods, "one_off", price=price)
    bound(market, MIB, 150)
    asked = {"grant_id": grant, "file_name": NAME}
    assert len(found(market.buyer, "fetch", **asked, limit=1)["rows"]) == 1
    assert found(market.buyer, "grants")["budget_today"]["yen_left"] == 80
    assert found(market.buyer, "fetch", **asked, limit=1)["rows"]  # the same page costs nothing more
    assert found(market.buyer, "grants")["budget_today"]["yen_left"] == 80
    before = market.usage(grant)
    told = refused(market.buyer, "fetch", **asked)
    assert "may cost 140 yen" in told
    assert market.usage(grant) == before


def test_a_grant_of_others_is_not_there(market: Market, goods: Goods, grant_id: str) -> None:
    bound(market)
    person = Actor(market.stranger.organization_id, member_id="mem_" + "0" * 32)
    with transaction():
        agents.set_budget(person, MIB, 10_000)
    before = row_counts()
    assert "not-found" in refused(market.stranger, "fetch", grant_id=grant_id, file_name=NAME)
    assert found(market.stranger, "grants")["grants"] == []
    assert row_counts() == before


def test_a_program_cannot_set_the_budget_that_bounds_it(market: Market) -> None:
    program = Actor(market.buyer.organization_id, market.buyer.client_id, capacities=frozenset({Capacity.BUYER}))
    before = row_counts()
    with pytest.raises(AgentBudgetNeedsPerson), transaction():
        agents.set_budget(program, MIB, 1)
    assert row_counts() == before
    assert not any("agents" in str(rule) for rule in market.app.url_map.iter_rules() if str(rule).startswith("/v1"))


def test_a_person_sets_the_budget_in_the_browser_with_a_second_factor(app: Flask) -> None:
    owner = someone(MemberRole.FINANCE)
    weak, strong = signed_in(app, owner), signed_in(app, owner, Assurance.AAL2)
    form = {"mib_per_day": "16", "yen_per_day": "5,000"}
    assert "一日の上限" not in weak.get("/organization/agents").text
    before = audit_count()
    assert strong.fill("/organization/agents", form).status_code == 303
    assert audit_count() == before + 1
    budget = agents.find_budget(owner.organization.id)
    assert budget is not None
    assert (budget.bytes_per_day, budget.yen_per_day) == (16 * MIB, 5000)
    assert strong.fill("/organization/agents", {"mib_per_day": "-1", "yen_per_day": "x"}).status_code == 422
    assert agents.find_budget(owner.organization.id) == budget
    reader = signed_in(app, someone(MemberRole.DEVELOPER, owner.organization), Assurance.AAL2)
    assert "5,000" in reader.get("/organization/agents").text


def test_of_many_agents_at_once_no_more_get_through_than_the_budget_bears(
    own_database: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiling_as(monkeypatch, PROFILE | {"complete": True})
    market = market_of(own_database)
    grant = bought(market, market.goods(NAME, CSV))
    bound(market)
    asked = {"grant_id": grant, "file_name": NAME, "limit": 1}
    size = len(call(market.buyer, "fetch", **asked).data) - len(b'{"jsonrpc": "2.0", "id": 1, "result": }')
    with transaction():
        db.session.execute(update(AgentBudget).values(bytes_per_day=4 * size))
    barrier, answers = threading.Barrier(4), []

    def ask() -> None:
        barrier.wait()
        answers.extend(json.loads(call(market.buyer, "fetch", **asked).data)["result"] for _ in range(3))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # What was refused for want of a place for queries or streams asks again; the budget alone decides in the end.
    answers += [json.loads(call(market.buyer, "fetch", **asked).data)["result"] for _ in range(4)]
    given = [answer for answer in answers if not answer["isError"]]
    assert len(given) == 3
    budget = agents.find_budget(market.buyer.organization_id)
    assert budget is not None
    assert (budget.bytes_given, budget.bytes_left) == (4 * size, 0)
