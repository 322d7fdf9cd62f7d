"""Deeds of teasers: announcing, revising, giving up, watching, and becoming a dataset."""

from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog.errors import VersionStale
from marketplace.catalog.teasers import finding, queries, rules
from marketplace.catalog.teasers.errors import TeaserEnded
from marketplace.catalog.teasers.models import Teaser, TeaserWatcher
from marketplace.catalog.teasers.rules import TeaserDraft
from marketplace.catalog.teasers.states import LIVE, TeaserState
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import changed_rows, db
from marketplace.kit.errors import Invalid
from marketplace.kit.ids import new_id

TOLD_AT_ONCE = 200
_FOUND_BY = ("title_ja", "title_en", "description_ja", "description_en", "themes", "region", "columns")


def announce(actor: Actor, draft: TeaserDraft) -> Teaser:
    """Announce a dataset to everybody before there are any data; raises Invalid."""
    rules.check(draft, clock.today())
    now = clock.now()
    about = {"id": new_id("tsr"), "organization_id": actor.organization_id, "state": TeaserState.ANNOUNCED.value}
    said = draft.stored()
    teaser = Teaser(**about, version=1, created_at=now, updated_at=now, **said, tokens=finding.tokens_of(said))
    db.session.add(teaser)
    db.session.flush()
    audit.record(actor, Verb.TEASER_ANNOUNCED, subject=teaser.id, facts=_facts(teaser))
    return teaser


def revise(actor: Actor, teaser_id: str, draft: TeaserDraft, expected_version: int) -> Teaser:
    """Say an announcement anew, if it still is at that version.

    Raises NotFound, TeaserEnded, VersionStale or Invalid.
    """
    teaser = _own_live(actor, teaser_id)
    rules.check(draft, clock.today())
    same = (Teaser.id == teaser.id, Teaser.version == expected_version, Teaser.state == TeaserState.ANNOUNCED)
    said = draft.stored()
    moved = {"version": expected_version + 1, "updated_at": clock.now(), "tokens": finding.tokens_of(said)}
    values = said | moved
    if not changed_rows(update(Teaser).where(*same).values(values)):
        _refuse(teaser.id)
    teaser = queries.get_teaser(teaser.id)
    audit.record(actor, Verb.TEASER_REVISED, subject=teaser.id, facts=_facts(teaser))
    return teaser


def withdraw(actor: Actor, teaser_id: str) -> Teaser:
    """Give an announced dataset up; raises NotFound or TeaserEnded."""
    teaser = _own_live(actor, teaser_id)
    open_ = (Teaser.id == teaser.id, Teaser.state.in_(LIVE))
    values = {"state": TeaserState.WITHDRAWN, "updated_at": clock.now(), "version": Teaser.version + 1}
    if not changed_rows(update(Teaser).where(*open_).values(values)):
        _refuse(teaser.id)
    audit.record(actor, Verb.TEASER_WITHDRAWN, subject=teaser.id)
    return queries.get_teaser(teaser.id)


def index_left() -> int:
    """Write by what announcements are found that were made before any were; returns how many."""
    without = select(Teaser).where(Teaser.tokens == []).limit(TOLD_AT_ONCE).with_for_update(skip_locked=True)
    left = db.session.scalars(without).all()
    for teaser in left:
        said = {name: getattr(teaser, name) for name in _FOUND_BY}
        db.session.execute(update(Teaser).where(Teaser.id == teaser.id).values(tokens=finding.tokens_of(said)))
    return len(left)


