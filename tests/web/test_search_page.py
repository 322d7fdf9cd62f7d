"""The catalogue page: the same search as the API, facets as links, pages that do not shift."""

import re

import pytest

from tests.factories.catalog import DocumentFactory
from tests.factories.identity import OrganizationFactory
from tests.web.conftest import Get, List, hrefs


def titles(text: str) -> list[str]:
    return re.findall(r"<h3><a [^>]*>(.*?)</a></h3>", text)


def test_words_find_what_the_api_finds_in_the_same_order(get: Get, listed: List):
    for title in ("大通公園の気温", "気温", "降雪量", "中島公園の気温と湿度"):
        listed(title_ja=title, title_en="x", description_ja="", keywords=[])
    page = titles(get("/catalog?q=気温").get_data(as_text=True))
    found = get("/v1/catalog?q=気温").json
    assert page == [item["title_ja"] for item in found["items"]]
    assert page[0] == "気温"
    assert len(page) == 3


def test_pages_follow_each_other_without_gaps_and_without_repeats(get: Get, listed: List):
    made = {listed(title_ja=f"人流{number}号").title_ja for number in range(5)}
    seen: list[str] = []
    path = "/catalog?q=人流&size=2&lang=ja"
    pages = 0
    while path:
        text = get(path).get_data(as_text=True)
        assert "5件のデータ" in text
        seen += titles(text)
        following = hrefs(text, "次のページ")
        path = following[0] if following else ""
        pages += 1
        assert bool(hrefs(text, "最初のページ")) == (pages > 1)
    assert pages == 3
    assert len(seen) == 5
    assert set(seen) == made


def test_following_a_facet_narrows_the_search_and_following_it_again_widens_it(get: Get, listed: List):
    listed(title_ja="人流の甲", themes=["population"])
    listed(title_ja="人流の乙", themes=["labour"])
    text = get("/catalog?q=人流").get_data(as_text=True)
    narrowed = hrefs(text, "人口・世帯")
    assert narrowed == ["/catalog?q=%E4%BA%BA%E6%B5%81&theme=population"]
    text = get(narrowed[0]).get_data(as_text=True)
    assert titles(text) == ["人流の甲"]
    assert hrefs(text, "✓ 人口・世帯") == ["/catalog?q=%E4%BA%BA%E6%B5%81"]
    both = hrefs(text, "労働・賃金")
    assert both == ["/catalog?q=%E4%BA%BA%E6%B5%81&theme=population&theme=labour"]
    assert len(titles(get(both[0]).get_data(as_text=True))) == 2


def test_a_dataset_of_two_themes_shows_both_and_stands_under_each(get: Get, listed: List):
    listed(title_ja="人流の甲", themes=["population", "labour"])
    text = get("/catalog?q=人流").get_data(as_text=True)
    assert "<li>人口・世帯</li><li>労働・賃金</li>" in text
    for label in ("人口・世帯", "労働・賃金"):
        assert titles(get(hrefs(text, label)[0]).get_data(as_text=True)) == ["人流の甲"]


def test_a_search_from_the_box_keeps_the_filters(get: Get, listed: List):
    listed()
    text = get("/catalog?theme=transport_tourism&lang=en&q=x").get_data(as_text=True)
    assert '<input type="hidden" name="theme" value="transport_tourism">' in text
    assert '<input type="hidden" name="lang" value="en">' in text
    assert 'value="x"' in text


def test_facets_carry_names_instead_of_codes_and_their_counts(get: Get, listed: List):
    city = OrganizationFactory(provider=True, name_ja="札幌市", name_en="City of Sapporo")
    listed(organization=city, update_frequency="DAILY")
    listed(organization=city, update_frequency="MONTHLY")
    japanese, english = (get(f"/catalog?lang={language}").get_data(as_text=True) for language in ("ja", "en"))
    for text, words in (
        (japanese, ["札幌市", "毎日", "毎月", "CSV", "一括", "北海道 札幌市 011002"]),
        (english, ["City of Sapporo", "Daily", "Monthly", "CSV", "One-off", "Hokkaido Sapporo 011002"]),
    ):
        assert [word for word in words if not hrefs(text, word)] == []
    assert re.search(r"札幌市</a> <span class=\"count\">2</span>", japanese)


def test_of_many_facet_values_the_most_frequent_are_shown_and_the_chosen_one_always(get: Get, index):
    for number in range(20):
        index.upsert(DocumentFactory(region=f"{number + 1:02}0000"))
    text = get("/catalog?region=200000").get_data(as_text=True)
    assert hrefs(text, "✓ 長野県 200000")
    assert "ほか7件" in text


def test_a_publisher_and_codes_that_are_not_known_are_shown_as_they_are(get: Get, index):
    index.upsert(DocumentFactory(themes=["astrology"], frequency="SOMETIMES", price_classes=["barter"], region="XX"))
    text = get("/catalog").get_data(as_text=True)
    for code in ("astrology", "SOMETIMES", "barter", "XX", "org_1"):
        assert hrefs(text, code)


def test_nothing_found_says_what_to_do(get: Get, index):
    text = get("/catalog?q=存在しない&lang=ja").get_data(as_text=True)
    assert "0件のデータ" in text
    assert "言葉を減らすか" in text


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        f"cursor={'a' * 501}",
        f"q={'a' * 1001}",
        "size=0",
        "size=101",
        "size=x",
        "size=00000000150",
        "size=-1",
        "size=２",
    ],
)
def test_a_search_that_cannot_be_run_is_a_page_that_says_why(get: Get, index, query):
    answer = get(f"/catalog?{query}")
    assert answer.status_code == 422
    assert answer.mimetype == "text/html"
    pointer = query.split("=")[0]
    assert f"<code>/{pointer}</code>" in answer.get_data(as_text=True)


def test_parameters_of_others_are_ignored(get: Get, index):
    assert get("/catalog?utm_source=x&theme=&q=").status_code == 200


@pytest.mark.parametrize("dataset_id", ["ds_0", "x" * 3000, "%ED%A0%80", "..%2f..", "ds_%F0%9F%98%80"])
def test_a_dataset_that_is_not_listed_is_not_found(get: Get, index, dataset_id):
    assert get(f"/catalog/{dataset_id}").status_code == 404


def test_a_withdrawn_dataset_is_gone_from_all_pages(get: Get, listed: List):
    from marketplace.catalog import listings

    dataset = listed(title_ja="消える人流")
    assert "消える人流" in get("/catalog?q=消える").get_data(as_text=True)
    listings.drop_listing(dataset.id)
    assert titles(get("/catalog?q=消える").get_data(as_text=True)) == []
    assert "消える人流" not in get("/").get_data(as_text=True)
    assert get(f"/catalog/{dataset.id}").status_code == 404
