"""The addresses by which search engines, robots and readers of feeds find what there is, and what is new."""

from collections.abc import Iterator
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from marketplace.catalog import browsing
from marketplace.identity.permissions import Permission
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.protocols.catalogue import answering, asking, atom, reading, sitemap
from marketplace.protocols.catalogue.endpoint import guarded
from marketplace.protocols.catalogue.routes import site

blp = Blueprint("catalogue_sitemaps", __name__)


@blp.get("/sitemap.xml")
@guarded(Permission.CATALOG_READ)
def index() -> Response:
    """List the sitemaps."""
    parts = browsing.list_parts(sitemap.ADDRESSES_MAX)
    about = [[part.first_id, str(part.changed_at)] for part in parts]
    changed_at = max((part.changed_at for part in parts), default=None)
    return answering.answer(sitemap.MEDIA_TYPE, lambda: sitemap.index(parts, site()), about, changed_at)


@blp.get("/sitemaps/pages.xml")
@guarded(Permission.CATALOG_READ)
def pages() -> Response:
    """List the exchange's own pages."""
    return answering.answer(sitemap.MEDIA_TYPE, lambda: sitemap.pages(site()), "pages", None)


@blp.get("/sitemaps/<first_id>.xml")
@guarded(Permission.CATALOG_READ)
def datasets(first_id: str) -> Response:
    """List the pages of datasets, from one on."""
    places = browsing.list_places_from(first_id, sitemap.ADDRESSES_MAX) if is_id(first_id) else []
    if not places:
        raise NotFound
    about = [[place.dataset_id, str(place.changed_at)] for place in places]
    changed_at = max(place.changed_at for place in places)
    return answering.answer(sitemap.MEDIA_TYPE, lambda: sitemap.datasets(places, site()), about, changed_at)


@blp.get("/catalog.atom")
@guarded(Permission.CATALOG_READ)
def feed() -> Response:
    """Read what changed, latest first, as an Atom feed; the link ``next`` leads to what changed before."""
    cursor, size = asking.page(request.args)
    found = browsing.page_changes(cursor, size)
    changed_at = max((one.changed_at for one in found.items), default=None)

    def written() -> Iterator[str]:
        following = _feed_page(found.next_cursor, size) if found.next_cursor else None
        links = atom.Links(_feed_page(cursor, size), _feed_page(None, size), following)
        return atom.feed(reading.changes(found.items), site(), links, changed_at)

    items = [[one.dataset_id, str(one.changed_at), one.is_gone] for one in found.items]
    about = [items, cursor, found.next_cursor, size]
    return answering.answer(f"{atom.MEDIA_TYPE}; charset=utf-8", written, about, changed_at)


def _feed_page(cursor: str | None, size: int) -> str:
    asked = ({"cursor": cursor} if cursor else {}) | ({"size": str(size)} if size != asking.SIZE_DEFAULT else {})
    return f"{site().catalogue_page}.atom" + (f"?{urlencode(asked)}" if asked else "")


@blp.get("/robots.txt")
@guarded(Permission.CATALOG_READ)
def robots() -> Response:
    """Say what robots may read."""
    return answering.answer("text/plain; charset=utf-8", lambda: sitemap.robots(site()).encode(), "robots", None)