def watch(actor: Actor, teaser_id: str) -> Teaser:
    """Ask to be told when an announced dataset is listed; twice changes nothing.

    Raises NotFound, TeaserEnded, or Invalid for one's own.
    """
    teaser = _lock(teaser_id)
    if teaser.state not in LIVE:
        # What became a draft and was given up is its provider's alone.
        raise TeaserEnded(
            state=teaser.state, dataset_id=teaser.dataset_id if teaser.state == TeaserState.LISTED else None
        )
    if teaser.organization_id == actor.organization_id:
        raise Invalid("One's own announcement needs no watching.")
    row = {"teaser_id": teaser.id, "organization_id": actor.organization_id, "asked_at": clock.now()}
    asked = insert(TeaserWatcher).values(row).on_conflict_do_nothing().returning(TeaserWatcher.teaser_id)
    if db.session.scalar(asked) is not None:
        audit.record(actor, Verb.TEASER_WATCHED, subject=teaser.id, counterparty=teaser.organization_id)
    return teaser


def unwatch(actor: Actor, teaser_id: str) -> Teaser:
    """Be told no more; where one had not asked, nothing changes. Raises NotFound."""
    teaser = queries.get_teaser(teaser_id)
    mine = (TeaserWatcher.teaser_id == teaser.id, TeaserWatcher.organization_id == actor.organization_id)
    if changed_rows(delete(TeaserWatcher).where(*mine)):
        audit.record(actor, Verb.TEASER_UNWATCHED, subject=teaser.id, counterparty=teaser.organization_id)
    return teaser


def become(actor: Actor, teaser_id: str, dataset_id: str) -> Teaser:
    """Note which dataset of the same organization an announcement becomes; of several who say so at once one is heard.

    Raises NotFound or TeaserEnded.
    """
    teaser = _own_live(actor, teaser_id)
    free = (Teaser.id == teaser.id, Teaser.state == TeaserState.ANNOUNCED)
    values = {"state": TeaserState.COMING, "dataset_id": dataset_id, "updated_at": clock.now()}
    if not changed_rows(update(Teaser).where(*free).values(values | {"version": Teaser.version + 1})):
        _refuse(teaser.id)
    audit.record(actor, Verb.TEASER_BECAME, subject=teaser.id, dataset=dataset_id)
    return queries.get_teaser(teaser.id)


def arrive(teaser_id: str) -> bool:
    """Note that an announced dataset is listed; False where that was noted before."""
    coming = (Teaser.id == teaser_id, Teaser.state == TeaserState.COMING)
    values = {"state": TeaserState.LISTED, "updated_at": clock.now(), "version": Teaser.version + 1}
    return changed_rows(update(Teaser).where(*coming).values(values)) == 1


def take_untold(teaser_id: str) -> list[str]:
    """Take organizations that wait to be told, each once however many take at once; none when all are told."""
    waiting = select(TeaserWatcher.organization_id).where(
        TeaserWatcher.teaser_id == teaser_id, TeaserWatcher.told_at.is_(None)
    )
    chosen = db.session.scalars(waiting.limit(TOLD_AT_ONCE).with_for_update(skip_locked=True)).all()
    mine = (TeaserWatcher.teaser_id == teaser_id, TeaserWatcher.organization_id.in_(chosen))
    db.session.execute(update(TeaserWatcher).where(*mine).values(told_at=clock.now()))
    return list(chosen)


def _facts(teaser: Teaser) -> dict[str, Any]:
    expected = teaser.expected_on.isoformat()
    return {"version": teaser.version, "expected_on": expected, "columns": len(teaser.columns)}


def _own_live(actor: Actor, teaser_id: str) -> Teaser:
    teaser = queries.get_own_teaser(actor, teaser_id)
    if teaser.state not in LIVE:
        raise TeaserEnded(state=teaser.state, dataset_id=teaser.dataset_id)
    return teaser


def _refuse(teaser_id: str) -> None:
    teaser = queries.get_teaser(teaser_id)
    if teaser.state != TeaserState.ANNOUNCED:
        raise TeaserEnded(state=teaser.state, dataset_id=teaser.dataset_id)
    raise VersionStale(version=teaser.version)


def _lock(teaser_id: str) -> Teaser:
    found = select(Teaser).where(Teaser.id == queries.get_teaser(teaser_id).id).with_for_update(read=True)
    return db.session.scalars(found.execution_options(populate_existing=True)).one()
