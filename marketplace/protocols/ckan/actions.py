"""The actions that anybody may call: what is public, as CKAN tells it."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marketplace.catalog import shelves
from marketplace.catalog.shelves import Shelved
from marketplace.delivery.rows import columns as tables
from marketplace.delivery.rows.errors import NotTabular
from marketplace.exchange import browsing
from marketplace.exchange.browsing import Wanted
from marketplace.identity import queries as identity
from marketplace.kit import settings
from marketplace.kit.errors import NotFound
from marketplace.protocols.catalogue import cadde, reading
from marketplace.protocols.catalogue.site import Site
from marketplace.protocols.ckan import asking, datastore, filtering, packages, vocabulary
from marketplace.protocols.ckan.refusals import NoCall

Asked = Mapping[str, Any]
Action = Callable[[Asked], Any]
CKAN_VERSION = "2.11.0"
ROWS, ROWS_MAX = 10, 1000
LISTED_MAX = 1_000_000
FACET_VALUES = 50


def site_read(_asked: Asked) -> bool:
    """Tell that the catalogue may be read, which everybody may."""
    return True


def status_show(_asked: Asked) -> dict[str, Any]:
    """Tell what answers here: the version is that of CKAN's interface that is spoken."""
    base = settings.current().base_url
    return {
        "ckan_version": CKAN_VERSION,
        "site_url": base,
        "site_title": "結び Musubi",
        "site_description": "データ取引市場 / a data exchange",
        "locale_default": "ja",
        "error_emails_to": None,
        "extensions": ["datastore"],
    }


def package_list(asked: Asked) -> list[str]:
    """List the names of all public datasets, or ``limit`` of them from ``offset`` on."""
    limit = asking.whole(asked, "limit", LISTED_MAX, LISTED_MAX)
    return shelves.list_ids(asking.whole(asked, "offset", 0), limit)


def package_show(asked: Asked) -> dict[str, Any]:
    """Show a dataset by its id, which is its name as well."""
    found = browsing.shelved(asking.identifier(asked, "id", "name_or_id"))
    if found is None:
        raise NotFound
    return _packages([found])[0]


def package_search(asked: Asked) -> dict[str, Any]:
    """Search: ``q``, ``fq``, ``fq_list``, ``sort``, ``rows``, ``start`` and ``facet.field``."""
    q, filtered = filtering.read_query(asking.text(asked, "q"))
    given = [filtered, *asking.words(asked, "fq"), *asking.words(asked, "fq_list")]
    filters = filtering.read_filters(*given)
    sort = asking.text(asked, "sort")
    wanted = Wanted(
        words=q,
        filters=filters.having,
        without=filters.without,
        tags=tuple(filters.tags),
        since=filters.since,
        until=filters.until,
        order=filtering.read_sort(sort),
        start=asking.whole(asked, "start", 0),
        size=asking.whole(asked, "rows", ROWS, ROWS_MAX),
    )
    found = browsing.find(wanted)
    facets = _facets(asked, found.facets, filters)
    return {
        "count": found.total,
        "facets": {name: dict(values) for name, values in facets.items()},
        "results": _packages(found.items),
        "sort": sort or "score desc, metadata_modified desc",
        "search_facets": {name: _search_facet(name, values) for name, values in facets.items()},
    }


def current_package_list_with_resources(asked: Asked) -> list[dict[str, Any]]:
    """List datasets with their resources, those that changed last first."""
    size, start = asking.whole(asked, "limit", ROWS, ROWS_MAX), asking.whole(asked, "offset", 0)
    return _packages(shelves.list_shelved("changed desc", start, size))


def resource_show(asked: Asked) -> dict[str, Any]:
    """Show one resource of a public dataset."""
    return find_resource(asking.identifier(asked, "id"))


def resource_view_list(asked: Asked) -> list[Any]:
    """List the views of a resource: there are none, the dataset's page shows what is in it."""
    find_resource(asking.identifier(asked, "id"))
    return []


def organization_list(asked: Asked) -> list[Any]:
    """List the publishers of public datasets, by name or with ``all_fields``."""
    counts = browsing.facets().get("publisher", {})
    return _listed(asked, counts, "organizations", _organizations)


def organization_show(asked: Asked) -> dict[str, Any]:
    """Show the publisher of public datasets, with some of them where ``include_datasets`` asks for these."""
    name = asking.identifier(asked, "id")
    count = browsing.facets().get("publisher", {}).get(name, 0)
    if not count:
        raise NotFound
    return _organizations({name: count})[0] | _datasets(asked, "publisher", name)


def group_list(asked: Asked) -> list[Any]:
    """List the themes that public datasets have, by name or with ``all_fields``."""
    return _listed(asked, browsing.facets().get("theme", {}), "groups", _groups)


def group_show(asked: Asked) -> dict[str, Any]:
    """Show a theme, with some of its datasets where ``include_datasets`` asks for these."""
    name = asking.identifier(asked, "id")
    count = browsing.facets().get("theme", {}).get(name, 0)
    if not count:
        raise NotFound
    return _groups({name: count})[0] | _datasets(asked, "theme", name)


def tag_list(asked: Asked) -> list[Any]:
    """List the tags of public datasets, those with ``query`` in them, or with ``all_fields``."""
    if asking.text(asked, "vocabulary_id"):
        raise NotFound
    part = asking.text(asked, "query") or None
    tags = shelves.list_tags(part, asking.whole(asked, "offset", 0), asking.whole(asked, "limit", 10_000, 10_000))
    return [vocabulary.tag(tag) for tag in tags] if asking.yes(asked, "all_fields") else list(tags)


