"""The catalogue: searching it, and everything public about one dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, request

from marketplace.catalog import narrowing, queries
from marketplace.catalog.lineage.states import CitationKind
from marketplace.exchange import announcing, discovery, provenance, relating, showcase, understanding
from marketplace.identity.permissions import Permission
from marketplace.kit.errors import Invalid
from marketplace.kit.pages import SIZE_DEFAULT, SIZE_MAX
from marketplace.privacy.assessments import queries as assessments
from marketplace.web import description, facets, portrait
from marketplace.web.endpoint import blueprint, guarded, reader
from marketplace.web.language import link, say
from marketplace.web.rendering import path_part, render, render_private

blp = blueprint("catalog")
WORDS_MAX = 1000
CURSOR_MAX = 500
SUGGESTIONS_SHOWN = 20
# Of the newest release; its own pages have all files, the JSON beside them all columns.
SHOWN = {"files_shown": 20, "columns_shown": 200, "preview_columns_shown": 40}


@dataclass(frozen=True, slots=True)
class Query:
    """A search as the address states it."""

    words: str
    filters: dict[str, list[str]]
    cursor: str | None
    size: int

    def saving(self) -> str:
        """Return the address at which this search can be saved."""
        pairs = [("q", self.words)] if self.words else []
        return link(
            "/organization/searches", [*pairs, *((name, one) for name in self.filters for one in self.filters[name])]
        )

    def address(
        self, filters: dict[str, list[str]], cursor: str | None = None, more: Sequence[tuple[str, str]] = ()
    ) -> str:
        """Return the address of this search with other filters or another page."""
        pairs = [("q", self.words)] if self.words else []
        pairs += [(facet, value) for facet, values in filters.items() for value in values]
        pairs += [("size", str(self.size))] if self.size != SIZE_DEFAULT else []
        pairs += [("cursor", cursor)] if cursor else []
        return link("/catalog", [*pairs, *more])


@blp.get("/catalog")
@guarded(Permission.CATALOG_READ)
def search() -> Response:
    """Search in Japanese or English; without words, the newest come first."""
    query = _query()
    is_planned = request.args.get("planned") == "only"
    planned: dict[str, Any] | None
    if is_planned:
        planned = announcing.planned(reader(), query.words, query.filters, query.cursor, query.size)
        found = {"items": [], "facets": {}, "total": 0, "next_cursor": planned["next_cursor"]}
    else:
        found = discovery.search(reader(), query.words, query.filters, query.cursor, query.size)
        planned = None if query.cursor else announcing.planned(reader(), query.words, query.filters)
    only = [("planned", "only")] if is_planned else []
    following = query.address(query.filters, found["next_cursor"], only) if found["next_cursor"] else None
    return _render(
        "catalog.html",
        query=query,
        found=found,
        planned=planned,
        is_planned=is_planned,
        planned_at=query.address(query.filters, more=[("planned", "only")]),
        spans=narrowing.SPANS,
        suggestions=discovery.suggest(reader(), query.words, SUGGESTIONS_SHOWN),
        groups=facets.groups(found["facets"], query.filters, query.address),
        following=following,
        first=query.address(query.filters, more=only) if query.cursor else None,
        listed_at=query.address(query.filters),
        saving=query.saving() if query.words or query.filters else None,
    )


@blp.get("/catalog/<dataset_id>")
@guarded(Permission.CATALOG_READ)
def show(dataset_id: str) -> Response:
    """Show a dataset with its files, previews and offers, and say how to buy it."""
    listed = discovery.read_listing(reader(), dataset_id)
    document = showcase.as_of_now(listed.document)
    related = relating.find_related(reader(), dataset_id)
    page: dict[str, Any] = {"sample": _sample(document), "portrait": _portrait(document), "related": related}
    page |= {"anchor_of": description.anchor_of, "assessments": assessments.list_public_of(dataset_id)}
    return _render("dataset.html", dataset=document, **page, **SHOWN)


@blp.get("/catalog/<dataset_id>/history")
@guarded(Permission.CATALOG_READ)
def show_history(dataset_id: str) -> Response:
    """Show the newest releases: whether they came in time, and what changed in their columns."""
    document = understanding.read(reader(), dataset_id)
    past = understanding.history_of(document)
    judged = [one.on_time for one in past if one.on_time is not None]
    return _render("history.html", dataset=document, past=past, on_time=sum(judged), promised=len(judged))


@blp.get("/catalog/<dataset_id>/releases/<release_id>")
@guarded(Permission.CATALOG_READ)
def show_release(dataset_id: str, release_id: str) -> Response:
    """Show all files of a release with their previews, page by page."""
    listed, cursor = discovery.read_listing(reader(), dataset_id), _cursor()
    page = showcase.list_files(dataset_id, release_id, cursor)
    address = f"/catalog/{path_part(dataset_id)}/releases/{path_part(release_id)}"
    return _render(
        "release.html",
        dataset=listed.document,
        release=queries.get_release(release_id),
        files=page.items,
        following=link(address, [("cursor", page.next_cursor)]) if page.next_cursor else None,
        first=link(address) if cursor else None,
        **SHOWN,
    )


def _portrait(document: dict[str, Any]) -> dict[str, Any]:
    coverage = understanding.covered(document)
    columns = understanding.dictionary_of(document)
    return {
        "coverage": coverage,
        "map": portrait.drawn_map(coverage),
        "columns": [{"column": column, "spark": portrait.spark(column["distribution"])} for column in columns],
        "quality": understanding.judged(document),
        "lineage": _lineage(document["id"]),
        "citations": provenance.citations_of(reader(), document["id"]),
        "kinds": {kind.value: say(kind.ja, kind.en) for kind in CitationKind},
    }


def _lineage(dataset_id: str) -> dict[str, Any]:
    """Return the chain as its two trees are drawn: steps up and steps down, and the names of all in it."""
    told = provenance.read(reader(), dataset_id)
    nodes = {one["dataset_id"]: one for one in told["chain"]["nodes"]}
    steps = told["chain"]["steps"]
    below = {one for one, node in nodes.items() if node["depth"] >= 0}
    down = [step for step in steps if step["source_dataset_id"] in below]
    up = [step for step in steps if step["source_dataset_id"] not in below]
    return told | {"nodes": nodes, "up": up, "down": down, "is_cut": told["chain"]["is_cut"]}


def _render(template: str, **context: Any) -> Response:
    # What is shown to whoever is signed in may be shown to them alone.
    return render(template, **context) if reader() is None else render_private(template, **context)


def _query() -> Query:
    arguments = request.args
    words = arguments.get("q", "")
    if len(words) > WORDS_MAX:
        raise Invalid(errors=[{"pointer": "/q", "detail": f"at most {WORDS_MAX} characters"}])
    facets_given = {facet: list(filter(None, arguments.getlist(facet))) for facet in narrowing.FACETS}
    filters = narrowing.filters_in(facets_given | {span: arguments.get(span, "").strip() for span in narrowing.SPANS})
    return Query(words, filters, _cursor(), _size(arguments.get("size") or str(SIZE_DEFAULT)))


def _cursor() -> str | None:
    cursor = request.args.get("cursor") or None
    if cursor and len(cursor) > CURSOR_MAX:
        raise Invalid(errors=[{"pointer": "/cursor", "detail": f"at most {CURSOR_MAX} characters"}])
    return cursor


def _size(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= SIZE_MAX):
        raise Invalid(errors=[{"pointer": "/size", "detail": f"must be 1 to {SIZE_MAX}"}])
    return int(text)


def _sample(document: dict[str, Any]) -> str:
    """Return the name of a file to show fetching with."""
    return next((file["name"] for release in document["releases"] for file in release["files"]), "FILE")
