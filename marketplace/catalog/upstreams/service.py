"""Deeds of upstreams: offering one, and offering it no more."""

import json
from typing import Any, cast

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog.errors import DatasetWithdrawn
from marketplace.catalog.queries import get_own_dataset
from marketplace.catalog.states import DatasetState
from marketplace.catalog.upstreams import queries, rules
from marketplace.catalog.upstreams.models import Upstream
from marketplace.catalog.upstreams.rules import UpstreamDraft
from marketplace.identity.actors import Actor
from marketplace.kit import clock, installation_key
from marketplace.kit.db import changed_rows, db
from marketplace.kit.errors import NotFound


def set_upstream(actor: Actor, dataset_id: str, draft: UpstreamDraft) -> Upstream:
    """Offer an interface to the buyers of a dataset, in place of what was; raises NotFound, DatasetWithdrawn, Invalid.

    The values of header fields are sealed here and are never shown again.
    """
    dataset = get_own_dataset(actor, dataset_id)
    if dataset.state == DatasetState.WITHDRAWN:
        raise DatasetWithdrawn
    rules.check_draft(draft)
    fresh = _columns(dataset.id, draft)
    first = {"dataset_id": dataset.id, "organization_id": dataset.organization_id}
    statement = insert(Upstream).values(first | fresh)
    db.session.execute(statement.on_conflict_do_update(index_elements=["dataset_id"], set_=fresh))
    facts = {
        "host": rules.host_of(draft.base_url),
        "paths": len(draft.paths),
        "header_names": sorted(draft.headers),
        "requests_per_minute": draft.requests_per_minute,
    }
    audit.record(actor, Verb.UPSTREAM_SET, subject=dataset.id, dataset=dataset.id, facts=facts)
    return queries.get_visible_upstream(actor, dataset.id)


def remove_upstream(actor: Actor, dataset_id: str) -> None:
    """Ask nothing more in the name of a dataset's buyers; raises NotFound."""
    dataset = get_own_dataset(actor, dataset_id)
    if not changed_rows(delete(Upstream).where(Upstream.dataset_id == dataset.id)):
        raise NotFound
    audit.record(actor, Verb.UPSTREAM_REMOVED, subject=dataset.id, dataset=dataset.id)


def opened_headers(upstream: Upstream) -> dict[str, str]:
    """Return the header fields that go with each request, to be sent and never shown; raises Unsealable."""
    plain = installation_key.unseal(_purpose(upstream.dataset_id), upstream.headers_sealed)
    return cast("dict[str, str]", json.loads(plain))


def _columns(dataset_id: str, draft: UpstreamDraft) -> dict[str, Any]:
    return {
        "base_url": draft.base_url,
        "paths": list(draft.paths),
        "parameters": list(draft.parameters),
        "header_names": sorted(draft.headers),
        "headers_sealed": installation_key.seal(_purpose(dataset_id), json.dumps(dict(draft.headers)).encode()),
        "requests_per_minute": draft.requests_per_minute,
        "openapi": rules.written(draft.openapi),
        "updated_at": clock.now(),
    }


def _purpose(dataset_id: str) -> str:
    # Of each dataset its own: what was sealed for one is good for no other, whoever moves it in the database.
    return f"upstream headers of {dataset_id}"
