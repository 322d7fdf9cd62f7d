"""Reading grants, and answering the one question of every download: what may be fetched now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Exists, Row, TextualSelect, bindparam, exists, func, or_, select, text

from marketplace.access.errors import (
    CopyInTheMaking,
    GrantExpired,
    GrantRevoked,
    GrantSuspended,
    PartNotPossible,
)
from marketplace.access.models import Grant, GrantRelease, GrantSuspension
from marketplace.access.rules import Entitlement, is_open_to, is_visible, standing
from marketplace.access.states import Cause, Standing
from marketplace.billing.models import RatedLine
from marketplace.identity import admission
from marketplace.identity.actors import Actor
from marketplace.kit import clock, pages
from marketplace.kit.db import UtcDateTime, db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import Page
from marketplace.kit.texts import is_storable
from marketplace.licensing.models import Offer

# One row when the caller owns the grant, with the newest file of that name among the releases bought.
# The state of release and dataset in the catalogue is not asked: what was sold stays sold. Where the terms say that
# the grant has a copy of its own, that is what it opens; of what its provider holds there is none. Under a data policy
# it opens the part that was made and nothing else: where there is none, no hash of the file comes out of here.
_CONTENT = """
       f.origin_url, g.policy_sha256 IS NOT NULL AS is_part, p.rows, p.problem, coalesce(p.media_type, f.media_type)
         AS media_type,
       CASE WHEN g.policy_sha256 IS NULL THEN coalesce(c.sha256, f.sha256) ELSE p.sha256 END AS sha256,
       CASE WHEN g.policy_sha256 IS NULL THEN coalesce(c.size_bytes, f.size_bytes) ELSE p.size_bytes END AS size_bytes,
       (c.grant_id IS NOT NULL AND c.sha256 IS NULL) OR (g.policy_sha256 IS NOT NULL AND p.sha256 IS NULL)
         AS is_in_the_making
"""
_COPIES = """
  LEFT JOIN traced_copy c ON c.grant_id = g.id AND c.source_sha256 = f.sha256 AND f.origin_url IS NULL
  LEFT JOIN policed_copy p ON p.grant_id = g.id AND p.source_sha256 = f.sha256 AND g.policy_sha256 IS NOT NULL
"""
_AUTHORIZE_SQL = f"""
SELECT g.state, g.expires_at, g.organization_id, g.provider_organization_id, g.dataset_id,
       d.trust_required, d.assurance_required,
       f.release_id, f.id AS file_id, f.name AS file_name, f.published_at, {_CONTENT}
  FROM access_grant g
  JOIN dataset d ON d.id = g.dataset_id
  LEFT JOIN LATERAL (
       SELECT file.*, release.published_at
         FROM access_grant_release r
         JOIN release ON release.id = r.release_id
         JOIN file ON file.release_id = release.id
        WHERE r.grant_id = g.id AND file.name = :file_name
          AND (CAST(:release_id AS text) IS NULL OR release.id = :release_id)
        ORDER BY release.published_at DESC, release.id DESC
        LIMIT 1) f ON true
  {_COPIES}
 WHERE g.id = :grant_id AND g.organization_id = :organization_id
"""  # noqa: S608 - made of constants
_AUTHORIZE = text(_AUTHORIZE_SQL).columns(expires_at=UtcDateTime, published_at=UtcDateTime)
# The same with the newest file of whatever name, the first by its name.
_AUTHORIZE_ANY = text(
    _AUTHORIZE_SQL.replace("AND file.name = :file_name", "").replace("release.id DESC", "release.id DESC, file.name")
).columns(expires_at=UtcDateTime, published_at=UtcDateTime)

_ENTITLED_FILES = text(f"""
SELECT g.organization_id, g.provider_organization_id, g.dataset_id,
       f.release_id, f.id AS file_id, f.name AS file_name, release.published_at, {_CONTENT}
  FROM access_grant g
  JOIN access_grant_release r ON r.grant_id = g.id
  JOIN release ON release.id = r.release_id
  JOIN file f ON f.release_id = release.id
  {_COPIES}
 WHERE g.id = :grant_id
 ORDER BY release.published_at DESC, release.id DESC, f.name
