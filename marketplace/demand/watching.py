"""Saved searches of the catalogue: saving, ending, and what came that matches, each dataset once."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import narrowing
from marketplace.catalog.entries import schema
from marketplace.catalog.rules import text_fault
from marketplace.demand import leave_keys
from marketplace.demand.errors import SearchesTooMany, SearchSaved
from marketplace.demand.watch_models import CatalogWatch, CatalogWatchHit, CatalogWatchMark
from marketplace.identity import queries as identity
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.rules import refuse_faults, refuse_my_numbers
from marketplace.kit import clock, settings
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id, new_id
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable

_LETTERS = "saved searches"
NAME_LENGTH_MAX, WORDS_LENGTH_MAX = 200, 1000
VALUES_MAX, VALUE_LENGTH_MAX = 20, 100
LISTINGS_MAX = 200
WATCHES_AT_ONCE = 500
SETTLED = timedelta(minutes=2)
"""What was listed less long ago may still be about to be kept, and be passed over."""
_LISTED = text("""
SELECT l.dataset_id, l.updated_at, coalesce(d.published_at, d.created_at) AS came_at
  FROM listing l JOIN dataset d ON d.id = l.dataset_id
 WHERE (l.updated_at, l.dataset_id) > (:after, :dataset_id) AND l.updated_at < :before
 ORDER BY l.updated_at, l.dataset_id LIMIT :size
""")
# The index follows listings one after another: what waits for it will be found, but not yet.
_WAITING = text("""
SELECT min(l.updated_at) FROM search_waiting w JOIN listing l ON l.dataset_id = w.dataset_id WHERE w.refused_at IS NULL
""")


@dataclass(frozen=True, slots=True)
class WatchDraft:
    """A search to be saved: a name, words, and filters by their names."""

    name: str
    words: str
    filters: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Listed:
    """A listing that was made or changed: which dataset, when, and when the dataset first came."""

    dataset_id: str
    updated_at: datetime
    came_at: datetime


def save(actor: Actor, draft: WatchDraft) -> CatalogWatch:
    """Save a search for one's organization; raises Invalid, MyNumberRefused, SearchSaved or SearchesTooMany."""
    filters = _checked(draft)
    # Whoever saves two at once stands in line here: neither counts without the other.
    identity.lock_visible_organization(actor, actor.organization_id)
    most = settings.current().saved_searches_max
    if count_live(actor.organization_id) >= most:
        raise SearchesTooMany(most=most)
    words = " ".join(unicodedata.normalize("NFKC", draft.words).split())
    watch_id, fingerprint = new_id("wch"), digest_of({"words": words.casefold(), "filters": filters})
    row = {
        "id": watch_id,
        "organization_id": actor.organization_id,
        "member_id": actor.member_id,
        "name": draft.name.strip(),
        "words": words,
        "filters": filters,
        "fingerprint": fingerprint,
        "created_at": clock.now(),
    }
    saved = insert(CatalogWatch).values(row).on_conflict_do_nothing().returning(CatalogWatch.id)
    if db.session.scalar(saved) is None:
        raise SearchSaved
    audit.record(actor, Verb.WATCH_SAVED, subject=watch_id, facts={"fingerprint": fingerprint})
    return db.session.get_one(CatalogWatch, watch_id)


def end(actor: Actor, watch_id: str) -> None:
    """Hear no more of a saved search of one's organization; raises NotFound."""
    watch = get(actor, watch_id)
    if _end(watch.id):
        audit.record(actor, Verb.WATCH_ENDED, subject=watch.id)


def end_by_key(watch_id: str, key: str) -> None:
    """Hear no more of a search, by the key in its letters; raises NotFound for another key."""
    leave_keys.require(_LETTERS, watch_id, key)
    if _end(watch_id):
        audit.record(SYSTEM, Verb.WATCH_ENDED, subject=watch_id)


def key_of(watch_id: str) -> str:
    """Return the key by which whoever gets the letters of a search ends it without signing in."""
    return leave_keys.made(_LETTERS, watch_id)


def get(actor: Actor, watch_id: str) -> CatalogWatch:
    """Return a saved search of the caller's organization, also one that has ended, or raise NotFound."""
    found = db.session.get(CatalogWatch, watch_id) if is_id(watch_id) else None
    if found is None or found.organization_id != actor.organization_id:
        raise NotFound
    return found


def read(watch_id: str) -> CatalogWatch:
    """Return a saved search that there is, whoever's: for the letters about it."""
    return db.session.get_one(CatalogWatch, watch_id)


