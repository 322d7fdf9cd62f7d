"""Prices in words, of every kind that an exchange knows."""

from typing import Any

import pytest

from marketplace.client import prices, wording

TIERS = [{"up_to": "100", "unit_yen": "0.5"}, {"up_to": None, "unit_yen": "0.25"}]
PRICES: dict[str, tuple[dict[str, Any], str, str]] = {
    "free": ({"kind": "free"}, "無料", "free"),
    "one_off": ({"kind": "one_off", "amount_yen": 5000}, "5,000円（税抜・一括）", "¥5,000 once, before tax"),
    "monthly": (
        {"kind": "subscription", "amount_yen": 3000, "term_months": 1, "trial_days": 7},
        "3,000円（税抜・1か月ごとに前払い、最初の7日は無料）",
        "¥3,000 every month in advance, before tax, the first 7 days free",
    ),
    "yearly": (
        {"kind": "subscription", "amount_yen": 30000, "fiscal_year": True},
        "30,000円（税抜・年度ごとに前払い）",
        "¥30,000 every fiscal year in advance, before tax",
    ),
    "per_unit": (
        {"kind": "per_unit", "unit": "mib", "unit_yen": "0.5", "included_units": 1000},
        "1 MiBあたり0.5円（税抜、1,000 MiBまで無料）",
        "¥0.5 per MiB, before tax, the first 1,000 free",
    ),
    "download": (
        {"kind": "per_unit", "unit": "download", "unit_yen": "250", "download_due": "full_coverage"},
        "1 ダウンロードあたり250円（税抜、全体の受領で計上、24時間以内の再取得は無料）",
        "¥250 per download, before tax, counted when received in full, free again for 24 hours",
    ),
    "first_byte": (
        {"kind": "per_unit", "unit": "download", "unit_yen": "250", "download_due": "first_byte"},
        "1 ダウンロードあたり250円（税抜、最初の1バイトで計上、24時間以内の再取得は無料）",
        "¥250 per download, before tax, counted at the first byte, free again for 24 hours",
    ),
    "package": (
        {"kind": "package", "unit": "request", "amount_yen": 50, "package_size": 1000},
        "1,000 リクエストごとに50円（税抜）",
        "¥50 for every 1,000 request begun, before tax",
    ),
    "graduated": (
        {"kind": "graduated", "unit": "row", "tiers": TIERS},
        "段階従量（行単位・税抜）: 100まで 0.5円; 以降 0.25円",
        "graduated, per row, before tax: up to 100, ¥0.5; beyond, ¥0.25",
    ),
    "volume": (
        {"kind": "volume", "unit": "row", "tiers": TIERS},
        "数量従量（行単位・税抜）: 100まで 0.5円; 以降 0.25円",
        "by volume, per row, before tax: up to 100, ¥0.5; beyond, ¥0.25",
    ),
}


@pytest.mark.parametrize("name", PRICES)
def test_a_price_is_said_in_both_languages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    price, ja, en = PRICES[name]
    assert prices.phrase({"price": price}) == en
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    assert prices.phrase({"price": price}) == ja


def test_an_exchange_that_does_not_say_the_tax_is_not_guessed_for() -> None:
    assert prices.due_now({"price": {"kind": "one_off"}}) == "Consumption tax is added."


@pytest.mark.parametrize(
    ("size_bytes", "said"), [(0, "0 bytes"), (1023, "1,023 bytes"), (1024, "1.0 KiB"), (5 * 2**50, "5,120.0 TiB")]
)
def test_sizes_are_binary(size_bytes: int, said: str) -> None:
    assert wording.size(size_bytes) == said


@pytest.mark.parametrize(("variable", "value", "language"), [("LANG", "ja_JP.UTF-8", "ja"), ("LC_MESSAGES", "C", "en")])
def test_the_locale_chooses_the_language(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, language: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    monkeypatch.setenv(variable, value)
    assert wording.language() == language
