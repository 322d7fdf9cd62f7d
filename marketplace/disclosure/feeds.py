"""The register as feeds: JSON Feed 1.1 and Atom (RFC 4287), an item for each month, in Japanese and English. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET  # only written here, never read from others

from marketplace.disclosure.models import RegisterMonth
from marketplace.disclosure.states import KINDS, Showing
from marketplace.kit import clock
from marketplace.privacy.states import PrivacyClass

ATOM = "http://www.w3.org/2005/Atom"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
LINES_MAX = 50
"""Of how many datasets an item tells; its month has them all."""

Lines = Mapping[str, Sequence[dict[str, Any]]]
"""What months tell of datasets, by month."""

TITLE = "取引公開台帳 Public register of trades"
ABOUT = (
    "何が、どの利用条件で、どの種類の利用者に、どれだけ取引されたか(月別)。少数の値は秘匿します。"
    " What was traded, under which terms, with which class of buyers, how much, by month; small numbers are hidden."
)


def as_json(months: Sequence[RegisterMonth], lines: Lines, base_url: str) -> dict[str, Any]:
    """Return a JSON Feed (https://jsonfeed.org/version/1.1); ``_musubi`` holds the figures themselves."""
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": TITLE,
        "description": ABOUT,
        "language": "ja",
        "home_page_url": f"{base_url}/register",
        "feed_url": f"{base_url}/v1/register/feed.json",
        "items": [_item(month, lines.get(month.month, ()), base_url) for month in months],
    }


def as_atom(months: Sequence[RegisterMonth], lines: Lines, base_url: str) -> bytes:
    """Return an Atom feed; an exchange that has published nothing yet has no news since its first day."""
    # The namespace as a plain attribute: prefixes that are registered hold for the whole process.
    feed = ET.Element("feed", {"xmlns": ATOM, LANG: "ja"})
    updated = max((month.published_at for month in months), default=None)
    _say(feed, "id", f"{base_url}/register")
    _say(feed, "title", TITLE)
    _say(feed, "subtitle", ABOUT)
    _say(feed, "updated", clock.text(updated) if updated else "1970-01-01T00:00:00Z")
    ET.SubElement(feed, "link", rel="self", href=f"{base_url}/v1/register/feed.atom")
    ET.SubElement(feed, "link", rel="alternate", href=f"{base_url}/register")
    _say(ET.SubElement(feed, "author"), "name", "Musubi")
    for month in months:
        _entry(feed, month, lines.get(month.month, ()), base_url)
    return bytes(ET.tostring(feed, encoding="utf-8", xml_declaration=True))


def summary(month: RegisterMonth) -> str:
    """Return a month in two sentences, Japanese and English."""
    told, few = month.document, month.threshold
    if told["buyers"] is None:
        return f"利用者は{few}者未満です。 Fewer than {few} buyers."
    if told["yen"] is None:
        buyers = f"{told['buyers']:,}"
        return f"延べ利用者{buyers}。金額等は秘匿します。 {buyers} users of data; amounts are hidden."
    return (
        f"延べ利用者{told['buyers']:,}、取引{told['trades']:,}件、{told['yen']:,}円(税抜)、{told['bytes']:,}バイト。"
        f" {told['buyers']:,} users of data, {told['trades']:,} trades, {told['yen']:,} yen before tax,"
        f" {told['bytes']:,} bytes."
    )


def in_words(month: RegisterMonth, lines: Sequence[dict[str, Any]], address: str) -> str:
    """Return a month with what it tells of each dataset, a line each; where there are more, the page has them."""
    said = [summary(month), *(_line(line, month.threshold) for line in lines)]
    if len(lines) == LINES_MAX:
        said.append(f"続き More: {address}")
    return "\n".join(said)


def _item(month: RegisterMonth, lines: Sequence[dict[str, Any]], base_url: str) -> dict[str, Any]:
    address, about = f"{base_url}/register/{month.month}", f"{base_url}/v1/register/{month.month}"
    return {
        "id": address,
        "url": address,
        "title": _title(month),
        "summary": summary(month),
        "content_text": in_words(month, lines, address),
        "date_published": clock.text(month.published_at),
        "_musubi": {"about": about, "lines": f"{about}/lines", "sha256": month.sha256, **month.document},
    }


def _entry(feed: ET.Element, month: RegisterMonth, lines: Sequence[dict[str, Any]], base_url: str) -> None:
    entry = ET.SubElement(feed, "entry")
    address = f"{base_url}/register/{month.month}"
    _say(entry, "id", address)
    _say(entry, "title", _title(month))
    _say(entry, "updated", clock.text(month.published_at))
    _say(entry, "published", clock.text(month.published_at))
    ET.SubElement(entry, "link", rel="alternate", href=address)
    _say(entry, "summary", summary(month))
    _say(entry, "content", in_words(month, lines, address))


def _line(line: dict[str, Any], few: int) -> str:
    """Return what a month tells of a dataset: what, under which terms, of which class, to whom and how much."""
    return "／".join((_named(line), *map(_terms, line["terms"]), _assessed(line), *_sold(line, few)))


def _named(line: dict[str, Any]) -> str:
    if line["dataset"] is None:
        return "公開を終えたデータ（合計） Data that are no longer listed, together"
    dataset, provider = line["dataset"], line["provider"]
    name = f"{dataset['title_ja']} {dataset['title_en']}".strip()
    return f"{name}（{provider['name_ja']} {provider['name_en']}）"


def _terms(terms: dict[str, Any]) -> str:
    stated = PrivacyClass(terms["privacy_class"])
    title = f"{terms['title_ja']} {terms['title_en']} (sha256 {terms['sha256']})"
    return f"利用条件 Terms: {title}, パーソナルデータ類別 Class of personal data: {stated.ja} {stated.en}"


def _assessed(line: dict[str, Any]) -> str:
    where = line["assessment"]["url"] if line["assessment"] else "公表なし none published"
    return f"影響評価 Impact assessment: {where}"


def _sold(line: dict[str, Any], few: int) -> Iterator[str]:
    kinds = ", ".join(f"{' '.join(KINDS[kind['kind']])} {_buyers(kind, few)}" for kind in line["kinds"] or ())
    yield f"利用者 Buyers: {_buyers(line, few)}" + (f" ({kinds})" if kinds else "")
    if line["yen"] is not None:
        yield f"取引 Trades: {line['trades']:,}"
        yield f"{line['yen']:,}円 yen"
        yield f"{line['bytes']:,} bytes"


def _buyers(told: dict[str, Any], few: int) -> str:
    if told["showing"] == Showing.FEW:
        return f"{few}未満 fewer than {few}"
    return "秘匿 hidden" if told["buyers"] is None else f"{told['buyers']:,}"


def _title(month: RegisterMonth) -> str:
    year, number = month.month.split("-")
    return f"{year}年{int(number)}月の取引 Trades of {month.month}"


def _say(parent: ET.Element, name: str, words: str) -> None:
    ET.SubElement(parent, name).text = words
