"""What is listed to a group alone is in none of the catalogue's formats, whoever asks."""

from tests.api.test_private_listings import SECRETS, WORD, hidden
from tests.api.trade import Market, call, refused
from tests.protocols.test_catalogue_addresses import ALONE, LISTS


def test_no_format_tells_of_a_private_listing(market: Market) -> None:
    shown, goods = market.goods().dataset_id, market.goods(**SECRETS)
    lists = [path.format(id=shown) for path in (*LISTS, "/catalog/all.rdf", "/catalog/all.jsonld")]
    before = {path: call(market.app, "GET", path).headers["ETag"] for path in lists}
    assert all(call(market.app, "GET", path.format(id=goods.dataset_id)).status_code == 200 for path in ALONE)
    hidden(market, goods, market.buyer)
    for path in lists:
        text = call(market.app, "GET", path).get_data(as_text=True)
        # Readers of the feed are told to drop it, as of what was withdrawn: it was everybody's before.
        tombstone = f'<at:deleted-entry ref="http://127.0.0.1:8000/catalog/{goods.dataset_id}#dataset"'
        assert text.count(goods.dataset_id) == text.count(tombstone) == (path == "/catalog.atom")
        assert WORD not in text
        assert call(market.app, "GET", path).headers["ETag"] != before[path] or path == "/sitemap.xml"
    sample = f"/catalog/{goods.dataset_id}/releases/{goods.release_id}/samples/{goods.file_name}.csv"
    for path in (*(path.format(id=goods.dataset_id) for path in ALONE), sample):
        for who in (market.nobody, market.stranger, market.buyer, market.provider):
            refused(who.get(path), 404, "not-found")
    starting_there = call(market.app, "GET", f"/sitemaps/{goods.dataset_id}.xml")
    assert starting_there.status_code == 404 or goods.dataset_id not in starting_there.text
