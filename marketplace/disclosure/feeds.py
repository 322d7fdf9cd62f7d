"""The register as feeds: JSON Feed 1.1 and Atom (RFC 4287), an item for each month, in Japanese and English. Pure."""

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET  # only written here, never read from others

from marketplace.disclosure.models import RegisterMonth
from marketplace.kit import clock

ATOM = "http://www.w3.org/2005/Atom"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
TITLE = "取引公開台帳 Public register of trades"
ABOUT = (
    "何が、どの利用条件で、どの種類の利用者に、どれだけ取引されたか(月別)。少数の値は秘匿します。"
    " What was traded, under which terms, with which class of buyers, how much, by month; small numbers are hidden."
)


def as_json(months: Sequence[RegisterMonth], base_url: str) -> dict[str, Any]:
    """Return a JSON Feed (https://jsonfeed.org/version/1.1); ``_musubi`` holds the figures themselves."""
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": TITLE,
        "description": ABOUT,
        "language": "ja",
        "home_page_url": f"{base_url}/register",
        "feed_url": f"{base_url}/v1/register/feed.json",
        "items": [_item(month, base_url) for month in months],
    }


def as_atom(months: Sequence[RegisterMonth], base_url: str) -> bytes:
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
        _entry(feed, month, base_url)
    return bytes(ET.tostring(feed, encoding="utf-8", xml_declaration=True))


def summary(month: RegisterMonth) -> str:
    """Return a month in two sentences, Japanese and English."""
    told, few = month.document, month.threshold
    if told["buyers"] is None:
        return f"利用者は{few}者未満です。 Fewer than {few} buyers."
    return (
        f"延べ利用者{told['buyers']:,}、取引{told['trades']:,}件、{told['yen']:,}円(税抜)、{told['bytes']:,}バイト。"
        f" {told['buyers']:,} users of data, {told['trades']:,} trades, {told['yen']:,} yen before tax,"
        f" {told['bytes']:,} bytes."
    )


def _item(month: RegisterMonth, base_url: str) -> dict[str, Any]:
    address = f"{base_url}/register/{month.month}"
    return {
        "id": address,
        "url": address,
        "title": _title(month),
        "content_text": summary(month),
        "date_published": clock.text(month.published_at),
        "_musubi": {"about": f"{base_url}/v1/register/{month.month}", "sha256": month.sha256, **month.document},
    }


def _entry(feed: ET.Element, month: RegisterMonth, base_url: str) -> None:
    entry = ET.SubElement(feed, "entry")
    address = f"{base_url}/register/{month.month}"
    _say(entry, "id", address)
    _say(entry, "title", _title(month))
    _say(entry, "updated", clock.text(month.published_at))
    ET.SubElement(entry, "link", rel="alternate", href=address)
    _say(entry, "summary", summary(month))


def _title(month: RegisterMonth) -> str:
    year, number = month.month.split("-")
    return f"{year}年{int(number)}月の取引 Trades of {month.month}"


def _say(parent: ET.Element, name: str, words: str) -> None:
    ET.SubElement(parent, name).text = words