def list_own(actor: Actor, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[CatalogWatch]:
    """Return the saved searches of the caller's organization that have not ended, newest first."""
    own = select(CatalogWatch).where(CatalogWatch.organization_id == actor.organization_id)
    own = own.where(CatalogWatch.ended_at.is_(None))
    after = decode_cursor(cursor, 1)
    if after:
        own = own.where(CatalogWatch.id < storable(str(after[0])))
    rows = db.session.scalars(own.order_by(CatalogWatch.id.desc()).limit(size + 1)).all()
    return cut(rows, size, lambda row: [row.id])


def list_hits(
    actor: Actor, watch_id: str, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[CatalogWatchHit]:
    """Return what came that a saved search finds, newest first; raises NotFound."""
    found = select(CatalogWatchHit).where(CatalogWatchHit.watch_id == get(actor, watch_id).id)
    after = decode_cursor(cursor, 2)
    if after:
        place = tuple_(CatalogWatchHit.found_at, CatalogWatchHit.dataset_id)
        found = found.where(place < tuple_(_instant(str(after[0])), storable(str(after[1]))))
    order = (CatalogWatchHit.found_at.desc(), CatalogWatchHit.dataset_id.desc())
    rows = db.session.scalars(found.order_by(*order).limit(size + 1)).all()
    return cut(rows, size, lambda row: [clock.text(row.found_at), row.dataset_id])


def count_live(organization_id: str) -> int:
    """Return how many saved searches of an organization have not ended."""
    live = (CatalogWatch.organization_id == organization_id, CatalogWatch.ended_at.is_(None))
    return db.session.scalar(select(func.count()).select_from(CatalogWatch).where(*live)) or 0


def take_listed() -> list[Listed] | None:
    """Return the next listings that nobody has looked through, and pass them; None where somebody else is at it.

    The first time it begins with the first search that was saved. To be called once the index has followed.
    """
    first = db.session.scalar(select(func.min(CatalogWatch.created_at)))
    begun = {"id": 1, "listed_until": first or clock.now(), "dataset_id": ""}
    db.session.execute(insert(CatalogWatchMark).values(begun).on_conflict_do_nothing())
    mark = db.session.scalar(select(CatalogWatchMark).with_for_update(skip_locked=True))
    if mark is None:
        return None
    waiting = db.session.scalar(_WAITING)
    before = min(filter(None, (clock.now() - SETTLED, waiting)))
    asked = {"after": mark.listed_until, "dataset_id": mark.dataset_id, "before": before, "size": LISTINGS_MAX}
    found = [Listed(*row) for row in db.session.execute(_LISTED, asked)]
    if found:
        mark.listed_until, mark.dataset_id = found[-1].updated_at, found[-1].dataset_id
        db.session.flush()
    return found


def list_live(after: str = "") -> Sequence[CatalogWatch]:
    """Return some saved searches that have not ended, by id, from after one of them on."""
    live = select(CatalogWatch).where(CatalogWatch.ended_at.is_(None), CatalogWatch.id > after)
    return db.session.scalars(live.order_by(CatalogWatch.id).limit(WATCHES_AT_ONCE)).all()


def note_hits(watch: CatalogWatch, dataset_ids: Sequence[str]) -> int:
    """Keep that a search finds these, each once for ever; return how many are new."""
    rows = [{"watch_id": watch.id, "dataset_id": one, "found_at": clock.now()} for one in sorted(dataset_ids)]
    if not rows:
        return 0
    written = insert(CatalogWatchHit).on_conflict_do_nothing().returning(CatalogWatchHit.dataset_id)
    return len(db.session.scalars(written, rows).all())


def take_untold(watch_id: str) -> list[str]:
    """Return what a search found that nobody was told of, and mark it as told in this transaction."""
    waiting = select(CatalogWatchHit).where(CatalogWatchHit.watch_id == watch_id, CatalogWatchHit.told_at.is_(None))
    found = db.session.scalars(waiting.order_by(CatalogWatchHit.dataset_id).with_for_update(skip_locked=True)).all()
    for one in found:
        one.told_at = clock.now()
    db.session.flush()
    return [one.dataset_id for one in found]


def list_untold(size: int = 200) -> list[str]:
    """Return searches that have something to tell."""
    untold = select(CatalogWatchHit.watch_id).where(CatalogWatchHit.told_at.is_(None)).distinct()
    return list(db.session.scalars(untold.limit(size)))


def _end(watch_id: str) -> bool:
    live = (CatalogWatch.id == watch_id, CatalogWatch.ended_at.is_(None))
    ended = update(CatalogWatch).where(*live).values(ended_at=clock.now()).returning(CatalogWatch.id)
    return db.session.scalar(ended) is not None


def _checked(draft: WatchDraft) -> dict[str, list[str]]:
    """Return the filters as they are kept; raises Invalid or MyNumberRefused."""
    refuse_my_numbers({"name": draft.name, "q": draft.words})
    filters = {name: sorted(set(values)) for name, values in sorted(draft.filters.items()) if values}
    is_long = any(len(values) > VALUES_MAX for values in filters.values())
    is_strange = any(text_fault(value, VALUE_LENGTH_MAX) for values in filters.values() for value in values)
    asks_nothing = None if draft.words.strip() or filters else "words or a filter are needed"
    refuse_faults(
        {
            "name": text_fault(draft.name, NAME_LENGTH_MAX) or (None if draft.name.strip() else "must not be empty"),
            "q": text_fault(draft.words, WORDS_LENGTH_MAX) or asks_nothing,
            "filters": f"at most {VALUES_MAX} short values each" if is_long or is_strange else None,
        }
    )
    narrowing.read_filters(filters, schema())
    return filters


def _instant(given: str) -> datetime:
    try:
        return clock.parse(given)
    except ValueError:
        return clock.now()
