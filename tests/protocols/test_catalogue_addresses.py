"""The addresses of the catalogue: validators, pages, the whole of it, and only what the public sees."""

import hashlib
import json
from datetime import timedelta

import pytest
from flask import Flask
from lxml import etree, html
from rdflib import DCAT, DCTERMS, RDF, SKOS, Graph, Namespace, URIRef

from marketplace.catalog import browsing
from marketplace.exchange import listing
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries as licensing
from marketplace.protocols.catalogue import atom, routes, sitemap
from tests.api.test_register import ATOM, SCHEMA
from tests.api.trade import DATASET, Market, call, ok, refused
from tests.factories import market as trade

HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
NOTATIONS = {
    "jsonld": ("json-ld", "application/ld+json"),
    "ttl": ("turtle", "text/turtle"),
    "rdf": ("xml", "application/rdf+xml"),
}


def graph_of(answer) -> Graph:
    """The graph of an answer, read by the media type that it has."""
    assert answer.status_code == 200, answer.text
    by_type = {media_type: notation for notation, media_type in NOTATIONS.values()}
    return Graph().parse(data=answer.get_data(), format=by_type[answer.mimetype])


def datasets(graph: Graph) -> set[str]:
    return {str(one) for one in graph.subjects(RDF.type, DCAT.Dataset)}


@pytest.fixture
def shown(market: Market) -> list[str]:
    """Three datasets that everybody sees, oldest first; beside them a draft and one that was withdrawn."""
    found = [market.goods(title_ja=f"人流{number}").dataset_id for number in range(3)]
    market.offer(found[0], "one_off")
    gone = market.goods().dataset_id
    ok(market.provider.post(f"/v1/datasets/{gone}/withdraw"))
    return found


def name_of(market: Market, dataset_id: str) -> str:
    return f"{market.app.config['MUSUBI_SETTINGS'].base_url}/catalog/{dataset_id}#dataset"


@pytest.mark.parametrize("suffix", NOTATIONS)
def test_a_dataset_is_read_in_every_notation(market: Market, shown: list[str], suffix: str) -> None:
    answer = call(market.app, "GET", f"/catalog/{shown[0]}.{suffix}")
    assert answer.mimetype == NOTATIONS[suffix][1]
    graph = graph_of(answer)
    subject = URIRef(name_of(market, shown[0]))
    assert {str(title) for title in graph.objects(subject, DCTERMS.title)} == {"人流0", "Footfall in Odori"}
    assert len(list(graph.objects(subject, DCAT.distribution))) == 1


@pytest.mark.parametrize("suffix", NOTATIONS)
def test_pages_lead_from_one_to_the_next_until_all_is_read(market: Market, shown: list[str], suffix: str) -> None:
    address, found, totals = f"/catalog.{suffix}?size=2", [], []
    while address:
        graph = graph_of(call(market.app, "GET", address))
        found.append(datasets(graph))
        totals += graph.objects(None, HYDRA.totalItems)
        [*following] = graph.objects(None, HYDRA.next)
        address = str(following[0]).removeprefix(market.app.config["MUSUBI_SETTINGS"].base_url) if following else ""
    names = [name_of(market, one) for one in shown]
    assert found == [{names[2], names[1]}, {names[0]}]
    assert [int(total) for total in totals] == [3]


@pytest.mark.parametrize("batch_rows", [1, 3, 50])
@pytest.mark.parametrize("suffix", NOTATIONS)
def test_the_whole_catalogue_comes_in_one_stream(
    market: Market, shown: list[str], monkeypatch: pytest.MonkeyPatch, suffix: str, batch_rows: int
) -> None:
    monkeypatch.setattr(browsing, "BATCH_ROWS", batch_rows)
    graph = graph_of(call(market.app, "GET", f"/catalog/all.{suffix}"))
    assert datasets(graph) == {name_of(market, one) for one in shown}
    assert {str(one) for one in graph.objects(None, DCAT.dataset)} == datasets(graph)


