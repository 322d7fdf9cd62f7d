"""Every deed that the record knows, by domain. Each verb is documented in docs/audit-verbs.md."""

from enum import StrEnum


class Verb(StrEnum):
    """What was done; ``domain.thing.past_participle``."""

    # identity
    ORGANIZATION_APPLIED = "identity.organization.applied"
    ORGANIZATION_FOUNDED = "identity.organization.founded"
    ORGANIZATION_VERIFIED = "identity.organization.verified"
    ORGANIZATION_SUSPENDED = "identity.organization.suspended"
    REGISTRATION_RECORDED = "identity.registration.recorded"
    MEMBER_ADDED = "identity.member.added"
    MEMBER_REMOVED = "identity.member.removed"
    CLIENT_REGISTERED = "identity.client.registered"
    CLIENT_SUSPENDED = "identity.client.suspended"
    CLIENT_SECRET_ROTATED = "identity.client.secret_rotated"  # noqa: S105 - a verb, not a secret
    TOKEN_REVOKED = "identity.token.revoked"  # noqa: S105 - a verb, not a secret
    # catalog
    DATASET_REGISTERED = "catalog.dataset.registered"
    DATASET_REVISED = "catalog.dataset.revised"
    DATASET_WITHDRAWN = "catalog.dataset.withdrawn"
    DATASET_IMPORTED = "catalog.dataset.imported"
    RELEASE_OPENED = "catalog.release.opened"
    RELEASE_PUBLISHED = "catalog.release.published"
    RELEASE_WITHDRAWN = "catalog.release.withdrawn"
    FILE_RECEIVED = "catalog.file.received"
    FILE_PROFILED = "catalog.file.profiled"
    # licensing
    TERMS_WRITTEN = "licensing.terms.written"
    TERMS_ACCEPTED = "licensing.terms.accepted"
    OFFER_MADE = "licensing.offer.made"
    OFFER_SUPERSEDED = "licensing.offer.superseded"
    OFFER_WITHDRAWN = "licensing.offer.withdrawn"
    # billing
    ORDER_PLACED = "billing.order.placed"
    ORDER_CREDITED = "billing.order.credited"
    ORDER_PAID = "billing.order.paid"
    ORDER_FAILED = "billing.order.failed"
    ORDER_EXPIRED = "billing.order.expired"
    ORDER_FULFILLED = "billing.order.fulfilled"
    PAYMENT_OPENED = "billing.payment.opened"
    PAYMENT_CAPTURED = "billing.payment.captured"
    PAYMENT_HELD = "billing.payment.held"
    PAYMENT_FAILED = "billing.payment.failed"
    PAYMENT_EXPIRED = "billing.payment.expired"
    PAYMENT_UNAPPLIED = "billing.payment.unapplied"
    EVENT_PARKED = "billing.event.parked"
    INVOICE_ISSUED = "billing.invoice.issued"
    INVOICE_PAID = "billing.invoice.paid"
    INVOICE_PAID_IN_PART = "billing.invoice.paid_in_part"
    INVOICE_CREDITED = "billing.invoice.credited"
    INVOICE_OVERDUE = "billing.invoice.overdue"
    CREDIT_LIMITED = "billing.credit.limited"
    BANK_ACCOUNT_ASSIGNED = "billing.bank_account.assigned"
    BANK_LINE_RECEIVED = "billing.bank_line.received"
    BANK_LINE_ASSIGNED = "billing.bank_line.assigned"
    BANK_LINE_RETURNED = "billing.bank_line.returned"
    UNAPPLIED_APPLIED = "billing.unapplied.applied"
    DOCUMENT_ISSUED = "billing.document.issued"
    ROUNDING_CHOSEN = "billing.rounding.chosen"
    LEDGER_POSTED = "billing.ledger.posted"
    # access
    GRANT_ISSUED = "access.grant.issued"
    GRANT_EXTENDED = "access.grant.extended"
    GRANT_REVOKED = "access.grant.revoked"
    # metering
    DELIVERY_OPENED = "metering.delivery.opened"
    DELIVERY_CLOSED = "metering.delivery.closed"
    USAGE_SETTLED = "metering.usage.settled"
    # audit
    RECORD_SEARCHED = "audit.record.searched"
    RECORD_EXPORTED = "audit.record.exported"
