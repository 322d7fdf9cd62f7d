"""What changed in the catalogue, as an Atom feed (RFC 4287, RFC 6721) in pages (RFC 5005 section 3). Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from marketplace.catalog.states import THEME_LABELS, Theme
from marketplace.kit import clock
from marketplace.protocols.catalogue.entries import Entry
from marketplace.protocols.catalogue.rdf import storable_in_xml
from marketplace.protocols.catalogue.site import FORMATS, Site

MEDIA_TYPE = "application/atom+xml"
TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"
SUMMARY_MAX = 1_000
TITLE = "結び データカタログの更新 Changes in the data catalogue"
ABOUT = (
    "新しいデータと、内容・版・条件が変わったデータ。 New data, and data whose description, releases or offers changed."
)
_NO_NEWS_YET = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Links:
    """A page of the feed: its own address, those of the first page and of the next, if any."""

    here: str
    first: str
    following: str | None


@dataclass(frozen=True, slots=True)
class Gone:
    """A dataset that everybody saw once and does not now, and since when."""

    dataset_id: str
    left_at: datetime


def feed(entries: Iterable[Entry | Gone], site: Site, links: Links, changed_at: datetime | None) -> Iterator[str]:
    """Yield a page of the feed, latest change first."""
    yield '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom"'
    yield f' xmlns:at="{TOMBSTONES}" xml:lang="ja">\n'
    yield _element("id", site.catalogue)
    yield _element("title", TITLE)
    yield _element("subtitle", ABOUT)
    yield _element("updated", _moment(changed_at) if changed_at else _NO_NEWS_YET)
    yield "<author><name>Musubi</name></author>\n"
    yield _link("self", links.here, MEDIA_TYPE)
    yield _link("first", links.first, MEDIA_TYPE)
    if links.following:
        yield _link("next", links.following, MEDIA_TYPE)
    yield _link("alternate", site.catalogue_page, "text/html")
    told = list(entries)
    # The grammar of RFC 4287 has what extends it before the entries; the order means nothing.
    yield from (_deleted(one, site) for one in told if isinstance(one, Gone))
    yield from ("".join(_entry(one, site)) for one in told if isinstance(one, Entry))
    yield "</feed>\n"


def _entry(entry: Entry, site: Site) -> Iterator[str]:
    document = entry.document
    publisher = document["publisher"]
    yield "<entry>"
    yield _element("id", site.dataset(entry.id))
    yield _element("title", _beside(document["title_ja"], document["title_en"]))
    yield _element("updated", _moment(entry.changed_at))
    yield _element("published", _moment(clock.parse(entry.issued_at)))
    yield f"<author>{_element('name', _beside(publisher['name_ja'], publisher['name_en']))}</author>"
    yield _link("alternate", site.page(entry.id), "text/html")
    for suffix, media_type in FORMATS.items():
        yield _link("alternate", site.document(entry.id, suffix), media_type)
    for code in document["themes"]:
        label = THEME_LABELS[Theme(code)]
        yield f"<category term={quoteattr(code)} scheme={quoteattr(site.themes)} label={quoteattr(label.ja)}/>"
    for word in document["keywords"]:
        yield f"<category term={quoteattr(storable_in_xml(word))}/>"
    if words := _beside(document["description_ja"], document["description_en"])[:SUMMARY_MAX]:
        yield _element("summary", words)
    yield "</entry>\n"


def _deleted(gone: Gone, site: Site) -> str:
    """Return what RFC 6721 has in the place of an entry that is no more: which it was, and since when."""
    name, when = quoteattr(site.dataset(gone.dataset_id)), quoteattr(_moment(gone.left_at))
    return f"<at:deleted-entry ref={name} when={when}/>\n"


def _beside(ja: str, en: str) -> str:
    return " / ".join(filter(None, (ja.strip(), en.strip())))


def _element(name: str, words: str) -> str:
    return f"<{name}>{escape(storable_in_xml(words))}</{name}>\n"


def _link(relation: str, address: str, media_type: str) -> str:
    return f"<link rel={quoteattr(relation)} href={quoteattr(address)} type={quoteattr(media_type)}/>\n"


def _moment(at: datetime) -> str:
    return clock.text(at)
