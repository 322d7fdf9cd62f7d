"""Every page in both languages: well-formed, labelled, and no way in for what strangers wrote."""

import re
from html.parser import HTMLParser
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from flask import Flask
from markupsafe import escape

from marketplace.identity.guards import permission_of
from marketplace.identity.permissions import PERMISSIONS
from marketplace.kit.errors import all_refusals
from marketplace.licensing.offers import Limits, Price
from marketplace.licensing.states import PriceKind
from tests.api.trade import call
from tests.factories.catalog import ReleaseFactory
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.licensing import per_mib, provider, terms_of
from tests.web.conftest import COLUMN, PROFILE, Get, List, hrefs

PAGES = (
    "/",
    "/catalog",
    "/terms",
    "/register",
    "/requests",
    "/teasers",
    "/problems",
    "/problems/not-found",
    "/docs",
    "/checkout/pay_1/done",
    "/checkout/x/cancelled",
    "/sign-in",
    "/forgotten",
)
VOID = {"meta", "link", "input", "br", "hr", "img"}
ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
RATING = ("rating", "rating/withdraw", "ratings/reply", "ratings/hide", "ratings/unhide")


class Outline(HTMLParser):
    """Tags in order; notes what is left open, and every attribute."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.wrong: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def check(answer, language: str) -> Outline:
    """The page is whole, in this language, and as anybody can read it."""
    text = answer.get_data(as_text=True)
    page = Outline(text)
    assert answer.mimetype == "text/html"
    assert answer.headers["Content-Language"] == language
    assert not page.open, page.open
    assert not page.wrong, page.wrong
    assert page.all("html") == [{"lang": language}]
    assert re.search(r"<title>\s*\S.*</title>", text)
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("header")) == len(page.all("footer")) == 1
    assert all(one["type"] == "application/ld+json" for one in page.all("script"))  # data, nothing that runs
    assert not page.all("style")
    assert all(not name.startswith("on") and name != "style" for _tag, attributes in page.tags for name in attributes)
    ids = [attributes["id"] for _tag, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [attributes["aria-labelledby"] for _tag, attributes in page.tags if "aria-labelledby" in attributes]
    assert set(named) <= set(ids)
    assert all("scope" in attributes for attributes in page.all("th"))
    labelled = {attributes["for"] for attributes in page.all("label")}
    assert all(field.get("id") in labelled for field in page.all("input") if field.get("type") != "hidden")
    return page


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_page_is_whole_in_the_language_that_the_address_asks_for(get: Get, index, path, language):
    other = "en" if language == "ja" else "ja"
    answer = get(f"{path}?lang={language}", accept_language=other)
    assert answer.status_code == 200
    page = check(answer, language)
    links = [
        anchor["href"] for anchor in page.all("a") if anchor["href"].startswith(("/catalog", "/docs", "/problems"))
    ]
    assert links
    assert all(f"lang={language}" in href for href in links)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ja", "ja"),
        ("ja-JP,en;q=0.3", "ja"),
        ("en-GB,ja;q=0.1", "en"),
        ("fr", "en"),
        ("", "en"),
        ("*", "en"),
        (";;q=x", "en"),
    ],
)
def test_a_browser_states_its_language(get: Get, header, language):
    answer = get("/", accept_language=header)
    check(answer, language)
    assert {"accept-language", "accept"} <= {name.lower() for name in answer.vary}


def test_a_language_that_is_not_ours_is_ignored(get: Get):
    check(get("/?lang=<b>", accept_language="ja"), "ja")


def test_the_language_can_be_changed_without_losing_the_search(get: Get, index):
    page = check(get("/catalog?q=%E4%BA%BA%E6%B5%81&theme=population&theme=labour"), "ja")
    english = next(anchor["href"] for anchor in page.all("a") if anchor.get("hreflang") == "en")
    assert english == "?q=%E4%BA%BA%E6%B5%81&theme=population&theme=labour&lang=en"
    check(get(f"/catalog{english}"), "en")


def test_all_links_within_the_pages_lead_somewhere(get: Get, listed: List):
    dataset = listed()
    seen, waiting = set(), {"/", f"/catalog/{dataset.id}"}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = get(path)
        if path == "/account" or path.startswith("/organization/"):
            assert answer.headers["Location"].startswith(f"/sign-in?next={quote(path.split('?')[0], safe='')}")
            waiting.add("/sign-in")
            continue
        assert answer.status_code == 200, path
        if answer.mimetype == "text/html":
            page = Outline(answer.get_data(as_text=True))
            anchors = {tag["href"].split("#")[0] for tag in page.all("a")} | {tag["href"] for tag in page.all("link")}
            waiting |= {href for href in anchors if re.match(r"/(?!/)", href) and not _narrows_further(href)} - seen
            fragments = {tag["href"][1:] for tag in page.all("a") if tag["href"].startswith("#")}
            assert fragments <= {attributes.get("id") for _tag, attributes in page.tags}
    assert {"/docs", "/openapi.json", "/problems", "/terms", "/v1/terms/templates", "/static/web.css"} <= seen


def _narrows_further(href: str) -> bool:
    """Every page of results has a link for each filter: with two or more of them at once there are thousands."""
    address = urlsplit(href)
    return address.path == "/catalog" and len({name for name, _value in parse_qsl(address.query)} - {"lang"}) > 1


def test_only_the_desk_asks_for_what_programs_may_ask_for_too(app: Flask):
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("web_")]
    assert len(rules) >= 40
    guards = {rule.rule: PERMISSIONS[permission_of(app.view_functions[rule.endpoint])] for rule in rules}
    scoped = {path for path, guard in guards.items() if guard.scope}
    desk = {path for path in guards if path.startswith("/organization/")}
    said = {f"/catalog/<dataset_id>/{deed}" for deed in RATING}  # forms on the page that shows a dataset's ratings
    assert scoped == desk | said | {"/register/reports/<int:year>/full"}  # what overseers alone read of the report
    for path in scoped:
        assert guards[path].roles, path
        assert call(app, "GET", path.replace("<int:year>", "2026")).status_code in {303, 405}, path
    assert sum(guard.in_person for guard in guards.values()) >= 18


def test_pages_answer_to_reading_alone(app: Flask):
    for path in set(PAGES) - {"/sign-in", "/forgotten"}:
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"):
            answer = call(app, method, path)
            assert answer.status_code == 405, (method, path)
            assert "GET" in answer.headers["Allow"]


def test_the_front_page_shows_what_came_last_and_leads_to_it(get: Get, listed: List):
    first, last = listed(title_ja="気温の記録"), listed(title_ja="降雪量の記録")
    text = get("/").get_data(as_text=True)
    assert text.index("降雪量の記録") < text.index("気温の記録")
    assert f'href="/catalog/{last.id}"' in text
    assert f'href="/catalog/{first.id}"' in text
    assert "全2件" in text


def test_an_empty_exchange_says_so(get: Get):
    assert "まだデータが公開されていません" in get("/").get_data(as_text=True)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_dataset_page_shows_everything_public(get: Get, listed: List, language):
    dataset = listed()
    answer = get(f"/catalog/{dataset.id}?lang={language}")
    check(answer, language)
    text = answer.get_data(as_text=True)
    shared = [dataset.title_ja, dataset.title_en, "人流.csv", "cp932", "integer", "25.0 %", "1234"]
    own = {
        "ja": [
            "5,000円（税抜・一括）",
            "大通地区に置いた",
            "毎日",
            "見出し行なし。",
            "運輸・観光",
            "北海道 札幌市 011002",
        ],
        "en": [
            "¥5,000, once, before tax",
            "Hourly counts",
            "Daily",
            "No header.",
            "Transport and tourism",
            "Hokkaido Sapporo 011002",
        ],
    }
    assert [word for word in shared + own[language] if word not in text] == []
    assert "accept_terms_sha256" in text
    assert "%E4%BA%BA%E6%B5%81.csv" in text
    assert re.search(r'href="/terms/[0-9a-f]{64}', text)


def test_every_kind_of_price_and_limit_is_put_in_words(get: Get, listed: List):
    city = OrganizationFactory(provider=True)
    free = terms_of(actor_of(city), fee="無償").id
    offers = [
        ({"price": Price(PriceKind.FREE, 0), "terms_id": free}, ["<h3>無料</h3>", "定めなし"]),
        ({"price": per_mib(3, 10)}, ["1 MiBあたり3円（税抜）（10 MiBまで無料）", "支払方法", "カード"]),
        ({"limits": Limits(30, 5 * 2**30, 7)}, ["30日間", "5.0 GiB", "<dd>7</dd>"]),
    ]
    for offer, words in offers:
        text = get(f"/catalog/{listed(organization=city, offer=offer).id}").get_data(as_text=True)
        assert [word for word in words if word not in text] == []


def test_files_that_could_not_be_read_say_so(get: Get, listed: List):
    problem = {"format": None, "columns": [], "preview": [], "warnings": [],
               "problem": {"slug": "empty-file", "detail": "The file holds no data.", "detail_ja": "データがありません。"}}  # fmt: skip
    assert "データがありません。" in get(f"/catalog/{listed(profile=problem).id}").get_data(as_text=True)
    opaque = {"format": "pdf", "media_type": "application/pdf", "warnings": []}
    answer = get(f"/catalog/{listed(profile=opaque, file_name='図.pdf').id}")
    check(answer, "ja")
    assert "この形式は中身を読み取らず" in answer.get_data(as_text=True)


def test_all_files_of_a_release_are_paged_with_their_previews(get: Get, listed: List):
    dataset = listed(files=25)
    for language, word, label in (
        ("ja", "次のページ", "すべてのファイルと見本（25）"),
        ("en", "Next page", "All files with previews (25)"),
    ):
        path = hrefs(get(f"/catalog/{dataset.id}?lang={language}").get_data(as_text=True), label)[0]
        assert path.startswith(f"/catalog/{dataset.id}/releases/rel_")
        answers = [get(path)]
        while following := hrefs(answers[-1].get_data(as_text=True), word):
            answers.append(get(following[0]))
        texts = [answer.get_data(as_text=True) for answer in answers]
        assert len([check(answer, language) for answer in answers]) == 2
        assert [name for text in texts for name in re.findall(r"<h4[^>]*>(.*?)</h4>", text)] == [
            f"{number:02}.csv" for number in range(24)
        ] + ["人流.csv"]
        assert hrefs(texts[1], "最初のページ" if language == "ja" else "First page") == [path]


def test_a_release_that_is_not_public_has_no_page(get: Get, listed: List):
    shown, draft = listed(), ReleaseFactory()
    for path in (
        f"{shown.id}/releases/{draft.id}",
        f"{draft.dataset_id}/releases/{draft.id}",
        f"{shown.id}/releases/x",
    ):
        assert get(f"/catalog/{path}").status_code == 404
    assert get(f"/catalog/{shown.id}/releases/{draft.id}?cursor={'x' * 501}").status_code == 422


def test_wide_tables_are_cut_and_say_so(get: Get, listed: List):
    columns = [COLUMN | {"name": f"列{number}"} for number in range(300)]
    profile = PROFILE | {"columns": columns, "preview": [[str(number) for number in range(300)]]}
    answer = get(f"/catalog/{listed(profile=profile).id}")
    text = answer.get_data(as_text=True)
    assert "列199" in text
    assert "列200" not in text
    assert "残りの列はJSONにあります" in text


def test_what_strangers_wrote_stays_text(get: Get, listed: List):
    column = COLUMN | {"name": ATTACK, "min": ATTACK, "max": ATTACK, "type": ATTACK}
    warning = {"code": "x", "detail": ATTACK, "detail_ja": ATTACK}
    profile = PROFILE | {
        "columns": [column],
        "preview": [[ATTACK]],
        "warnings": [warning],
        "encoding": ATTACK,
        "format": ATTACK,
    }
    dataset = listed(
        file_name=f"{ATTACK}.csv", profile=profile, title_ja=ATTACK, title_en=ATTACK, description_ja=ATTACK,
        description_en=ATTACK, contact_name=ATTACK, contact_url="javascript:alert(1)", contact_email=ATTACK, keywords=[ATTACK],
    )  # fmt: skip
    for path in ("/", f"/catalog/{dataset.id}", "/catalog", "/catalog?q=script"):
        for language in ("ja", "en"):
            answer = get(f"{path}{'&' if '?' in path else '?'}lang={language}")
            assert answer.status_code == 200
            page = check(answer, language)
            assert "<script>alert" not in answer.get_data(as_text=True)
            assert not page.all("img")
            assert not any(str(anchor["href"]).startswith("javascript:") for anchor in page.all("a"))


def test_what_the_address_says_stays_text(get: Get, index):
    for address in ("/catalog?q={}", "/catalog?theme={}", "/catalog?publisher={}", "/catalog/{}", "/problems/{}", "/terms/{}", "/{}",
                    "/checkout/{}/done", "/catalog?x={}"):  # fmt: skip
        answer = get(address.format("%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27%3E"))
        check(answer, "ja")
        assert "<script>" not in answer.get_data(as_text=True)


def test_a_title_missing_in_the_readers_language_is_marked_as_foreign(get: Get, listed: List):
    dataset = listed(title_en="", description_en="")
    text = get(f"/catalog/{dataset.id}?lang=en").get_data(as_text=True)
    assert f'<h1><span lang="ja">{dataset.title_ja}</span></h1>' in text


@pytest.mark.parametrize("language", ["ja", "en"])
def test_terms_read_in_both_languages_with_hash_and_odrl(get: Get, language):
    terms = terms_of(provider(), notices=ATTACK)
    for identifier in (terms.id, terms.sha256):
        answer = get(f"/terms/{identifier}?lang={language}")
        check(answer, language)
        text = answer.get_data(as_text=True)
        assert "第1条(契約形態)" in text
        assert "1. Form of contract" in text
        assert f"/v1/terms/{terms.sha256}/odrl" in text
        assert (text.index("第1条(契約形態)") < text.index("1. Form of contract")) == (language == "ja")
    assert get(f"/terms/{'0' * 64}").status_code == get("/terms/trm_1").status_code == 404


def test_the_templates_are_shown_with_the_hash_that_the_api_gives(get: Get):
    text = get("/terms").get_data(as_text=True)
    assert "standard-commercial" in text
    assert "87341c8cb3d314f421fbc068500db4d383fbac45e27512fd0046521fdeb15c2c" in text


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_problem_has_its_page_where_its_type_leads(get: Get, language):
    overview = get(f"/problems?lang={language}").get_data(as_text=True)
    for slug, refusal in all_refusals().items():
        answer = get(f"/problems/{slug}?lang={language}")
        assert answer.status_code == 200, slug
        check(answer, language)
        text = answer.get_data(as_text=True)
        words = (
            [refusal.title_ja, refusal.cause_ja, refusal.cure_ja]
            if language == "ja"
            else [refusal.title, refusal.cause, refusal.cure]
        )
        assert all(words), slug
        assert [word for word in words if str(escape(word)) not in text] == []
        assert str(refusal.status) in text
        assert f"/problems/{slug}" in overview


def test_an_unknown_problem_is_not_found(get: Get):
    assert get("/problems/no-such-problem").status_code == 404


def test_the_payer_comes_back_to_the_same_page_whatever_the_payment(get: Get, app: Flask):
    for end in ("done", "cancelled"):
        bodies = {get(f"/checkout/{payment}/{end}").data for payment in ("pay_1", "pay_2", "%22", "x")}
        assert len(bodies) == 1
    assert get("/checkout/pay_1/done").headers["Cache-Control"] == "no-store"
    assert get("/checkout/pay_1/other").status_code == 404
    assert get("/checkout/pay_1").status_code == 404


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_documentation_shows_every_operation_of_the_description(get: Get, language):
    answer = get(f"/docs?lang={language}")
    check(answer, language)
    text = answer.get_data(as_text=True)
    document = get("/openapi.json").json
    for path, item in document["paths"].items():
        for method in set(item) & {"get", "post", "put", "patch", "delete"}:
            assert f'<span class="method">{method.upper()}</span> {path}</code>' in text
            assert item[method]["x-permission"] in text
    for name in ("OrderDraft", "accept_terms_sha256", "Idempotency-Key", "orders:write", "Problem"):
        assert name in text
