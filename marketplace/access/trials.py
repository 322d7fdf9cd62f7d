"""Trials: what may be tried of a dataset, and that each organization tries it once."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.access.errors import TriedAlready
from marketplace.access.trial_models import Trial, TrialPolicy
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import queries as catalog
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.texts import storable
from marketplace.licensing.models import Terms

DAYS_MAX = 366
BYTES_MAX = 2**53 - 1
TAKEN_SHOWN = 200


@dataclass(frozen=True, slots=True)
class TrialDraft:
    """What a provider lets each buyer try once."""

    terms_id: str
    duration_days: int
    quota_bytes: int


def check(draft: TrialDraft) -> None:
    """Raise Invalid, with a pointer for each fault, unless days and bytes are some."""
    faults = {
        "duration_days": None if 1 <= draft.duration_days <= DAYS_MAX else f"must be 1 to {DAYS_MAX} days",
        "quota_bytes": None if 1 <= draft.quota_bytes <= BYTES_MAX else "must be a count of bytes above zero",
    }
    errors = [{"pointer": f"/{name}", "detail": fault} for name, fault in faults.items() if fault]
    if errors:
        raise Invalid(errors=errors)


def find_policy(dataset_id: str) -> TrialPolicy | None:
    """Return what may be tried of a dataset, or None."""
    found = select(TrialPolicy).where(TrialPolicy.dataset_id == storable(dataset_id))
    return db.session.scalar(found.execution_options(populate_existing=True))


def find_taken(actor: Actor, dataset_id: str) -> Trial | None:
    """Return that the caller's organization has tried a dataset, or None."""
    mine = (Trial.dataset_id == storable(dataset_id), Trial.organization_id == actor.organization_id)
    return db.session.scalar(select(Trial).where(*mine).execution_options(populate_existing=True))


def list_taken(actor: Actor) -> Sequence[Trial]:
    """Return what the caller's organization tried last, newest first."""
    mine = select(Trial).where(Trial.organization_id == actor.organization_id)
    return db.session.scalars(mine.order_by(Trial.taken_at.desc(), Trial.dataset_id).limit(TAKEN_SHOWN)).all()


def lock_policy(dataset_id: str) -> TrialPolicy:
    """Return what may be tried of a dataset, which its provider changes only after us; raises NotFound."""
    found = select(TrialPolicy).where(TrialPolicy.dataset_id == storable(dataset_id)).with_for_update(read=True)
    policy = db.session.scalar(found.execution_options(populate_existing=True))
    if policy is None:
        raise NotFound
    return policy


def offer(actor: Actor, dataset_id: str, draft: TrialDraft, terms: Terms) -> TrialPolicy:
    """Let each buyer try a dataset of one's own once, in place of what was said before; raises NotFound or Invalid."""
    dataset = catalog.get_own_dataset(actor, dataset_id)
    check(draft)
    said = {
        "terms_id": terms.id,
        "terms_sha256": terms.sha256,
        "duration_days": draft.duration_days,
        "quota_bytes": draft.quota_bytes,
        "set_at": clock.now(),
    }
    first = insert(TrialPolicy).values(dataset_id=dataset.id, organization_id=dataset.organization_id, **said)
    db.session.execute(first.on_conflict_do_update(index_elements=["dataset_id"], set_=said))
    facts = {"sha256": terms.sha256, "duration_days": draft.duration_days, "quota_bytes": str(draft.quota_bytes)}
    audit.record(actor, Verb.TRIAL_OFFERED, subject=dataset.id, dataset=dataset.id, facts=facts)
    return lock_policy(dataset.id)


def end(actor: Actor, dataset_id: str) -> None:
    """Let nobody try a dataset any more; trials that began go on. Raises NotFound."""
    dataset = catalog.get_own_dataset(actor, dataset_id)
    gone = delete(TrialPolicy).where(TrialPolicy.dataset_id == dataset.id).returning(TrialPolicy.dataset_id)
    if db.session.scalar(gone) is None:
        raise NotFound
    audit.record(actor, Verb.TRIAL_ENDED, subject=dataset.id, dataset=dataset.id)


def begin(actor: Actor, policy: TrialPolicy) -> None:
    """Note that an organization tries a dataset now; of several who ask for it at once one goes on.

    Raises TriedAlready.
    """
    row = {"dataset_id": policy.dataset_id, "organization_id": actor.organization_id, "taken_at": clock.now()}
    begun = insert(Trial).values(row).on_conflict_do_nothing().returning(Trial.dataset_id)
    if db.session.scalar(begun) is None:
        tried = db.session.get(Trial, (policy.dataset_id, actor.organization_id), populate_existing=True)
        raise TriedAlready(order_id=tried.order_id if tried else None)


def note_order(actor: Actor, policy: TrialPolicy, order_id: str) -> None:
    """Note which order a trial came to."""
    mine = (Trial.dataset_id == policy.dataset_id, Trial.organization_id == actor.organization_id)
    db.session.execute(update(Trial).where(*mine).values(order_id=order_id))
    facts = {"duration_days": policy.duration_days, "quota_bytes": str(policy.quota_bytes)}
    seller, dataset = policy.organization_id, policy.dataset_id
    audit.record(actor, Verb.TRIAL_TAKEN, subject=order_id, counterparty=seller, dataset=dataset, facts=facts)
