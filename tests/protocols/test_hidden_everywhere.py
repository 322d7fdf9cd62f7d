"""What is listed to a private group is nowhere to be found: at no address, by no protocol, by no count, by no statement.

The first walk compares all that strangers can read before a hidden dataset is made, sold, rated, cited and derived from
with what they can read afterwards. The second asks by its ids, and asks the same for ids that never were.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from marketplace.catalog.models import File
from marketplace.exchange import browsing, listing, noticing, reputing
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from tests.api import bodies_of_understanding as bodies
from tests.api.routes import PLACEHOLDER, REQUEST, everything_of, routes
from tests.api.test_private_listings import SECRETS, WORD, grouped, statements
from tests.api.trade import Goods, Market, Party, ok
from tests.web.people import Browser, signed_in, someone

TERMS = {"template": "standard-commercial", "title_en": "For the circle", "items": {"notices": "会員だけが利用できる"}}
CSV = "日付,地点コード,乗降客数\n2026-11-22,011002,123\n2026-11-23,011002,456\n".encode()
APART = re.compile(
    r"/sandbox|/oauth|/static|/sign-in|/audit/|/v1/audit|/v1/ready|/v1/health|/checkout|/consent|/device|/email|/invitation"
    r"|/joining|/recovery|/account/passkeys|/tickets|/problems/|/docs|/openapi|/\.well-known|/v1/receipt-keys|/organization/notices/<"
)
"""Addresses that tell nothing of the catalogue; and the record, whose length tells how many deeds there were at all."""
PASSING = re.compile(
    r'name="form_token" value="[^"]*"|nonce[-=]"?[\w+/=-]*|"(?:as_of|updated_at|generated_at)": ?"[^"]*"|trace[-_]id[^,}]*'
)


def shelved(market: Market, **changes: Any) -> Goods:
    """Something that everybody sees, with keys to join by and an offer."""
    made = market.goods("乗降.csv", CSV, **changes)
    market.offer(made.dataset_id)
    return made


def conceal(market: Market, shown: Goods, group: str) -> dict[str, str]:
    """Make, list, sell, rate, cite and derive from a dataset of the group's."""
    dataset = market.dataset(**SECRETS)["id"]
    ok(market.provider.call("PUT", f"/v1/datasets/{dataset}/audience", json={"group_id": group}))
    release = market.release(dataset, "veiled-2026")["id"]
    ok(market.upload(release, "乗降.csv", CSV), 201)
    market.publish(release)
    goods = Goods(dataset, release, "乗降.csv", CSV)
    terms = ok(market.provider.post("/v1/terms", TERMS), 201)["id"]
    bought = market.bought(goods, "one_off", terms_id=terms)
    address = f"/v1/datasets/{dataset}"
    ok(market.buyer.call("PUT", f"{address}/rating", json={"stars": 5, "text_ja": WORD}))
    cited = ok(market.buyer.post(f"/v1/catalog/{dataset}/citations", bodies.CITATION | {"title": WORD}), 201)["id"]
    ok(market.provider.post(f"/v1/citations/{cited}/decision", {"state": "shown"}))
    for one, other in ((dataset, shown.dataset_id), (market.dataset()["id"], dataset)):
        version = ok(market.provider.get(f"/v1/datasets/{one}"))["version"]
        body = {"sources": [{"dataset_id": other}]}
        ok(market.provider.call("PUT", f"/v1/datasets/{one}/lineage", json=body, headers={"If-Match": f'"{version}"'}))
    trial = bodies.TRIAL | {"terms_id": market.terms("free")["id"]}
    ok(market.provider.call("PUT", f"{address}/trial", json=trial))
    offer = ok(market.provider.get(f"/v1/offers?dataset_id={dataset}"))["items"][0]
    return {
        "dataset_id": dataset, "release_id": release, "name": goods.file_name, "citation_id": cited,
        "offer_id": offer["id"], "terms_id": offer["terms_id"], "identifier": offer["terms_id"],
        "order_id": bought["id"], "invoice_id": bought["invoice_id"], "grant_id": bought["grant_id"],
        "rating_id": ok(market.buyer.get(f"{address}/ratings"))["items"][0]["id"], "group_id": group,
        "file_id": str(db.session.scalar(select(File.id).where(File.release_id == release))),
        "share": bought["grant_id"], "schema": "default", "table": "乗降", "first_id": dataset,
    }  # fmt: skip


def settle() -> None:
    """Let everything that follows later follow now."""
    listing.rebuild_index()
    browsing._places.__init__()  # type: ignore[misc] # where pages of another test ended
    with clock.stopped(clock.now() + timedelta(minutes=5)):
        noticing.look()
    reputing.publish()


@pytest.fixture
def readers(market: Market) -> dict[str, Any]:
    """Strangers of every kind: programs with and without a token, a browser, and one whose person has signed in."""
    return {
        "nobody": market.nobody,
        "stranger": market.stranger,
        "rival": market.rival,
        "browser": Browser(market.app),
        "person": signed_in(market.app, someone()),
    }