def test_as_many_copies_are_written_as_the_server_can_and_no_more(market: Market, shown: list[str]) -> None:
    for _ in range(routes.COPIES_AT_ONCE + 1):
        assert call(market.app, "GET", "/catalog/all.ttl").status_code == 200
    for _ in range(routes.COPIES_AT_ONCE):
        routes._copies.acquire()
    try:
        refused(call(market.app, "GET", "/catalog/all.ttl"), 503, "catalogue-copies-busy")
        assert call(market.app, "GET", "/catalog.ttl").status_code == 200
    finally:
        for _ in range(routes.COPIES_AT_ONCE):
            routes._copies.release()


BESIDE = ("/catalog/{id}/croissant.json", "/catalog/{id}/datapackage.json", "/catalog/{id}/cadde.json")
ALONE = ("/catalog/{id}.jsonld", "/catalog/{id}.ttl", "/catalog/{id}.rdf", *BESIDE)
LISTS = (
    "/catalog.atom",
    "/catalog.jsonld",
    "/catalog.ttl",
    "/catalog.rdf",
    "/catalog/all.ttl",
    "/sitemap.xml",
    "/sitemaps/{id}.xml",
)


@pytest.mark.parametrize("path", [*ALONE, *LISTS, "/robots.txt", "/sitemaps/pages.xml"])
def test_who_has_it_already_is_spared_it(market: Market, shown: list[str], path: str) -> None:
    address = path.format(id=shown[0])
    first = call(market.app, "GET", address)
    assert first.status_code == 200
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    tag = {"If-None-Match": first.headers["ETag"]}
    again = call(market.app, "GET", address, headers=tag)
    assert (again.status_code, again.get_data(), again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    head = call(market.app, "HEAD", address)
    assert (head.status_code, head.get_data(), head.headers["ETag"]) == (200, b"", first.headers["ETag"])
    assert call(market.app, "GET", address, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("path", [*ALONE, *LISTS])
def test_validators_change_with_what_they_are_of(market: Market, shown: list[str], path: str) -> None:
    address = path.format(id=shown[0])
    before = call(market.app, "GET", address).headers
    market.offer(shown[0], "free")
    assert call(market.app, "GET", address, headers={"If-None-Match": before["ETag"]}).status_code == 200
    dated = {"If-Modified-Since": before["Last-Modified"]}
    assert call(market.app, "GET", address, headers=dated).status_code in {200, 304 if path in ALONE else 200}


@pytest.mark.parametrize("path", [one for one in LISTS if one != "/sitemap.xml"])
def test_a_list_that_lost_its_newest_member_is_not_taken_for_old(market: Market, shown: list[str], path: str) -> None:
    address = path.format(id=shown[0])
    before = call(market.app, "GET", address).headers
    ok(market.provider.post(f"/v1/datasets/{shown[2]}/withdraw"))
    both = {"If-Modified-Since": before["Last-Modified"]}, {"If-None-Match": before["ETag"]}
    assert [call(market.app, "GET", address, headers=one).status_code for one in both] == [200, 200]


def test_a_date_spares_who_reads_one_dataset(market: Market, shown: list[str]) -> None:
    address = f"/catalog/{shown[0]}.ttl"
    dated = {"If-Modified-Since": call(market.app, "GET", address).headers["Last-Modified"]}
    assert call(market.app, "GET", address, headers=dated).status_code == 304
    dated = {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}
    assert call(market.app, "GET", address, headers=dated).status_code == 200


@pytest.mark.parametrize(
    ("accept", "suffix"),
    [
        ("text/turtle", "ttl"), ("application/ld+json", "jsonld"), ("application/rdf+xml", "rdf"),
        ("application/rdf+xml;q=0.5, text/turtle;q=0.9, text/html;q=0.1", "ttl"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", None), ("*/*", None), ("application/json", None),
    ],
)  # fmt: skip
def test_the_pages_lead_to_the_notation_that_is_wanted(
    market: Market, shown: list[str], accept: str, suffix: str | None
) -> None:
    for page in ("/catalog", f"/catalog/{shown[0]}"):
        answer = call(market.app, "GET", page, headers={"Accept": accept})
        assert "Accept" in answer.headers["Vary"]
        assert answer.status_code == (303 if suffix else 200)
        assert answer.headers.get("Location") == (f"{page}.{suffix}" if suffix else None)


def test_what_the_public_does_not_see_is_in_no_format(market: Market, shown: list[str]) -> None:
    draft = market.dataset()["id"]
    for path in ALONE:
        for dataset_id in (draft, "ds_" + "0" * 32, "x"):
            refused(call(market.app, "GET", path.format(id=dataset_id)), 404, "not-found")
            refused(market.provider.get(path.format(id=dataset_id)), 404, "not-found")
    for path in LISTS:
        assert draft not in call(market.app, "GET", path.format(id=shown[0])).get_data(as_text=True)


@pytest.mark.parametrize(
    "query", ["size=0", "size=101", "size=x", "size=１", "cursor=x", "cursor=WyJhIiwiYiJd", "cursor=" + "a" * 600]
)
def test_what_no_page_asks_for_is_refused(market: Market, query: str) -> None:
    refused(call(market.app, "GET", f"/catalog.ttl?{query}"), 422, "invalid-input")


def test_the_sitemaps_name_every_dataset_once(
    market: Market, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemap, "ADDRESSES_MAX", 2)
    base_url = market.app.config["MUSUBI_SETTINGS"].base_url
    index = etree.fromstring(call(market.app, "GET", "/sitemap.xml").get_data())
    parts = [one.text.removeprefix(base_url) for one in index.iter(f"{SITEMAP}loc")]
    assert len(parts) == 3
    found = [
        [one.text for one in etree.fromstring(call(market.app, "GET", part).get_data()).iter(f"{SITEMAP}loc")]
        for part in parts
    ]
    assert f"{base_url}/catalog" in found[0]
    assert [*found[1], *found[2]] == [f"{base_url}/catalog/{one}" for one in shown]
    assert all(
        call(market.app, "GET", address.removeprefix(base_url)).status_code == 200 for part in found for address in part
    )
    assert call(market.app, "GET", f"/sitemaps/{'ds_' + 'f' * 32}.xml").status_code == 404
    assert call(market.app, "GET", "/sitemaps/x.xml").status_code == 404


def test_robots_are_told_where_the_sitemaps_are(market: Market) -> None:
    answer = call(market.app, "GET", "/robots.txt")
    assert answer.mimetype == "text/plain"
    assert f"Sitemap: {market.app.config['MUSUBI_SETTINGS'].base_url}/sitemap.xml" in answer.text.splitlines()


PROFILED = {
    "format": "csv",
    "rows": 2,
    "columns": [{"name": "日時", "type": "date"}, {"name": "人数", "type": "integer"}],
    "preview": [["2026-11-22", "1,234"], ["2026-11-23", None]],
}


def sampled(market: Market, monkeypatch: pytest.MonkeyPatch) -> str:
    """A dataset with a table of which rows are shown."""
    monkeypatch.setattr(trade, "PROFILE", PROFILED, raising=False)
    on = trade.listed()
    return on.dataset_id


def test_the_samples_of_which_descriptions_speak_are_there_with_their_hashes(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset_id = sampled(market, monkeypatch)
    base_url = market.app.config["MUSUBI_SETTINGS"].base_url
    [told] = ok(call(market.app, "GET", f"/catalog/{dataset_id}/croissant.json"))["distribution"]
    [packed, _] = ok(call(market.app, "GET", f"/catalog/{dataset_id}/datapackage.json"))["resources"]
    assert told["contentUrl"] == packed["path"]
    answer = call(market.app, "GET", told["contentUrl"].removeprefix(base_url))
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    assert answer.get_data().decode() == "日時,人数\r\n2026-11-22,1234\r\n2026-11-23,\r\n"
    assert hashlib.sha256(answer.get_data()).hexdigest() == told["sha256"] == packed["hash"].removeprefix("sha256:")
    known = {"If-None-Match": answer.headers["ETag"]}
    assert call(market.app, "GET", told["contentUrl"].removeprefix(base_url), headers=known).status_code == 304
    missing = told["contentUrl"].removeprefix(base_url).replace(".csv.csv", ".csv")
    refused(call(market.app, "GET", missing), 404, "not-found")


def test_of_parts_that_are_sold_no_value_is_shown(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset_id = sampled(market, monkeypatch)
    monkeypatch.setattr(licensing, "data_policies", lambda _dataset_id: [object()])
    with transaction():
        listing.refresh(dataset_id)
    for path in (*ALONE, "/catalog/{id}"):
        shown = call(market.app, "GET", path.format(id=dataset_id)).get_data(as_text=True)
        assert "1234" not in shown
        assert "1,234" not in shown
    assert "distribution" not in ok(call(market.app, "GET", f"/catalog/{dataset_id}/croissant.json"))


def test_the_page_of_a_dataset_has_it_for_search_engines_and_names_the_other_formats(
    market: Market, shown: list[str]
) -> None:
    answer = call(market.app, "GET", f"/catalog/{shown[0]}", headers={"Accept": "text/html"})
    page = html.document_fromstring(answer.get_data(as_text=True))
    [script] = page.iterfind(".//script")
    told = ok(call(market.app, "GET", f"/catalog/{shown[0]}/croissant.json"))
    here = json.loads(script.text)
    assert {**here, "dateModified": told["dateModified"]} == told
    base_url = market.app.config["MUSUBI_SETTINGS"].base_url
    links = {
        link.get("href").removeprefix(base_url): link.get("type") for link in page.iterfind(".//link[@rel='alternate']")
    }
    assert set(links) == {path.format(id=shown[0]) for path in ALONE}
    for path, media_type in links.items():
        assert call(market.app, "GET", path).mimetype == media_type
    # A data block is nothing that runs, so the policy of the page need not name it, and forbids all that would run.
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_the_feed_tells_the_latest_change_first_in_pages(market: Market, shown: list[str]) -> None:
    market.offer(shown[1], "free")  # changes it
    base_url = market.app.config["MUSUBI_SETTINGS"].base_url
    found, address = [], "/catalog.atom?size=2"
    while address:
        feed = etree.fromstring(call(market.app, "GET", address).get_data())
        assert SCHEMA.validate(feed), SCHEMA.error_log
        found.append([one.text for one in feed.iterfind(f"{ATOM}entry/{ATOM}id")])
        following = [link.get("href") for link in feed.iterfind(f"{ATOM}link[@rel='next']")]
        address = following[0].removeprefix(base_url) if following else ""
    # The second place of the first page is that of the dataset that was withdrawn before.
    assert found == [[name_of(market, shown[1])], [name_of(market, shown[0]), name_of(market, shown[2])]]
    answer = call(market.app, "GET", "/catalog", headers={"Accept": "application/atom+xml"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/catalog.atom")
    for cursor in ("WyJhIiwiYiJd", "WyIyMDI2Il0"):
        refused(call(market.app, "GET", f"/catalog.atom?cursor={cursor}"), 422, "invalid-input")


def test_the_feed_tells_what_left_until_it_comes_back(market: Market, shown: list[str]) -> None:
    group_id = ok(market.provider.post("/v1/groups", {"name_ja": "共同研究"}), 201)["id"]
    never = market.dataset()["id"]
    ok(market.provider.call("PUT", f"/v1/datasets/{never}/audience", json={"group_id": group_id}))

    def told() -> tuple[list[str], list[str]]:
        feed = etree.fromstring(call(market.app, "GET", "/catalog.atom").get_data())
        assert SCHEMA.validate(feed), SCHEMA.error_log
        gone = feed.findall(f"{{{atom.TOMBSTONES}}}deleted-entry")
        assert all(clock.parse(one.get("when")) <= clock.now() for one in gone)
        entries = [str(one.text) for one in feed.iterfind(f"{ATOM}entry/{ATOM}id")]
        return [one.get("ref") for one in gone], entries

    [withdrawn], there = told()
    assert sorted(there) == sorted(name_of(market, one) for one in shown)
    audience = f"/v1/datasets/{shown[1]}/audience"
    ok(market.provider.call("PUT", audience, json={"group_id": group_id}))
    assert told() == ([name_of(market, shown[1]), withdrawn], [name_of(market, shown[0]), name_of(market, shown[2])])
    before = call(market.app, "GET", "/catalog.atom").headers["ETag"]
    ok(market.provider.call("PUT", audience, json={"group_id": None}))
    assert told() == ([withdrawn], [name_of(market, shown[number]) for number in (1, 0, 2)])
    assert call(market.app, "GET", "/catalog.atom", headers={"If-None-Match": before}).status_code == 200
    # What nobody saw but a group was never everybody's, and is not told of.
    assert never not in call(market.app, "GET", "/catalog.atom").text
    # Every page of the feed has what left in its place among the changes.
    pages, address = [], "/catalog.atom?size=1"
    while address:
        feed = etree.fromstring(call(market.app, "GET", address).get_data())
        pages += [one.get("ref") or one.findtext(f"{ATOM}id") for one in feed if len(one) or one.get("ref")]
        following = [link.get("href") for link in feed.iterfind(f"{ATOM}link[@rel='next']")]
        address = following[0].removeprefix("http://127.0.0.1:8000") if following else ""
    assert [one for one in pages if one] == [
        name_of(market, shown[1]),
        withdrawn,
        *(name_of(market, shown[number]) for number in (0, 2)),
    ]


PROV, DQV = Namespace("http://www.w3.org/ns/prov#"), Namespace("http://www.w3.org/ns/dqv#")


@pytest.mark.parametrize("suffix", NOTATIONS)
def test_lineage_is_told_as_far_as_everybody_sees_it(market: Market, shown: list[str], suffix: str) -> None:
    made, source, hidden = shown[2], shown[0], shown[1]
    group_id = ok(market.provider.post("/v1/groups", {"name_ja": "共同研究"}), 201)["id"]
    ok(market.provider.call("PUT", f"/v1/datasets/{hidden}/audience", json={"group_id": group_id}))
    elsewhere = "https://www.city.sapporo.jp/統計"
    sources = [{"dataset_id": source}, {"dataset_id": hidden}, {"url": elsewhere, "title": "札幌市の統計"}]
    before = call(market.app, "GET", f"/catalog/{made}.{suffix}").headers["ETag"]
    tag = {"If-Match": market.provider.get(f"/v1/datasets/{made}/lineage").headers["ETag"]}
    ok(market.provider.call("PUT", f"/v1/datasets/{made}/lineage", json={"sources": sources}, headers=tag))
    answer = call(market.app, "GET", f"/catalog/{made}.{suffix}", headers={"If-None-Match": before})
    for graph in (
        graph_of(answer),
        *(graph_of(call(market.app, "GET", f"/catalog{one}.{suffix}")) for one in ("", "/all")),
    ):
        subject = URIRef(name_of(market, made))
        assert set(graph.objects(subject, DCTERMS.source)) == {URIRef(name_of(market, source))}
        derived = set(graph.objects(subject, PROV.wasDerivedFrom))
        assert derived == {URIRef(name_of(market, source)), URIRef(elsewhere)}
        assert str(graph.value(URIRef(elsewhere), DCTERMS.title)) == "札幌市の統計"
    assert hidden not in answer.text


@pytest.mark.parametrize("path", ["/catalog/{id}.ttl", "/catalog.ttl", "/catalog/all.rdf"])
def test_the_quality_of_each_description_is_measured_in_points(market: Market, shown: list[str], path: str) -> None:
    graph = graph_of(call(market.app, "GET", path.format(id=shown[0])))
    quality = ok(market.nobody.get(f"/v1/catalog/{shown[0]}"))["quality"]
    found = {}
    for measured in graph.objects(URIRef(name_of(market, shown[0])), DQV.hasQualityMeasurement):
        metric = graph.value(measured, DQV.isMeasurementOf)
        assert {str(label.language) for label in graph.objects(metric, SKOS.prefLabel)} == {"ja", "en"}
        found[str(metric).rpartition("#quality-")[2]] = graph.value(measured, DQV.value).toPython()
    assert found == {"score": quality["score"]} | {part["part"]: part["points"] for part in quality["parts"]}
    assert sum(value for name, value in found.items() if name != "score") == found["score"]


TEASER = {
    "title_ja": "予告だけの積雪深", "title_en": "Snow depth to come", "description_ja": "来春に公開します。", "description_en": "",
    "themes": ["land_weather"], "region": "011002",
    "columns": [{"name": "積雪深"}], "price_from_yen": 1000, "price_to_yen": 2000,
}  # fmt: skip
CKAN = (
    "package_list",
    "package_search?q=積雪深",
    "current_package_list_with_resources?limit=100",
    "tag_list",
    "group_list",
)


def test_what_is_only_announced_is_in_no_format_as_data(market: Market, shown: list[str]) -> None:
    in_spring = (clock.today() + timedelta(days=120)).isoformat()
    teaser = ok(market.provider.post("/v1/teasers", TEASER | {"expected_on": in_spring}), 201)
    assert teaser["id"] in {one["id"] for one in ok(market.nobody.get("/v1/teasers"))["items"]}
    listing.rebuild_index()
    lists = [
        path.format(id=shown[0]) for path in (*LISTS, "/catalog/all.rdf", "/catalog/all.jsonld", "/sitemaps/pages.xml")
    ]
    for path in (*lists, *(f"/api/3/action/{action}" for action in CKAN)):
        text = call(market.app, "GET", path).get_data(as_text=True)
        assert teaser["id"] not in text, path
        assert "予告だけ" not in text, path
    assert ok(market.nobody.get("/v1/catalog?q=積雪深"))["items"] == []  # announced ones stand apart there
    for path in ALONE:
        assert call(market.app, "GET", path.format(id=teaser["id"])).status_code == 404
    shown_by = call(market.app, "GET", f"/api/3/action/package_show?id={teaser['id']}")
    assert shown_by.status_code == 404


def test_an_exchange_without_data_has_empty_lists(app: Flask) -> None:
    for path in ("/catalog.ttl", "/catalog/all.rdf", "/catalog.jsonld"):
        assert datasets(graph_of(call(app, "GET", path))) == set()
    assert SCHEMA.validate(etree.fromstring(call(app, "GET", "/catalog.atom").get_data()))
    assert call(app, "GET", "/sitemap.xml").status_code == 200


def test_data_of_high_value_are_flagged_by_their_provider(market: Market) -> None:
    flagged = market.goods(high_value_categories=["geospatial", "mobility"]).dataset_id
    graph = graph_of(call(market.app, "GET", f"/catalog/{flagged}.ttl"))
    subject = URIRef(name_of(market, flagged))
    law = URIRef("http://data.europa.eu/eli/reg_impl/2023/138/oj")
    assert set(graph.objects(subject, URIRef("http://data.europa.eu/r5r/applicableLegislation"))) == {law}
    assert {str(one) for one in graph.objects(subject, URIRef("http://data.europa.eu/r5r/hvdCategory"))} == {
        "http://data.europa.eu/bna/c_ac64a52d", "http://data.europa.eu/bna/c_b79e35eb",
    }  # fmt: skip
    assert "地理空間、移動" in call(market.app, "GET", f"/catalog/{flagged}?lang=ja").text
    for wrong in (["everything"], ["mobility", "mobility"]):
        answer = market.provider.post("/v1/datasets", DATASET | {"high_value_categories": wrong})
        assert answer.status_code == 422
    plain = market.goods().dataset_id
    assert "hvdCategory" not in call(market.app, "GET", f"/catalog/{plain}.ttl").text
