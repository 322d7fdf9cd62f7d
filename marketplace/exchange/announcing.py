"""Announcing: what a provider will have → who wants to be told → a draft dataset → its listing, told to all of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.catalog import describing, listings, service
from marketplace.catalog import queries as catalog
from marketplace.catalog.dictionary import ColumnNote
from marketplace.catalog.groups.queries import sight_of
from marketplace.catalog.models import Dataset
from marketplace.catalog.rules import DatasetDraft
from marketplace.catalog.states import Theme
from marketplace.catalog.teasers import finding, queries
from marketplace.catalog.teasers import service as teasers
from marketplace.catalog.teasers.models import Teaser
from marketplace.catalog.teasers.states import TeaserState
from marketplace.identity import queries as identity
from marketplace.identity import roles
from marketplace.identity.actors import Actor
from marketplace.kit import jobs, mail, settings
from marketplace.kit.transaction import transaction

TELL_JOB = "teasers.tell"
_SHOWN = (
    "id", "state", "version", "title_ja", "title_en", "description_ja", "description_en", "themes", "region", "columns",
    "expected_on", "price_from_yen", "price_to_yen", "created_at", "updated_at",
)  # fmt: skip


def become(actor: Actor, teaser_id: str, dataset_id: str | None = None) -> tuple[Teaser, Dataset]:
    """Make an announcement a draft dataset with the same words and columns, or one of one's own that there is.

    Those who watch are told when everybody sees it. Raises NotFound or TeaserEnded.
    """
    teaser = queries.get_own_teaser(actor, teaser_id)
    dataset = catalog.get_own_dataset(actor, dataset_id) if dataset_id else _drafted(actor, teaser)
    listings.stand_in_line(dataset.id)
    became = teasers.become(actor, teaser.id, dataset.id)
    heed(dataset.id)
    return queries.get_teaser(became.id), dataset


def heed(dataset_id: str) -> None:
    """Have all told who wait for a dataset, if it is listed to everybody by now; to be called whenever that may be."""
    teaser = queries.find_coming(dataset_id)
    if teaser is not None and listings.is_listed(dataset_id) and teasers.arrive(teaser.id):
        jobs.enqueue(TELL_JOB, teaser_id=teaser.id)


@jobs.task(TELL_JOB)
def tell(teaser_id: str) -> None:
    """Mail all who asked to be told that an announced dataset is listed, each once."""
    with transaction():
        teaser = queries.get_teaser(teaser_id)
        waiting = teasers.take_untold(teaser.id)
        for organization_id in waiting:
            for address in identity.list_addresses(organization_id, roles.BUYING_OR_LISTING):
                mail.send(address, *_letter(teaser))
        if len(waiting) == teasers.TOLD_AT_ONCE:
            jobs.enqueue(TELL_JOB, teaser_id=teaser.id)


@jobs.task("teasers.index_left", cron="3 * * * *")
def index_left() -> None:
    """Have announcements found that were made before the search found any."""
    with transaction():
        teasers.index_left()


def planned(
    reader: Actor | None, words: str, filters: Mapping[str, Sequence[str]], cursor: str | None = None, size: int = 3
) -> dict[str, Any]:
    """Return announced datasets that a search finds: beside those that are listed, and never counted among them."""
    unknown = {name for name, values in filters.items() if values} - set(finding.FILTERS)
    if unknown:  # an announcement has no format, licence or quality yet
        return {"items": [], "total": 0, "next_cursor": None}
    page, total = finding.find(words, filters, cursor, size)
    return {"items": [shown(one, reader) for one in page.items], "total": total, "next_cursor": page.next_cursor}


def shown(teaser: Teaser, reader: Actor | None) -> dict[str, Any]:
    """Return an announcement as a reader sees it: to its provider with how many wait and what is in the making."""
    provider = identity.get_organization(teaser.organization_id)
    own = reader is not None and reader.organization_id == teaser.organization_id
    named = {"id": provider.id, "name_ja": provider.name_ja, "name_en": provider.name_en}
    waiting = {"watchers": queries.count_watchers(teaser.id)} if own else {}
    dataset_id = teaser.dataset_id if own or _is_there(teaser, reader) else None
    return {name: getattr(teaser, name) for name in _SHOWN} | {"provider": named, "dataset_id": dataset_id} | waiting


def _is_there(teaser: Teaser, reader: Actor | None) -> bool:
    # What everybody saw may be a group's alone by now.
    is_listed = teaser.state == TeaserState.LISTED and teaser.dataset_id is not None
    return is_listed and listings.is_listed(str(teaser.dataset_id), sight_of(reader))


def _drafted(actor: Actor, teaser: Teaser) -> Dataset:
    said = ("title_ja", "title_en", "description_ja", "description_en", "region")
    themes = tuple(map(Theme, teaser.themes))
    draft = DatasetDraft(themes=themes, **{name: getattr(teaser, name) for name in said})
    dataset = service.register_dataset(actor, draft)
    notes = [ColumnNote(**note) for note in teaser.columns]
    return describing.declare_dictionary(actor, dataset.id, notes, dataset.version) if notes else dataset


def _letter(teaser: Teaser) -> tuple[str, str]:
    address = f"{settings.current().base_url}/catalog/{teaser.dataset_id}"
    ja, en = teaser.title_ja or teaser.title_en, teaser.title_en or teaser.title_ja
    subject = "予告されたデータセットが掲載されました / An announced dataset is listed"
    body = (
        f"お知らせをご希望のデータセット「{ja}」が掲載されました。\n{address}\n\n"
        f"The dataset “{en}”, of which you asked to be told, is listed.\n{address}\n"
    )
    return subject, body