def license_list(_asked: Asked) -> list[dict[str, Any]]:
    """List the public licences that a provider may name."""
    return vocabulary.licences()


def datastore_info(asked: Asked) -> dict[str, Any]:
    """Tell the columns of a table and how many rows it has; what stands in them is for those with a grant."""
    identifier = asking.identifier(asked, "id", "resource_id")
    _shelved, file = _find_file(identifier)
    try:
        columns = tables.columns_of(file.get("profile"))
    except NotTabular as error:
        raise NotFound from error
    return datastore.info(identifier, columns, file)


def help_show(asked: Asked) -> str | None:
    """Tell what an action does."""
    name = asking.identifier(asked, "name")
    action = ACTIONS.get(name) or (datastore.search if name == "datastore_search" else None)
    if action is None:
        raise NotFound
    return inspect.getdoc(action)


ACTIONS: dict[str, Action] = {
    action.__name__: action
    for action in (
        site_read, status_show, package_list, package_show, package_search, current_package_list_with_resources,
        resource_show, resource_view_list, organization_list, organization_show, group_list, group_show, tag_list,
        license_list, datastore_info, help_show,
    )
}  # fmt: skip


def call(name: str, asked: Asked) -> Any:
    """Return what an action answers; raises NoCall for one that is not there."""
    if name not in ACTIONS:
        raise NoCall(f"Bad request - Action name not known: {name[:100]}")
    return ACTIONS[name](asked)


def find_resource(identifier: str) -> dict[str, Any]:
    """Return a resource of a public dataset by its id; raises NotFound."""
    base = settings.current().base_url
    for found in browsing.shelved_like(packages.stem_of(identifier) or ""):
        shown = _packages([found])[0]["resources"]
        if resource := next((one for one in shown if one["id"] == identifier), None):
            return dict(resource)
    shelved, file = _find_file(identifier)
    return packages.resource(file, shelved.dataset_id, file["position"], base)


def _find_file(identifier: str) -> tuple[Shelved, dict[str, Any]]:
    for release_id in browsing.releases_like(packages.stem_of(identifier) or ""):
        shelved = browsing.shelved_with(release_id)
        for place, file in enumerate(browsing.files_in(shelved, release_id) if shelved else ()):
            if shelved and packages.resource_id(release_id, file["name"]) == identifier:
                return shelved, file | {"position": place}
    raise NotFound


def _packages(found: Sequence[Shelved]) -> list[dict[str, Any]]:
    return [_package(one, source) for one, source in zip(found, _sources(found), strict=True)]


def _sources(found: Sequence[Shelved]) -> list[dict[str, Any] | None]:
    known = browsing.sources_of(found)
    return [known.get(one.dataset_id) for one in found]


def _package(shelved: Shelved, source: dict[str, Any] | None) -> dict[str, Any]:
    base = settings.current().base_url
    described = cadde.extras(reading.entry_of(shelved.document, shelved.updated_at), Site(base))
    files = browsing.files_of(shelved)
    return packages.package(shelved.document, files, shelved.updated_at, base, source, described)


def _organizations(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    known = identity.find_organizations(counts)
    return [
        vocabulary.shown(
            vocabulary.organization({"id": one.id, "name_ja": one.name_ja, "name_en": one.name_en}), counts[one.id]
        )
        for one in sorted(known.values(), key=lambda one: one.id)
    ]


def _groups(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [vocabulary.shown(vocabulary.group(name), counts[name]) for name in sorted(counts)]


def _listed(
    asked: Asked, counts: Mapping[str, int], names: str, show: Callable[[Mapping[str, int]], list[dict[str, Any]]]
) -> list[Any]:
    wanted = set(asking.words(asked, names, by_comma=True))
    chosen = sorted(name for name in counts if not wanted or name in wanted)
    start, size = asking.whole(asked, "offset", 0), asking.whole(asked, "limit", LISTED_MAX)
    page = chosen[start : start + size]
    return show({name: counts[name] for name in page}) if asking.yes(asked, "all_fields") else page


def _datasets(asked: Asked, facet: str, name: str) -> dict[str, Any]:
    if not asking.yes(asked, "include_datasets"):
        return {}
    return {"packages": _packages(browsing.find(Wanted(filters={facet: [name]}, size=ROWS)).items)}


def _facets(
    asked: Asked, counted: Mapping[str, Mapping[str, int]], filters: filtering.Filters
) -> dict[str, dict[str, int]]:
    if not asking.yes(asked, "facet", default=True):
        return {}
    limit = asking.whole(asked, "facet.limit", FACET_VALUES) if asked.get("facet.limit") != -1 else LISTED_MAX
    least = asking.whole(asked, "facet.mincount", 1)
    found = {}
    for name in asking.words(asked, "facet.field"):
        facet = filtering.FACETS.get(name, name)
        values = counted.get(facet, {})
        # The index counts a facet without its own filter, CKAN with it.
        chosen = filters.having.get(facet)
        kept = {value: count for value, count in values.items() if chosen is None or value in chosen}
        ranked = sorted(kept.items(), key=lambda one: (-one[1], one[0]))
        found[name] = dict([one for one in ranked if one[1] >= least][:limit])
    return found


def _search_facet(name: str, values: Mapping[str, int]) -> dict[str, Any]:
    titles: dict[str, str] = {}
    if name in {"organization", "owner_org"}:
        titles = {one.id: one.name_ja or one.name_en for one in identity.find_organizations(values).values()}
    elif name == "groups":
        titles = {value: vocabulary.group(value)["title"] for value in values}
    items = [
        {"name": value, "display_name": titles.get(value, value), "count": count} for value, count in values.items()
    ]
    return {"title": name, "items": items}
