"""Holding: what must not be deleted while somebody goes to law about it, and the jobs that ask for that from above."""

from collections.abc import Callable

from marketplace.audit import holds
from marketplace.audit.keeping_models import LegalHold
from marketplace.billing import queries as billing
from marketplace.billing.documents import queries as documents
from marketplace.catalog import queries as catalog
from marketplace.identity import held
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.kit import idempotency, jobs, mail
from marketplace.kit.errors import NotFound

_SUBJECTS: dict[str, Callable[[str], object]] = {
    "org": identity.get_organization,
    "ord": billing.require_order,
    "doc": documents.require,
    "ds": catalog.get_dataset,
}


@jobs.task("mail.forget", cron="37 * * * *")
def forget_letters() -> None:
    """Delete letters that are old enough, but to people of an organization under hold."""
    mail.forget(held.of_address(mail.Mail.recipient))


@jobs.task("idempotency.forget", cron="23 * * * *")
def forget_keys() -> None:
    """Delete idempotency keys that are old enough, but those of callers of an organization under hold, or for it."""
    idempotency.forget_old(held.of_caller(idempotency.IdempotencyRecord.client_id))


def place(actor: Actor, subject: str, reason: str) -> LegalHold:
    """Put a legal hold on an organization, order, document or dataset; raises NotFound where there is none."""
    look = _SUBJECTS.get(subject.partition("_")[0])
    if look is None:
        raise NotFound
    look(subject)
    return holds.place(actor, subject, reason)