def rules(app: Flask) -> list[str]:
    found = {rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set())}
    return sorted(rule for rule in found if not APART.search(rule))


def path_of(rule: str, ids: dict[str, str]) -> str | None:
    """The address of a rule, None where nothing is known that it could name."""
    if not set(PLACEHOLDER.findall(rule)) <= set(ids):
        return None
    return PLACEHOLDER.sub(lambda found: quote(ids[found[1]], safe=""), rule)


def read(who: Any, path: str) -> tuple[int, str]:
    answer = who.get(path)
    return answer.status_code, PASSING.sub("", answer.get_data(as_text=True))


SEARCHES = ("/v1/catalog", "/catalog", "/v1/catalog/suggestions")
SPOKEN: dict[str, tuple[str, str, dict[str, Any]]] = {
    f"ckan {action} {asked}": ("ckan", action, asked)
    for action, asked in (
        ("package_list", {}),
        ("package_search", {"q": WORD}),
        ("package_search", {"q": "*:*", "facet.field": ["organization", "groups", "tags", "res_format"]}),
        ("package_search", {"fq": "tags:veiled"}),
        ("current_package_list_with_resources", {}),
        ("organization_list", {"all_fields": True}),
        ("group_list", {"all_fields": True}),
        ("tag_list", {}),
        ("tag_list", {"query": "veil"}),
    )
} | {f"mcp search {words}": ("mcp", "search", {"words": words}) for words in ("", WORD, "veiled")}
"""What is asked in foreign protocols of the catalogue as a whole."""


def spoken(who: Party, name: str) -> Any:
    protocol, action, asked = SPOKEN[name]
    answer = say(who, protocol, action, asked)
    return PASSING.sub("", answer.get_data(as_text=True))


def say(who: Party, protocol: str, action: str, asked: dict[str, Any]) -> TestResponse:
    if protocol == "ckan":
        return who.call("POST", f"/api/3/action/{action}", json=asked)
    params = {"name": action, "arguments": asked}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
    return who.call("POST", "/mcp", json=message, headers=headers)


ID = re.compile(r"[a-z]+_[0-9a-f]{32}")
NAMED: dict[str, Callable[[Party, dict[str, str]], TestResponse]] = {
    "package_show": lambda who, ids: say(who, "ckan", "package_show", {"id": ids["dataset_id"]}),
    "resource_show": lambda who, ids: say(who, "ckan", "resource_show", {"id": ids["file_id"]}),
    "resource_view_list": lambda who, ids: say(who, "ckan", "resource_view_list", {"id": ids["file_id"]}),
    "datastore_info": lambda who, ids: say(who, "ckan", "datastore_info", {"id": ids["file_id"]}),
    "datastore_search": lambda who, ids: say(who, "ckan", "datastore_search", {"resource_id": ids["file_id"]}),
    "mcp describe": lambda who, ids: say(who, "mcp", "describe", {"dataset_id": ids["dataset_id"]}),
    "mcp quote": lambda who, ids: say(who, "mcp", "quote", {"offer_id": ids["offer_id"]}),
    "mcp read_terms": lambda who, ids: say(who, "mcp", "read_terms", {"terms_id": ids["terms_id"]}),
    "mcp grants": lambda who, ids: say(who, "mcp", "grants", {"dataset_id": ids["dataset_id"]}),
    "mcp sample": lambda who, ids: say(
        who,
        "mcp",
        "sample",
        {"dataset_id": ids["dataset_id"], "file_name": ids["name"], "release_id": ids["release_id"]},
    ),
    "mcp fetch": lambda who, ids: say(who, "mcp", "fetch", {"grant_id": ids["grant_id"], "file_name": ids["name"]}),
    "order": lambda who, ids: who.post("/v1/orders", {"offer_id": ids["offer_id"], "accept_terms_sha256": "0f" * 32}),
    "quote": lambda who, ids: who.post("/v1/quotes", {"offer_id": ids["offer_id"]}),
    "answer": lambda who, ids: who.post(
        f"/v1/data-requests/{ids['request_id']}/answers", {"kind": "listing", "dataset_id": ids["dataset_id"]}
    ),
    "lineage": lambda who, ids: who.call(
        "PUT",
        f"/v1/datasets/{ids['own_id']}/lineage",
        json={"sources": [{"dataset_id": ids["dataset_id"]}]},
        headers={"If-Match": '"1"'},
    ),
    "offers": lambda who, ids: who.get(f"/v1/offers?dataset_id={ids['dataset_id']}"),
    "grants": lambda who, ids: who.get(f"/v1/grants?dataset_id={ids['dataset_id']}"),
    "usage": lambda who, ids: who.get(f"/v1/usage?grant_id={ids['grant_id']}"),
    "receipts": lambda who, ids: who.get(f"/v1/audit/receipts?subject={ids['order_id']}"),
    "trace": lambda who, ids: who.get(f"/v1/traces/{ids['dataset_id']}"),
    "offer of another's": lambda who, ids: who.post(
        "/v1/offers", {"dataset_id": ids["dataset_id"], "terms_id": ids["terms_id"], "price": {"kind": "free"}}
    ),
}
"""What names a thing elsewhere than in an address: in bodies, queries and the calls of foreign protocols."""