""").columns(published_at=UtcDateTime)  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class GrantFilter:
    """Which grants to list; None leaves a field open."""

    organization_id: str | None = None
    provider_organization_id: str | None = None
    dataset_id: str | None = None
    state: str | None = None


def authorize(actor: Actor, grant_id: str, file_name: str, release_id: str | None = None) -> Entitlement:
    """Return what the actor may fetch under that name, in one query.

    Where several releases of the grant hold the name, the newest is meant unless ``release_id`` names one.
    Raises NotFound for anything that is not the actor's own, GrantRevoked, GrantSuspended or GrantExpired for what is,
    what ``admission.require`` raises, where the dataset asks more of its buyers now, CopyInTheMaking and
    PartNotPossible.
    """
    row = _standing_row(actor, grant_id, _AUTHORIZE, file_name, release_id)
    if row.file_id is None:
        raise NotFound(f"This grant opens no file of the name {file_name!r}.")
    return _entitlement(grant_id, row)


def authorize_upstream(actor: Actor, grant_id: str) -> Entitlement:
    """Return what stands for the answers of the dataset's upstream: the newest file of the grant, to be replaced.

    Who delivers puts name, size and hash of the answer in place of the file's; release and file remain what metering
    and the record refer to. No copy is waited for. Raises what ``authorize`` raises; NotFound without any release, and
    PartNotPossible under a data policy, since nobody knows the columns of an answer.
    """
    row = _standing_row(actor, grant_id, _AUTHORIZE_ANY, None, None)
    if row.file_id is None:
        raise NotFound("This grant opens no release yet.")
    if row.is_part:
        raise PartNotPossible("The dataset's API gives no part of what it answers.")
    return _entitlement(grant_id, row, copied=False)


def _standing_row(
    actor: Actor, grant_id: str, statement: TextualSelect, file_name: str | None, release_id: str | None
) -> Row[Any]:
    """Return the row of a grant that is the actor's own and good now, in one query."""
    if not is_storable(grant_id, file_name, release_id) or not is_open_to(actor, grant_id):
        raise NotFound
    asked = {"grant_id": grant_id, "organization_id": actor.organization_id, "release_id": release_id}
    named = {} if file_name is None else {"file_name": file_name}
    row = db.session.connection().execute(statement, asked | named).one_or_none()
    if row is None:
        raise NotFound
    _check_standing(row)
    admission.require(actor, row.trust_required, row.assurance_required)
    return row


def _check_standing(row: Row[Any]) -> None:
    now = standing(row.state, row.expires_at, clock.now())
    if now is Standing.REVOKED:
        raise GrantRevoked
    if now is Standing.SUSPENDED:
        raise GrantSuspended
    if now is Standing.EXPIRED:
        raise GrantExpired(f"The grant ran out at {clock.text(row.expires_at)}.")


def _last_month_closed() -> Exists:
    # An end at midnight belongs to the day before. Who never ends has no such month, and NULL equals nothing.
    last = func.least(Grant.expires_at, Grant.revoked_at) - timedelta(microseconds=1)
    month = func.to_char(func.timezone(clock.JST.key, last), "YYYY-MM")
    return exists().where(RatedLine.grant_id == Grant.id, RatedLine.period == month, RatedLine.closed)


def _entitlement(grant_id: str, row: Row[Any], *, copied: bool = True) -> Entitlement:
    if row.is_part and (reason := _not_possible(row)):
        raise PartNotPossible(reason)
    if copied and row.is_in_the_making:
        raise CopyInTheMaking
    return Entitlement(
        grant_id,
        row.organization_id,
        row.provider_organization_id,
        row.dataset_id,
        row.release_id,
        row.file_id,
        row.file_name,
        row.media_type,
        row.sha256,
        row.size_bytes,
        row.published_at,
        rows=row.rows,
        origin_url=row.origin_url,
        is_part=row.is_part,
    )


def _not_possible(row: Row[Any]) -> str | None:
    held = "Its provider has the file, and no part of it can be made here."
    return held if row.origin_url is not None else row.problem


def get_grant(actor: Actor, grant_id: str) -> Grant:
    """Return the grant to its parties and to overseers; NotFound for everyone else."""
    grant = db.session.get(Grant, grant_id) if is_storable(grant_id) else None
    if grant is None or not is_visible(actor, grant):
        raise NotFound
    return grant


def find_grant(grant_id: str) -> Grant | None:
    """Return a grant whoever asks, if there is one."""
    return db.session.get(Grant, grant_id)


