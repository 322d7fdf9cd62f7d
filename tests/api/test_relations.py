"""What ties datasets together, on the wire and on the page: for readers of public and of private listings."""

import pytest

from marketplace.kit import jobs
from tests.api.trade import Market, ok, refused
from tests.exchange.test_relating import DAYS, listed
from tests.web.people import Browser
from tests.web.test_pages import check


def test_joins_and_similar_data_are_told_to_everybody(market: Market) -> None:
    own, other = listed(DAYS), listed(DAYS, title_ja="大通地区の人流データ（降雪期）")
    told = ok(market.nobody.get(f"/v1/datasets/{own}/joins?size=5"))["items"]
    assert [(one["dataset_id"], one["keys"][0]["kind"]) for one in told] == [(other, "date")]
    assert (told[0]["time_from"], told[0]["time_to"]) == ("2025-04-01", "2026-03-31")
    similar = ok(market.nobody.get(f"/v1/datasets/{own}/similar"))["items"]
    assert [one["dataset_id"] for one in similar] == [other]
    refused(market.nobody.get(f"/v1/datasets/{own}/joins?size=21"), 422, "invalid-input")
    refused(market.nobody.get("/v1/datasets/ds_1/joins"), 404, "not-found")
    refused(market.nobody.get("/v1/datasets/ds_1/similar"), 404, "not-found")


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_page_of_a_dataset_says_with_what_it_joins_and_why(market: Market, language: str) -> None:
    own, other = listed(DAYS), listed(DAYS, title_ja="<b>気温</b>", title_en="<b>Temperatures</b>", keywords=())
    jobs.run_pending("catalog.index")
    page = Browser(market.app).get(f"/catalog/{own}?lang={language}")
    outline = check(page, language)
    assert f"/catalog/{other}?lang={language}" in {link["href"] for link in outline.all("a")}
    assert {"ja": "2025-04-01から2026-03-31までが重なります。", "en": "Joins by date (by day"}[language] in page.text
    assert "<b>" not in page.text
