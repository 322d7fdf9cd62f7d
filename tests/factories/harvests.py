"""A foreign catalogue that is taken over, a run over it, and a finding on a dataset."""

from marketplace.catalog.cleaning.mending import Finding, Rule
from marketplace.catalog.harvesting import service
from marketplace.catalog.harvesting.models import HarvestLine
from marketplace.catalog.harvesting.rules import HarvestDraft
from marketplace.catalog.links.models import DatasetLink
from marketplace.catalog.queries import get_dataset
from marketplace.catalog.repairs import queries
from marketplace.catalog.repairs import service as repairs
from marketplace.catalog.service import draft_of
from marketplace.identity.actors import on_behalf_of
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

UNCHECKED = {
    "host": "data.example.jp", "state": "unchecked", "failures": 0, "outcome": "",
}  # fmt: skip
TAKEN = {"name": "r1", "title": "避難所", "outcome": "unchanged", "detail": ""}
TAGS = Finding(Rule.TAGS, "keywords", [], ["避難所"], 50)


def harvested(organization_id: str, dataset_id: str) -> dict[str, str]:
    """One of each, by the name of the placeholder that takes its id."""
    owner = on_behalf_of(organization_id)
    with transaction():
        harvest = service.set_harvest(owner, HarvestDraft("https://ckan.example.jp/walk"))
        run = service.begin_run(owner, harvest.id)
        draft = draft_of(get_dataset(dataset_id))
        repairs.note(repairs.rows_of(dataset_id, draft, [TAGS], repairs=False))
        [found] = queries.list_repairs(owner, dataset_id).items
        link = DatasetLink(dataset_id=dataset_id, digest="5f" * 32, url="https://data.example.jp/a.csv", **UNCHECKED)
        link.next_at = clock.now()
        line = HarvestLine(run_id=run.id, record_id="r1", dataset_id=dataset_id, **TAKEN)
        db.session.add_all([link, line])
    return {"harvest_id": harvest.id, "run_id": run.id, "repair_id": found.id}
