"""Which providers hear of which new requests: those that list data of the theme, there; once a day each at most."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.demand import leave_keys
from marketplace.demand.models import DataRequest, ProviderTelling
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.db import db

_LETTERS = "letters about requests"
FIRST = timedelta(days=7)
"""So far back the first letter of a provider reaches."""
SETTLED = timedelta(minutes=2)
"""What was stated less long ago may still be about to be kept, and be passed over."""
PROVIDERS_AT_ONCE, REQUESTS_MAX = 200, 100
# Requests that a provider of these columns could answer: by the theme and the prefecture of one of its datasets.
_NEW = """
  FROM data_request r
 WHERE r.state IN ('open', 'answered') AND NOT r.withheld AND r.deadline >= :today AND r.organization_id <> o.id
   AND r.created_at > coalesce(t.told_until, :first) AND r.created_at <= :until
   AND EXISTS (SELECT FROM dataset d
                WHERE d.organization_id = o.id AND d.state <> 'withdrawn' AND d.themes @> jsonb_build_array(r.theme)
                  AND (r.region = 'JP' OR d.region = 'JP' OR left(d.region, 2) = left(r.region, 2)))
"""
_FROM = "FROM organization o LEFT JOIN provider_telling t ON t.organization_id = o.id"
_UNTOLD = """
o.state = 'verified' AND o.capacities @> '["provider"]' AND (t.told_on IS NULL OR t.told_on < :today)
"""
_DUE = text(f"SELECT o.id {_FROM} WHERE {_UNTOLD} AND EXISTS (SELECT {_NEW}) ORDER BY o.id LIMIT :size")
_TAKE = text(
    f"SELECT new.id {_FROM} CROSS JOIN LATERAL (SELECT r.id, r.created_at {_NEW}) AS new"
    f" WHERE {_UNTOLD} AND o.id = :organization_id ORDER BY new.created_at, new.id LIMIT :size"
)


def list_due() -> list[str]:
    """Return providers that have not been told today, and of which there is something to tell."""
    return list(db.session.scalars(_DUE, _asked() | {"size": PROVIDERS_AT_ONCE}))


def take(organization_id: str) -> Sequence[DataRequest]:
    """Return the new requests that a provider is told of, oldest first, and note that it was told today.

    Where there are too many for one letter, those that are newer come the day after. None where somebody else took
    them: of two at once the second waits, and finds that it was told.
    """
    row = {"organization_id": organization_id, "wants_letters": True}
    db.session.execute(insert(ProviderTelling).values(row).on_conflict_do_nothing())
    held = select(ProviderTelling).where(ProviderTelling.organization_id == organization_id).with_for_update()
    telling = db.session.scalars(held, execution_options={"populate_existing": True}).one()
    asked = _asked()
    ids = list(db.session.scalars(_TAKE, asked | {"organization_id": organization_id, "size": REQUESTS_MAX}))
    oldest_first = select(DataRequest).where(DataRequest.id.in_(ids)).order_by(DataRequest.created_at, DataRequest.id)
    taken = db.session.scalars(oldest_first).all()
    if taken:
        is_cut = len(taken) == REQUESTS_MAX
        telling.told_on, telling.told_until = clock.today(), taken[-1].created_at if is_cut else asked["until"]
        db.session.flush()
    return taken


def wants_letters(organization_id: str) -> bool:
    """Tell whether a provider gets letters about new requests: it does until it says that it wants none."""
    found = db.session.get(ProviderTelling, organization_id, populate_existing=True)
    return found is None or found.wants_letters


def set_letters(actor: Actor, *, wanted: bool) -> None:
    """Have one's organization get letters about new requests, or none; saying so twice changes nothing."""
    _set(actor, actor.organization_id, wanted=wanted)


def end_by_key(organization_id: str, key: str) -> None:
    """End a provider's letters by the key in them; raises NotFound for another key."""
    leave_keys.require(_LETTERS, organization_id, key)
    _set(SYSTEM, organization_id, wanted=False)


def key_of(organization_id: str) -> str:
    """Return the key by which whoever gets the letters ends them without signing in."""
    return leave_keys.made(_LETTERS, organization_id)


def _set(actor: Actor, organization_id: str, *, wanted: bool) -> None:
    row = insert(ProviderTelling).values(organization_id=organization_id, wants_letters=wanted)
    put = row.on_conflict_do_update(
        index_elements=["organization_id"],
        set_={"wants_letters": wanted},
        where=ProviderTelling.wants_letters.is_not(wanted),
    )
    if db.session.scalar(put.returning(ProviderTelling.organization_id)) is not None:
        audit.record(actor, Verb.REQUEST_LETTERS_SET, subject=organization_id, facts={"wanted": wanted})


def _asked() -> dict[str, Any]:
    now = clock.now()
    return {"today": clock.today(), "first": now - FIRST, "until": now - SETTLED}
