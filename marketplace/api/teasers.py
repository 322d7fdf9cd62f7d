"""Teasers (要旨): datasets announced before there are any data."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, expected_version, guarded, version_tag, visitor
from marketplace.api.openapi import IF_MATCH
from marketplace.api.schemas import teasers as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.catalog.dictionary import ColumnNote
from marketplace.catalog.states import Theme
from marketplace.catalog.teasers import queries, service
from marketplace.catalog.teasers.rules import TeaserDraft
from marketplace.exchange import announcing
from marketplace.identity.permissions import Permission
from marketplace.kit.pages import Page
from marketplace.kit.transaction import transaction

blp = blueprint("teasers", "/v1/teasers", "Datasets announced (要旨) before there are any data.")


@blp.route("", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.TeaserDraft)
@blp.response(201, schemas.TeaserView)
def announce(body: dict[str, Any]) -> Any:
    """Announce a dataset with its expected day, columns and an indicative price."""
    with transaction():
        teaser = service.announce(actor(), _draft(body))
        return created(announcing.shown(teaser, actor()), f"/v1/teasers/{teaser.id}", ETag=version_tag(teaser.version))


@blp.route("")
@guarded(Permission.CATALOG_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.TeaserPage)
def list_teasers(query: dict[str, Any]) -> Any:
    """List announced datasets that are not listed yet, newest first."""
    page = queries.list_teasers(**query)
    return Page([announcing.shown(teaser, visitor()) for teaser in page.items], page.next_cursor)


@blp.route("/own")
@guarded(Permission.DATASETS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.TeaserPage)
def list_own(query: dict[str, Any]) -> Any:
    """List one's own announcements in whatever state, newest first; overseers see all."""
    page = queries.list_teasers(actor(), **query)
    return Page([announcing.shown(teaser, actor()) for teaser in page.items], page.next_cursor)


@blp.route("/<teaser_id>")
@guarded(Permission.CATALOG_READ)
@blp.response(200, schemas.TeaserView)
def read(teaser_id: str) -> Any:
    """Read an announcement and what became of it."""
    teaser = queries.get_teaser(teaser_id)
    return announcing.shown(teaser, visitor()), 200, {"ETag": version_tag(teaser.version)}


@blp.route("/<teaser_id>", methods=["PUT"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.TeaserDraft)
@blp.response(200, schemas.TeaserView)
@blp.doc(parameters=[IF_MATCH])
def revise(body: dict[str, Any], teaser_id: str) -> Any:
    """Say an announcement anew, if it still is at the version in If-Match."""
    with transaction():
        teaser = service.revise(actor(), teaser_id, _draft(body), expected_version())
        return announcing.shown(teaser, actor()), 200, {"ETag": version_tag(teaser.version)}


@blp.route("/<teaser_id>/withdraw", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(200, schemas.TeaserView)
def withdraw(teaser_id: str) -> Any:
    """Give an announced dataset up."""
    with transaction():
        return announcing.shown(service.withdraw(actor(), teaser_id), actor())


@blp.route("/<teaser_id>/dataset", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.Becoming)
@blp.response(201, schemas.BecameView)
def become(body: dict[str, Any], teaser_id: str) -> Any:
    """Turn an announcement into a draft dataset; those who watch are told when everybody sees it."""
    with transaction():
        teaser, dataset = announcing.become(actor(), teaser_id, body["dataset_id"])
        told = {"teaser_id": teaser.id, "state": teaser.state, "dataset_id": dataset.id}
        return created(told, f"/v1/datasets/{dataset.id}")


@blp.route("/<teaser_id>/watch", methods=["POST"])
@guarded(Permission.DEMAND_JOIN)
@blp.response(200, schemas.TeaserView)
def watch(teaser_id: str) -> Any:
    """Ask to be told by mail when an announced dataset is listed; nobody else learns who asked."""
    with transaction():
        return announcing.shown(service.watch(actor(), teaser_id), actor())


@blp.route("/<teaser_id>/watch", methods=["DELETE"])
@guarded(Permission.DEMAND_JOIN)
@blp.response(204)
def unwatch(teaser_id: str) -> None:
    """Be told no more."""
    with transaction():
        service.unwatch(actor(), teaser_id)


def _draft(body: dict[str, Any]) -> TeaserDraft:
    columns = tuple(ColumnNote(**note) for note in body["columns"])
    return TeaserDraft(**body | {"themes": tuple(map(Theme, body["themes"])), "columns": columns})
