"""Whatever stands in a title, and however many files a record has: every format says it soundly at its real address."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from lxml import etree, html
from rdflib import DCAT, DCTERMS, Graph, URIRef

from marketplace.exchange import browsing, foreign, listing
from marketplace.protocols.catalogue.rdf import storable_in_xml
from tests.api.test_register import ATOM, SCHEMA
from tests.api.trade import Market, call, market_of, ok

BASE = "http://127.0.0.1:8000"
TEXTS = {
    "script": "</script><script>alert(1)</script><!-- 避難所",
    "cdata": "]]> &amp; <![CDATA[ &#x0; 避難所 ?>",
    "marks": "\u202e右から\u2066左\u200f\ufeff避難所\u200b\u00ad",
    "wide": "ＡＢＣ１２３　ﾊﾝｶｸ　㈱髙﨑の避難所",
    "astral": "𠮷野の避難所👨\u200d👩\u200d👧\U000e0041",
    "nothing": "避難所\ufffe\uffff\U0001ffff\ud7ff",
    "quotes": '"""\\" \'\'\' \\u0022 {{7*7}} ${x} %00 %s 避難所@ja^^<x> .',
    "control": "避難所\x00\x07\x1b[31m\x7f\x85\u2028\u2029x",
    "surrogate": "避難所\udfff\ud800x",
}
Read = Callable[[str, str], str]


@pytest.fixture
def market(app: Flask) -> Market:
    """Everybody who takes part."""
    return market_of(app)


@pytest.fixture
def shown(market: Market) -> dict[str, str]:
    """Titles as the exchange's own interface tells them, by dataset; what cannot be kept was refused or mended."""
    found = {}
    for name, text in TEXTS.items():
        package = {"id": name, "name": name, "title": text, "notes": text, "tags": [{"name": text}], "resources": []}
        body = json.dumps({"package": package | {"resources": [{"url": "https://a.example/x.csv", "name": text}]}})
        answer = market.provider.send("POST", "/v1/datasets/import", body, Content_Type="application/json")
        assert answer.status_code in {201, 400, 422}, (name, answer.text)
        if answer.status_code == 201:
            dataset_id = json.loads(answer.data)["id"]
            found[dataset_id] = ok(market.nobody.get(f"/v1/catalog/{dataset_id}"))["title_ja"]
    as_typed = market.goods(title_ja=TEXTS["wide"]).dataset_id  # what is taken over has its widths mended
    found[as_typed] = ok(market.nobody.get(f"/v1/catalog/{as_typed}"))["title_ja"]
    kept = set(found.values())
    assert {TEXTS[name] for name in ("script", "cdata", "wide", "quotes")} <= kept
    assert all("避難所" in title and title.encode() for title in kept)
    listing.rebuild_index()
    browsing._places.__init__()  # type: ignore[misc] # where pages of another test ended
    return found


