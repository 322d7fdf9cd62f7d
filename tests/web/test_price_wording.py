"""Prices as both languages put them, tiers as a table."""

import pytest

from marketplace.licensing.offers import Discount
from marketplace.licensing.prices import read_price
from marketplace.licensing.states import DiscountClass, Rail
from marketplace.web import prices

TIERS = [
    {"up_to": "1000", "unit_yen": "0.5", "flat_yen": "100"},
    {"up_to": "25000.5", "unit_yen": "0.25"},
    {"unit_yen": "0.000001"},
]
PHRASES = [
    ({"kind": "free"}, "無料", "Free"),
    ({"kind": "one_off", "amount_yen": 5000}, "5,000円（税抜・一括）", "¥5,000, once, before tax"),
    (
        {"kind": "subscription", "amount_yen": 12_000, "term_months": 12},
        "12,000円（税抜・12か月ごとに前払い）",
        "¥12,000 every 12 months, in advance, before tax",
    ),
    (
        {"kind": "subscription", "amount_yen": 800, "term_months": 1},
        "800円（税抜・1か月ごとに前払い）",
        "¥800 every month, in advance, before tax",
    ),
    (
        {"kind": "subscription", "amount_yen": 365_000, "fiscal_year": True},
        "365,000円（税抜・年度ごとに前払い）",
        "¥365,000 a fiscal year, in advance, before tax",
    ),
    (
        {"kind": "per_unit", "unit": "mib", "unit_yen": "1234.50", "included_units": 1000},
        "1 MiBあたり1,234.5円（税抜）（1,000 MiBまで無料）",
        "¥1,234.5 per MiB delivered, before tax, the first 1,000 MiB free",
    ),
    (
        {"kind": "per_unit", "unit": "row", "unit_yen": "0.01"},
        "1 行あたり0.01円（税抜）",
        "¥0.01 per row delivered, before tax",
    ),
    ({"kind": "graduated", "unit": "row", "tiers": TIERS}, "段階従量（行単位・税抜）", "Graduated, by row delivered, before tax"),
    (
        {"kind": "volume", "unit": "request", "tiers": TIERS},
        "数量従量（リクエスト単位・税抜）",
        "By volume, per request, before tax",
    ),
    (
        {"kind": "per_unit", "unit": "download", "unit_yen": "250"},
        "1 ダウンロードあたり250円（税抜）",
        "¥250 per download, before tax",
    ),
    (
        {"kind": "package", "unit": "request", "amount_yen": 500, "package_size": 1000},
        "1,000 リクエストごとに500円（税抜・端数切上げ）",
        "¥500 for every 1,000 requests begun, before tax",
    ),
]  # fmt: skip


def offer(price, **said):
    return {
        "price": price,
        "price_kind": price["kind"],
        "rails": [],
        "discounts": [],
        "fee_ordinance": None,
        "valid_until": None,
    } | said


@pytest.fixture(params=["ja", "en"])
def reader(request, app):
    with app.test_request_context(f"/?lang={request.param}"):
        yield request.param


@pytest.mark.parametrize(("price", "ja", "en"), PHRASES)
def test_every_price_is_one_phrase(reader, price, ja, en):
    assert read_price(price)
    assert prices.phrase(offer(price)) == {"ja": ja, "en": en}[reader]


@pytest.mark.parametrize(
    ("due", "ja", "en"),
    [
        ("first_byte", "最初の1バイトを受け取った時に1回", "once its first byte is received"),
        ("full_coverage", "全体を受け取った時に1回", "once it is received in full"),
    ],
)
def test_a_price_by_the_download_says_when_one_falls_due(reader, due, ja, en):
    price = {"kind": "per_unit", "unit": "download", "unit_yen": "250", "download_due": due}
    told = dict(prices.details(offer(price)))
    label, said = {"ja": ("ダウンロードの計上", ja), "en": ("A download counts", en)}[reader]
    assert told[label].startswith(said)
    assert "24" in told[label]


def test_tiers_are_rows_that_a_person_can_follow(reader):
    rows = prices.tiers(offer({"kind": "graduated", "unit": "row", "tiers": TIERS}))
    assert [list(row.values()) for row in rows] == {
        "ja": [
            ["1,000まで", "0.5円", "100円"],
            ["1,000超25,000.5まで", "0.25円", "–"],
            ["25,000.5超", "0.000001円", "–"],
        ],
        "en": [
            ["up to 1,000", "¥0.5", "¥100"],
            ["over 1,000, up to 25,000.5", "¥0.25", "–"],
            ["over 25,000.5", "¥0.000001", "–"],
        ],
    }[reader]
    single = prices.tiers(offer({"kind": "volume", "unit": "row", "tiers": [{"unit_yen": "1"}]}))
    assert single[0]["usage"] == {"ja": "全て", "en": "all"}[reader]


def test_all_that_binds_a_price_is_told(reader):
    price = {"kind": "volume", "unit": "row", "tiers": TIERS, "included_units": 50, "minimum_yen": 1_000,
             "maximum_yen": 90_000, "flat_fee_at_zero": True, "trial_days": 14}  # fmt: skip
    said = {
        "rails": ["invoice", "outside"],
        "discounts": [{"class": "same_city", "basis_points": 1_250}],
        "fee_ordinance": "札幌市手数料条例第2条",
        "valid_until": "2026-12-31T15:00:00.000000Z",
    }
    told = [words for pair in prices.details(offer(price, **said)) for words in pair]
    wanted = {
        "ja": ["暦月（日本時間）", "50 行", "1,000円", "90,000円", "定額分がかかります", "最初の14日間は無料", "2027-01-01",
               "請求書払い(後払い)、取引所外払い(納付書)", "市内事業者 −12.5 %"],
        "en": ["a calendar month in Japan", "50 rows", "¥1,000", "¥90,000", "the first flat fee is charged",
               "the first 14 days free", "2027-01-01", "Based in the same city −12.5 %"],
    }[reader]  # fmt: skip
    assert [words for words in [*wanted, "札幌市手数料条例第2条"] if words not in told] == []
    fiscal = prices.details(offer({"kind": "subscription", "amount_yen": 5, "fiscal_year": True}))
    assert len(fiscal) == 1


def test_the_page_shows_tiers_as_a_table(get, listed):
    graduated = {"price": read_price({"kind": "graduated", "unit": "row", "tiers": TIERS}),
                 "rails": (Rail.INVOICE,), "discounts": (Discount(DiscountClass.SME, 2_000),)}  # fmt: skip
    dataset = listed(offer=graduated)
    text = get(f"/catalog/{dataset.id}?lang=ja").get_data(as_text=True)
    for words in (
        '<th scope="row">1,000超25,000.5まで</th><td>0.25円</td>',
        "中小企業 −20.0 %",
        "各段階の単価は",
        "（行単位・税抜）",
    ):
        assert words in text
    assert "over 25,000.5" in get(f"/catalog/{dataset.id}?lang=en").get_data(as_text=True)
