"""Auditors' looks at others' trades, on the record: each thing once an hour, so that paging does not flood it."""

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service
from marketplace.audit.models import Look
from marketplace.audit.service import Signatory
from marketplace.audit.verbs import Verb
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

THINGS_MAX = 200
"""So many things at one address are named in an hour; the next entry says that there were more."""
MORE = "more"


def note(actor: Signatory, permission: str, address: str, thing: str) -> None:
    """Put a look on the record, in a transaction of its own, unless the same one is there since the hour began.

    Who looks is a member, or a client by itself. ``address`` is the rule of the address and ``thing`` the id that was
    asked for, or the organization of whoever looks where it asked for a list.
    """
    looker = " ".join(filter(None, (actor.client_id, actor.member_id))) or actor.organization_id
    with transaction():
        key = {"hour": clock.now().replace(minute=0, second=0, microsecond=0), "looker": looker, "address": address}
        told = _told(key, thing)
        if told is not None and _is_new(key | {"thing": told}):
            facts = {"permission": permission, "address": address}
            service.record(actor, Verb.TRADES_LOOKED_AT, subject=told, facts=facts)


@jobs.task("audit.looks.forget", cron="29 4 * * *")
def forget() -> None:
    """Drop what only served to tell whether a look is on the record already."""
    with transaction():
        over = Look.hour < clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        db.session.execute(delete(Look).where(over), execution_options={"synchronize_session": False})


def _is_new(look: dict[str, object]) -> bool:
    kept = insert(Look).values(**look).on_conflict_do_nothing().returning(Look.thing)
    return db.session.execute(kept).first() is not None


def _told(key: dict[str, object], thing: str) -> str | None:
    """Return what the record is to say of a look; None where it has said so in this hour."""
    known = set(db.session.scalars(select(Look.thing).filter_by(**key)))
    if thing in known:
        return None
    return thing if len(known) < THINGS_MAX else MORE
