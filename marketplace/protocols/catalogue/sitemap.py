"""The catalogue for search engines (https://www.sitemaps.org/protocol.html), and what their robots may read. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from xml.sax.saxutils import escape

from marketplace.catalog.browsing import Part, Place
from marketplace.kit import clock
from marketplace.protocols.catalogue.site import Site

ADDRESSES_MAX = 40_000
"""The protocol allows 50,000, and 50 MB, which that many in two languages could pass."""
MEDIA_TYPE = "application/xml"
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
_XHTML = "http://www.w3.org/1999/xhtml"
_PAGES = ("/", "/catalog", "/terms", "/register", "/docs", "/problems")
# What is no page for readers, or is there once for each of them.
_CLOSED = ("/v1/", "/account", "/desk", "/oauth/", "/sign-in", "/sandbox/", "/delta-sharing/", "/tickets/", "/catalog?")


def index(parts: Iterable[Part], site: Site) -> Iterator[str]:
    """Yield the index of all sitemaps: one of the exchange's own pages, then the datasets in parts."""
    yield _opened("sitemapindex")
    yield f"<sitemap><loc>{escape(f'{site.base_url}/sitemaps/pages.xml')}</loc></sitemap>\n"
    for part in parts:
        address = escape(f"{site.base_url}/sitemaps/{part.first_id}.xml")
        yield f"<sitemap><loc>{address}</loc><lastmod>{_moment(part.changed_at)}</lastmod></sitemap>\n"
    yield "</sitemapindex>\n"


def pages(site: Site) -> Iterator[str]:
    """Yield the sitemap of the exchange's own pages."""
    yield _opened("urlset")
    yield from (_url(f"{site.base_url}{path}", "") for path in _PAGES)
    yield "</urlset>\n"


def datasets(places: Iterable[Place], site: Site) -> Iterator[str]:
    """Yield a sitemap of the pages of datasets, in both languages."""
    yield _opened("urlset")
    for place in places:
        yield _url(site.page(place.dataset_id), f"<lastmod>{_moment(place.changed_at)}</lastmod>")
    yield "</urlset>\n"


def robots(site: Site) -> str:
    """Return what robots may read (RFC 9309), and where the sitemaps are."""
    closed = "".join(f"Disallow: {path}\n" for path in _CLOSED)
    return f"User-agent: *\n{closed}Allow: /\n\nSitemap: {site.base_url}/sitemap.xml\n"


def _opened(element: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{element} xmlns="{_NAMESPACE}" xmlns:xhtml="{_XHTML}">\n'


def _url(address: str, more: str) -> str:
    named = escape(address, {'"': "&quot;"})
    mark = "&amp;" if "?" in address else "?"
    languages = "".join(
        f'<xhtml:link rel="alternate" hreflang="{one}" href="{named}{mark}lang={one}"/>' for one in ("ja", "en")
    )
    return f"<url><loc>{named}</loc>{more}{languages}</url>\n"


def _moment(at: datetime) -> str:
    return clock.text(at)[:19] + "Z"
