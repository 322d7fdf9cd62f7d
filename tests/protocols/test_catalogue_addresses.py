"""The addresses of the catalogue: validators, pages, the whole of it, and only what the public sees."""

import pytest
from lxml import etree
from rdflib import DCAT, DCTERMS, RDF, Graph, Namespace, URIRef

from marketplace.catalog import browsing
from marketplace.protocols.catalogue import routes, sitemap
from tests.api.trade import Market, call, ok, refused

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


ALONE = ("/catalog/{id}.jsonld", "/catalog/{id}.ttl", "/catalog/{id}.rdf")
LISTS = ("/catalog.jsonld", "/catalog.ttl", "/catalog.rdf", "/catalog/all.ttl", "/sitemap.xml", "/sitemaps/{id}.xml")


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
