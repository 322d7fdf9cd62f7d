"""Issuing, extending, suspending and revoking grants."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects import postgresql

from marketplace.access import copies, policed, queries
from marketplace.access.errors import RevocationNotYours
from marketplace.access.models import Grant, GrantRelease, GrantSuspension
from marketplace.access.rules import GrantDraft, checked_reason, expiry, may_revoke
from marketplace.access.states import Cause, GrantState
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import queries as catalog
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.licensing.states import ReleaseScope

RELEASES_IN_AN_ENTRY = 1000
"""So many ids fit into one entry of the record."""
# The row that comes back is the truth; SQLAlchemy need not work out which objects the update touched.
_AS_RETURNED = {"populate_existing": True, "synchronize_session": False}
_ISSUE = postgresql.insert(Grant).on_conflict_do_nothing(index_elements=["order_id"]).returning(Grant)
_EXTEND = text("""
INSERT INTO access_grant_release (grant_id, release_id)
SELECT id, :release_id FROM access_grant
 WHERE dataset_id = :dataset_id AND release_scope = 'all' AND state <> 'revoked'
   AND (expires_at IS NULL OR expires_at > :now)
ON CONFLICT DO NOTHING
RETURNING grant_id
""")

_HOLD = text("SELECT 1 FROM dataset WHERE id = ANY(CAST(:dataset_ids AS text[])) ORDER BY id FOR UPDATE")
_SHARE = text("""
SELECT 1 FROM dataset WHERE id = (SELECT dataset_id FROM access_grant WHERE id = :grant_id) FOR KEY SHARE
""")
# Whoever issues shares it, whatever the dataset: see hold_issuing.
_LOCK = 0x6772616E74  # "grant"
_HOLD_ALL, _SHARE_ALL = (
    text(f"SELECT pg_advisory_xact_lock{how}(:lock)").bindparams(lock=_LOCK) for how in ("", "_shared")
)


def issue(actor: Actor, draft: GrantDraft) -> Grant:
    """Issue the grant of an order, once: a second call for the same order returns the first grant."""
    db.session.execute(_SHARE_ALL)
    starts_at = clock.now()
    expires_at = expiry(starts_at, draft.duration_days, draft.last_day)
    columns = _columns(draft) | {"starts_at": starts_at, "expires_at": expires_at}
    issued = db.session.scalars(_ISSUE, columns).one_or_none()
    if issued is None:
        return db.session.scalars(select(Grant).where(Grant.order_id == draft.order_id)).one()
    release_ids = _open_releases(issued.id, draft)
    copies.order([issued.id])
    policed.order([issued.id])
    _tell_issued(actor, draft, issued, release_ids)
    return issued


def _columns(draft: GrantDraft) -> dict[str, Any]:
    return {
        "id": new_id("grt"),
        "order_id": draft.order_id,
        "organization_id": draft.organization_id,
        "provider_organization_id": draft.provider_organization_id,
        "offer_id": draft.offer_id,
        "dataset_id": draft.dataset_id,
        "acceptance_id": draft.acceptance_id,
        "terms_sha256": draft.terms_sha256,
        "policy_sha256": policed.policy_of(draft.terms_sha256),
        "release_scope": str(draft.release_scope),
        "state": GrantState.ACTIVE.value,
    }


def _open_releases(grant_id: str, draft: GrantDraft) -> list[str]:
    release_ids = set(draft.release_ids)
    if draft.release_scope == ReleaseScope.ALL:
        # Read after the grant's row, whose foreign key has locked the dataset: see extend_to_release.
        release_ids |= set(catalog.published_release_ids(draft.dataset_id))
    rows = [{"grant_id": grant_id, "release_id": release_id} for release_id in sorted(release_ids)]
    if rows:
        db.session.connection().execute(insert(GrantRelease), rows)
    return sorted(release_ids)


def _tell_issued(actor: Actor, draft: GrantDraft, issued: Grant, release_ids: list[str]) -> None:
    """Record the grant and what it opens; a dataset may have more releases than one entry can name."""
    about: dict[str, Any] = {
        "subject": issued.id,
        "counterparty": draft.provider_organization_id,
        "dataset": draft.dataset_id,
    }
    facts = {
        "order_id": draft.order_id,
        "offer_id": draft.offer_id,
        "organization_id": draft.organization_id,
        "terms_sha256": draft.terms_sha256,
        "release_scope": str(draft.release_scope),
        "release_ids": release_ids[:RELEASES_IN_AN_ENTRY],
        "duration_days": draft.duration_days,
        "expires_at": _end(issued),
    }
    audit.record(actor, Verb.GRANT_ISSUED, **about, facts=facts)
    for at in range(RELEASES_IN_AN_ENTRY, len(release_ids), RELEASES_IN_AN_ENTRY):
        more = {"order_id": draft.order_id, "release_ids": release_ids[at : at + RELEASES_IN_AN_ENTRY]}
        audit.record(actor, Verb.GRANT_OPENED, **about, facts=more)


def _end(grant: Grant) -> str | None:
    return None if grant.expires_at is None else clock.text(grant.expires_at)


def extend_to_release(dataset_id: str, release_id: str, actor: Actor = SYSTEM) -> int:
    """Open a newly published release to every live grant of scope ``all``; return how many it reached.

    To be called in the transaction that publishes. The lock makes it wait for grants being issued
    (their foreign key shares it), and makes them wait and then see this release as published: a grant
    issued at the same moment misses nothing.
    """
    db.session.execute(_SHARE_ALL)
    hold_issuing([dataset_id])
    facts = {"dataset_id": dataset_id, "release_id": release_id, "now": clock.now()}
    grant_ids = db.session.scalars(_EXTEND, facts).all()
    if grant_ids:
        copies.order(grant_ids)
        policed.order(grant_ids)
        facts = {"release_id": release_id, "grants": len(grant_ids)}
        audit.record(actor, Verb.GRANT_EXTENDED, subject=release_id, dataset=dataset_id, facts=facts)
    return len(grant_ids)


def hold_issuing(dataset_ids: Sequence[str]) -> None:
    """Let no grant of these datasets, or of any where none is named, be issued until the transaction ends.

    Where none is named no dataset is locked: that would hold up whatever else is done with them.
    """
    if dataset_ids:
        db.session.execute(_HOLD, {"dataset_ids": list(dataset_ids)})
    else:
        db.session.execute(_HOLD_ALL)


def renew(grant_id: str, last_day: date, actor: Actor = SYSTEM) -> bool:
    """Extend a grant to the end of a day in Japan; False where it is revoked or lasts at least as long.

    A grant that has run out meanwhile is worth something again; one without end keeps none.
    """
    _await_dataset(grant_id)
    until = expiry(clock.now(), None, last_day)
    reached = (Grant.state != GrantState.REVOKED, Grant.expires_at < until)
    statement = update(Grant).where(Grant.id == grant_id, *reached).values(expires_at=until).returning(Grant)
    grant = db.session.scalars(statement, execution_options=_AS_RETURNED).one_or_none()
    if grant is None:
        return False
    audit.record(
        actor,
        Verb.GRANT_RENEWED,
        subject=grant.id,
        counterparty=grant.provider_organization_id,
        dataset=grant.dataset_id,
        facts={"last_day": last_day.isoformat(), "expires_at": _end(grant)},
    )
    return True


def revoke(actor: Actor, grant_id: str, reason: str) -> Grant:
    """Revoke a grant for a reason its owner can read; the next request is refused, and what runs is broken off.

    Revoking a revoked grant changes nothing. Raises NotFound to those who may not know of the grant,
    RevocationNotYours to its buyer and to auditors, ReasonMissing.
    """
    grant = queries.get_grant(actor, grant_id)
    if not may_revoke(actor, grant):
        raise RevocationNotYours
    return _revoke(actor, grant, checked_reason(reason), revoked_for=None)


def revoke_for(actor: Actor, grant_id: str, reason: str, ref: str) -> Grant:
    """Revoke a grant because its money went back, named by the refund or dispute; ``reinstate`` can undo that."""
    return _revoke(actor, queries.require_grant(grant_id), checked_reason(reason), revoked_for=ref)


def reinstate(actor: Actor, grant_id: str, ref: str) -> bool:
    """Undo the revocation that ``ref`` brought, since its money stayed after all; True if there was one.

    A grant that anything else revoked stays revoked, and one that still has a cause to rest stays suspended.
    """
    _await_dataset(grant_id)
    grant = _lock(grant_id)
    if grant.state != GrantState.REVOKED or grant.revoked_for != ref:
        return False
    grant.state = (GrantState.SUSPENDED if _is_suspended(grant_id) else GrantState.ACTIVE).value
    grant.revoked_at = grant.revoked_reason = grant.revoked_for = None
    db.session.flush()
    _record(actor, Verb.GRANT_REINSTATED, grant, {"ref": ref})
    return True


def suspend(actor: Actor, grant_id: str, cause: Cause, ref: str) -> bool:
    """Let a grant rest for a cause named by ``ref``; True if that cause was not standing. A cause lifted stays lifted.

    The next request under the grant is refused until every cause is lifted, and what runs is broken off.
    """
    grant = _lock(grant_id)
    row = {"grant_id": grant_id, "cause": cause.value, "ref": ref, "since": clock.now()}
    statement = postgresql.insert(GrantSuspension).values(row).on_conflict_do_nothing()
    if db.session.execute(statement.returning(GrantSuspension.ref)).one_or_none() is None:
        return False
    if grant.state == GrantState.ACTIVE:
        grant.state = GrantState.SUSPENDED.value
    db.session.flush()
    _record(actor, Verb.GRANT_SUSPENDED, grant, {"cause": cause.value, "ref": ref})
    return True


def lift(actor: Actor, grant_id: str, cause: Cause, ref: str) -> bool:
    """Lift one cause, and open the grant again if it was the last; True if the cause was standing."""
    grant = _lock(grant_id)
    standing = (GrantSuspension.grant_id == grant_id, GrantSuspension.cause == cause.value, GrantSuspension.ref == ref)
    statement = update(GrantSuspension).where(*standing, GrantSuspension.lifted_at.is_(None))
    lifted = db.session.execute(statement.values(lifted_at=clock.now()).returning(GrantSuspension.ref)).one_or_none()
    if lifted is None:
        return False
    if grant.state == GrantState.SUSPENDED and not _is_suspended(grant_id):
        grant.state = GrantState.ACTIVE.value
    db.session.flush()
    _record(actor, Verb.GRANT_RESUMED, grant, {"cause": cause.value, "ref": ref})
    return True


def _await_dataset(grant_id: str) -> None:
    """Share the dataset as issuing a grant does, and before the grant's own row: see ``hold_issuing``."""
    db.session.execute(_SHARE_ALL)
    db.session.execute(_SHARE, {"grant_id": grant_id})


