"""Money paid on an invoice, in the two halves that stories take."""

from marketplace.billing import postings
from marketplace.billing.receivables import service
from marketplace.identity.actors import Actor


def paid_in(
    actor: Actor, invoice_id: str, amount_yen: int, source_ref: str, *, account: str = postings.CLEARING
) -> int:
    """Take money for an invoice and book it; returns how much of it the invoice was owed."""
    applied = service.take_money(actor, invoice_id, amount_yen, source_ref, account=account)
    service.book_money(actor, source_ref)
    return applied