def list_resting(cause: Cause, ref: str) -> Sequence[str]:
    """Return the ids of the grants that rest for a cause named by ``ref``."""
    standing = (GrantSuspension.cause == cause.value, GrantSuspension.ref == ref, GrantSuspension.lifted_at.is_(None))
    return db.session.scalars(
        select(GrantSuspension.grant_id).where(*standing).order_by(GrantSuspension.grant_id)
    ).all()


def require_grant(grant_id: str) -> Grant:
    """Return a grant whoever asks, for the stories of the exchange itself; raises NotFound."""
    grant = find_grant(grant_id)
    if grant is None:
        raise NotFound
    return grant


def lock_grant(grant_id: str) -> Grant:
    """Return a grant as committed last, and hold its row until the transaction ends; raises NotFound."""
    query = select(Grant).where(Grant.id == grant_id).with_for_update()
    grant = db.session.scalar(query, execution_options={"populate_existing": True})
    if grant is None:
        raise NotFound
    return grant


def find_grant_of_order(order_id: str) -> Grant | None:
    """Return the grant that an order gave, if it has."""
    return db.session.scalar(select(Grant).where(Grant.order_id == order_id))


def list_of_orders(order_ids: Collection[str]) -> Sequence[Grant]:
    """Return the grants that some orders gave, oldest first."""
    return db.session.scalars(select(Grant).where(Grant.order_id.in_(order_ids)).order_by(Grant.id)).all()


def list_orders_of(grant_ids: Collection[str]) -> set[str]:
    """Return the orders that gave some grants."""
    return set(db.session.scalars(select(Grant.order_id).where(Grant.id.in_(grant_ids))))


def list_grants_charged_unused(before: datetime) -> Sequence[Grant]:
    """Return the grants begun before an instant whose price may charge a month in which nothing was used.

    Without those of which the month they ended in is closed: months are closed in their order, so it was the last.
    """
    price = Offer.price
    charged = or_(price["minimum_yen"].as_integer() > 0, price["flat_fee_at_zero"].as_boolean())
    query = select(Grant).join(Offer, Offer.id == Grant.offer_id).where(Grant.starts_at < before, charged)
    return db.session.scalars(query.where(~_last_month_closed()).order_by(Grant.id)).all()


def find_grant_revoked_for(ref: str) -> Grant | None:
    """Return the grant that a refund or dispute revoked, if it did."""
    return db.session.scalar(select(Grant).where(Grant.revoked_for == ref))


def list_grants(
    actor: Actor, wanted: GrantFilter | None = None, cursor: str | None = None, size: int = pages.SIZE_DEFAULT
) -> Page[Grant]:
    """List the grants to which the actor is a party, newest first; all of them for overseers."""
    wanted = wanted or GrantFilter()
    query = select(Grant).order_by(Grant.id.desc()).limit(size + 1)
    if not actor.oversees:
        me = actor.organization_id
        query = query.where(or_(Grant.organization_id == me, Grant.provider_organization_id == me))
    if actor.grant_ids is not None:
        query = query.where(Grant.id.in_(actor.grant_ids))
    for column in (Grant.organization_id, Grant.provider_organization_id, Grant.dataset_id, Grant.state):
        if (value := getattr(wanted, column.key)) is not None:
            query = query.where(column == value)
    if key := pages.decode_cursor(cursor, 1):
        query = query.where(Grant.id < bindparam("after", str(key[0])))
    return pages.cut(db.session.scalars(query).all(), size, lambda grant: [grant.id])


def list_release_ids(grant_id: str) -> Sequence[str]:
    """Return the ids of the releases that a grant opens, oldest first."""
    query = select(GrantRelease.release_id).where(GrantRelease.grant_id == grant_id)
    return db.session.scalars(query.order_by(GrantRelease.release_id)).all()


def list_entitled_files(actor: Actor, grant_id: str) -> list[Entitlement]:
    """List the files that a grant opens, newest release first, to whoever may see the grant.

    Withdrawn releases are in it, though the catalogue hides them: the grant still opens them. Files of which the part
    that the terms give cannot be made are not. Raises CopyInTheMaking while the hash of one is not known yet.
    """
    grant = get_grant(actor, grant_id)
    rows = db.session.execute(_ENTITLED_FILES, {"grant_id": grant.id})
    return [_entitlement(grant.id, row) for row in rows if not (row.is_part and _not_possible(row))]