def _lock(grant_id: str) -> Grant:
    query = select(Grant).where(Grant.id == grant_id).with_for_update()
    return db.session.scalars(query, execution_options={"populate_existing": True}).one()


def _is_suspended(grant_id: str) -> bool:
    standing = select(GrantSuspension.ref).where(
        GrantSuspension.grant_id == grant_id, GrantSuspension.lifted_at.is_(None)
    )
    return db.session.scalar(standing.limit(1)) is not None


def _revoke(actor: Actor, grant: Grant, reason: str, *, revoked_for: str | None) -> Grant:
    values = {"revoked_at": clock.now(), "revoked_reason": reason, "revoked_for": revoked_for}
    revoked = db.session.scalar(
        update(Grant)
        .where(Grant.id == grant.id, Grant.state != GrantState.REVOKED)
        .values(state=GrantState.REVOKED.value, **values)
        .returning(Grant.id)
    )
    db.session.refresh(grant)
    if revoked is not None:
        _record_revocation(actor, grant, reason)
    return grant


def _record(actor: Actor, verb: Verb, grant: Grant, facts: dict[str, str]) -> None:
    audit.record(
        actor,
        verb,
        subject=grant.id,
        counterparty=grant.organization_id,
        dataset=grant.dataset_id,
        facts=facts | {"order_id": grant.order_id},
    )


def _record_revocation(actor: Actor, grant: Grant, reason: str) -> None:
    # People write names into reasons: the record keeps the hash, the grant keeps the words.
    _record(actor, Verb.GRANT_REVOKED, grant, {"reason_sha256": sha256_hex(reason.encode())})