def known_to_all(market: Market, shown: Goods) -> dict[str, str]:
    """What stands in the addresses that a stranger reads: what everybody sees, and what is its own."""
    saved = ok(market.stranger.post("/v1/saved-searches", {"name": "新着", "q": WORD}), 201)["id"]
    request = ok(market.stranger.post("/v1/data-requests", REQUEST), 201)["id"]
    provider = market.provider.organization_id
    return {
        "dataset_id": shown.dataset_id, "release_id": shown.release_id, "name": shown.file_name, "watch_id": saved,
        "request_id": request, "organization_id": provider, "provider_id": provider, "first_id": shown.dataset_id,
    }  # fmt: skip


def test_all_that_strangers_can_read_is_as_it_was_before_there_was_something_hidden(
    market: Market, readers: dict[str, Any]
) -> None:
    shown, group = shelved(market), grouped(market, market.buyer)
    known = known_to_all(market, shown)
    paths = [path for rule in rules(market.app) if (path := path_of(rule, known))]
    paths += [f"{place}?q={quote(word)}" for place in SEARCHES for word in (WORD, "veiled", "大通")]
    settle()
    settle()  # what is published once a month is published by now
    before = {(name, path): read(who, path) for name, who in readers.items() for path in paths}
    said = {name: spoken(market.nobody, name) for name in SPOKEN}

    hidden = conceal(market, shown, group)
    settle()

    assert [asked for asked, told in before.items() if read(readers[asked[0]], asked[1]) != told] == []
    assert [name for name, told in said.items() if spoken(market.nobody, name) != told] == []
    assert len(paths) > 150
    assert ok(market.buyer.get("/v1/catalog", query_string={"q": WORD}))["total"] == 1
    [derived] = ok(market.buyer.get(f"/v1/catalog/{shown.dataset_id}/lineage"))["derived"]
    assert derived["dataset_id"] == hidden["dataset_id"]


@pytest.mark.parametrize("kind", ["nobody", "stranger", "rival", "browser", "person"])
def test_every_page_and_format_answers_and_asks_the_same_for_what_is_hidden_as_for_what_never_was(
    market: Market, readers: dict[str, Any], kind: str
) -> None:
    hidden, who = conceal(market, shelved(market), grouped(market, market.buyer)), readers[kind]
    settle()
    beside = {"path": "a", "run_id": new_id("hrn")}
    named = [rule for rule in rules(market.app) if names_hidden(rule, hidden)]

    differ = {rule: compare(lambda ids, rule=rule: who.get(path_of(rule, beside | ids)), hidden) for rule in named}

    assert {rule: told for rule, told in differ.items() if told} == {}
    assert len(named) > 60


@pytest.mark.parametrize("kind", ["nobody", "stranger", "rival"])
def test_every_deed_and_protocol_answers_and_asks_the_same_for_what_is_hidden_as_for_what_never_was(
    market: Market, readers: dict[str, Any], kind: str
) -> None:
    everything, who = everything_of(market), readers[kind]
    request = ok(market.buyer.post("/v1/data-requests", REQUEST), 201)["id"]
    beside = {"request_id": request, "own_id": ok(market.rival.get("/v1/datasets"))["items"][0]["id"]}
    hidden = conceal(market, shelved(market), grouped(market, market.buyer))
    settle()
    named = [route for route in routes(market.app) if names_hidden(route.rule, hidden)]

    differ = {
        str(route): compare(lambda ids, route=route: everything.send(who, route, **of(route.rule, ids)), hidden)
        for route in named
    } | {name: compare(lambda ids, ask=ask: ask(who, beside | ids), hidden) for name, ask in NAMED.items()}

    assert {asked: told for asked, told in differ.items() if told} == {}
    assert len(named) > 80


def names_hidden(rule: str, hidden: dict[str, str]) -> bool:
    return bool(of(rule, hidden).keys() - {"name", "schema"})


def of(rule: str, ids: dict[str, str]) -> dict[str, str]:
    """Those of the ids that an address names."""
    return {name: value for name, value in ids.items() if name in PLACEHOLDER.findall(rule)}


def compare(send: Callable[[dict[str, str]], TestResponse], hidden: dict[str, str]) -> Any:
    """How the answer for what is hidden differs from that for what never was; None where it does not."""
    send(never(hidden))
    with statements() as absent:
        missing = send(never(hidden))
    with statements() as concealed:
        unseen = send(hidden)
    if (unseen.status_code, len(unseen.data)) != (missing.status_code, len(missing.data)):
        return unseen.status_code, unseen.get_data(as_text=True)[:300], missing.get_data(as_text=True)[:300]
    if concealed != absent:
        return unseen.status_code, [one for one in concealed if one not in absent], len(concealed), len(absent)
    return None


def never(hidden: dict[str, str]) -> dict[str, str]:
    """Ids of the same form that nothing has."""
    return {name: new_id(one[:3].strip("_")) if ID.fullmatch(one) else one for name, one in hidden.items()}