def told(data: bytes) -> Any:
    """JSON as it must be: UTF-8, and without the words that JSON does not have."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    return json.loads(data.decode("utf-8", "strict"), parse_constant=refuse)


def graph_title(notation: str) -> Read:
    def read(data: Any, dataset_id: str) -> str:
        graph = Graph().parse(data=data, format=notation)
        titles = graph.objects(URIRef(f"{BASE}/catalog/{dataset_id}#dataset"), DCTERMS.title)
        return next(str(title) for title in titles if title.language == "ja")

    return read


def atom_title(data: Any, dataset_id: str) -> str:
    feed = etree.fromstring(data)
    assert SCHEMA.validate(feed), SCHEMA.error_log
    entries = {entry.findtext(f"{ATOM}id"): entry.findtext(f"{ATOM}title") for entry in feed.iterfind(f"{ATOM}entry")}
    return str(entries[f"{BASE}/catalog/{dataset_id}#dataset"]).removesuffix(" / Footfall in Odori")


def page_title(data: Any, _dataset_id: str) -> str:
    page = html.document_fromstring(data.decode())
    scripts = page.findall(".//script")
    assert {one.get("type") for one in scripts} == {"application/ld+json"}
    described = [told(one.text.encode()) for one in scripts]
    return str(described[0]["name"])


def among(items: list[dict[str, Any]], dataset_id: str) -> dict[str, Any]:
    return next(one for one in items if one["id"] == dataset_id)


def ckan(action: str, of: Callable[[Any, str], Any]) -> tuple[str, Read]:
    return f"/api/3/action/{action}", lambda data, dataset_id: str(of(told(data)["result"], dataset_id)["title"])


def mcp(data: Any, _dataset_id: str) -> str:
    return str(told(data)["result"]["structuredContent"]["title_ja"])


# As XML keeps them: signs that it cannot hold stand as U+FFFD in all of RDF and Atom.
IN_XML = {
    "/catalog/{id}.ttl": graph_title("turtle"), "/catalog/{id}.jsonld": graph_title("json-ld"), "/catalog/{id}.rdf": graph_title("xml"),
    "/catalog.ttl": graph_title("turtle"), "/catalog.jsonld": graph_title("json-ld"), "/catalog.rdf": graph_title("xml"),
    "/catalog/all.ttl": graph_title("turtle"), "/catalog/all.jsonld": graph_title("json-ld"),
    "/catalog/all.rdf": graph_title("xml"), "/catalog.atom": atom_title,
}  # fmt: skip
IN_JSON = {
    "/catalog/{id}/croissant.json": lambda data, _id: str(told(data)["name"]),
    "/catalog/{id}/datapackage.json": lambda data, _id: str(told(data)["title"]),
    "/catalog/{id}/cadde.json": lambda data, _id: str(told(data)["title"]),
    "/catalog/{id}?lang=ja": page_title,
    "/v1/catalog?size=50": lambda data, dataset_id: str(among(told(data)["items"], dataset_id)["title_ja"]),
    **dict([
        ckan("package_show?id={id}", lambda result, _id: result),
        ckan("package_search?q=*:*&rows=100", lambda result, dataset_id: among(result["results"], dataset_id)),
        ckan("current_package_list_with_resources?limit=100", among),
    ]),
    "/mcp": mcp,
}  # fmt: skip


def ask(market: Market, path: str, dataset_id: str) -> bytes:
    if path != "/mcp":
        answer = call(market.app, "GET", path.format(id=dataset_id))
    else:
        params = {"name": "describe", "arguments": {"dataset_id": dataset_id}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        answer = call(market.app, "POST", path, json=message)
    assert answer.status_code == 200, answer.text
    return answer.get_data()


@pytest.mark.parametrize("path", [*IN_XML, *IN_JSON])
def test_every_format_says_whatever_stands_in_a_title(market: Market, shown: dict[str, str], path: str) -> None:
    read = (IN_XML | IN_JSON)[path]
    for dataset_id, title in shown.items():
        said = read(ask(market, path, dataset_id), dataset_id)
        assert said == (storable_in_xml(title) if path in IN_XML else title)


@pytest.mark.parametrize("path", [*IN_XML, *IN_JSON, "/sitemap.xml", "/sitemaps/{id}.xml"])
def test_every_format_bears_a_record_of_502_files(market: Market, path: str) -> None:
    files = [
        {
            "id": f"r{one}",
            "url": f"https://a.example/{one}.csv?q=%E9%81%BF&x={one}",
            "name": f"ファイル<{one}>",
            "format": "csv",
        }
        for one in range(502)
    ]
    package = {"id": "many", "name": "many", "title": "五百二個の避難所", "resources": files}
    dataset_id = ok(market.provider.post("/v1/datasets/import", {"package": package}), 201)["id"]
    listing.rebuild_index()
    browsing._places.__init__()  # type: ignore[misc] # where pages of another test ended
    data = ask(market, path, dataset_id)
    if path in IN_XML | IN_JSON:
        assert (IN_XML | IN_JSON)[path](data, dataset_id) == "五百二個の避難所"
    else:
        etree.fromstring(data)
    if path == "/catalog/{id}.ttl":
        links = ok(market.nobody.get(f"/v1/catalog/{dataset_id}"))["links"]
        distributions = Graph().parse(data=data, format="turtle").objects(None, DCAT.distribution)
        assert len(set(distributions)) == len(links) == foreign.LINKS_SHOWN
    if "package_show" in path:
        assert len(told(data)["result"]["resources"]) == 502


@pytest.mark.parametrize("message", [
    {"method": "\ud800"}, {"method": "tools/call", "params": {"name": "\ud800"}}, {"id": "\udfff", "method": "ping"},
    {"method": "tools/call", "params": {"name": "search", "arguments": {"words": "避難所\ud800"}}},
    {"method": "tools/call", "params": {"name": "search", "arguments": {"\ud800": 1}}},
    {"method": "tools/call", "params": {"name": "search", "arguments": {"filters": {"\ud800": ["\ud800"]}}}},
    {"method": "tools/call", "params": {"name": "search", "arguments": {"filters": {"theme": ["\ud800"]}}}},
    {"method": "tools/call", "params": {"name": "sample", "arguments": {"dataset_id": "ds_" + "0" * 32, "file_name": "\ud800"}}},
    {"method": "initialize", "params": {"protocolVersion": "\ud800"}},
])  # fmt: skip
def test_half_a_sign_sent_by_an_agent_is_no_fault_of_ours(market: Market, message: dict[str, Any]) -> None:
    answer = call(market.app, "POST", "/mcp", json={"jsonrpc": "2.0", "id": 1} | message)
    assert answer.status_code in {200, 400}
    assert told(answer.get_data())["jsonrpc"] == "2.0"
