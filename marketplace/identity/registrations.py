"""When an organization's invoice registration number is valid: recorded by operators from the tax agency's register."""

from datetime import date

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import queries, rules
from marketplace.identity.actors import Actor
from marketplace.identity.models import InvoiceRegistration, Organization
from marketplace.identity.states import OrganizationKind
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound


def record_registration(
    actor: Actor, organization_id: str, number: str, valid_from: date, valid_to: date | None = None
) -> InvoiceRegistration:
    """Record from which day to which, both included, a number is valid; None means until further notice.

    A record with the same first day replaces the one before, which is how a registration ends. From the
    first record on, the number declared at application counts no more. Raises NotFound, or Invalid for a
    wrong number, days in the wrong order, or days that another record covers.
    """
    # Two records at once would each miss the other's days.
    lock = select(Organization).where(Organization.id == organization_id).with_for_update()
    organization = db.session.scalar(lock)
    if organization is None:
        raise NotFound
    rules.refuse_faults(_faults(organization, number, valid_from, valid_to))
    values = {"number": number, "valid_to": valid_to, "recorded_at": clock.now()}
    put = insert(InvoiceRegistration).values(organization_id=organization_id, valid_from=valid_from, **values)
    statement = put.on_conflict_do_update(index_elements=["organization_id", "valid_from"], set_=values)
    row = db.session.scalars(
        statement.returning(InvoiceRegistration), execution_options={"populate_existing": True}
    ).one()
    facts = {"number": number, "valid_from": valid_from.isoformat(), "valid_to": valid_to and valid_to.isoformat()}
    audit.record(actor, Verb.REGISTRATION_RECORDED, subject=organization_id, counterparty=organization_id, facts=facts)
    return row


def _faults(organization: Organization, number: str, first: date, last: date | None) -> dict[str, str | None]:
    kind = OrganizationKind(organization.kind)
    others = [row for row in queries.list_registrations(organization.id) if row.valid_from != first]
    end = last or date.max
    overlaps = any(row.valid_from <= end and first <= (row.valid_to or date.max) for row in others)
    return {
        "number": rules.invoice_number_fault(number, kind, organization.corporate_number),
        "valid_from": "must not be before 2023-10-01" if first < rules.QUALIFIED_SINCE else None,
        "valid_to": _end_fault(first, end, overlaps=overlaps),
    }


def _end_fault(first: date, end: date, *, overlaps: bool) -> str | None:
    if end < first:
        return "must not be before valid_from"
    return "the days must not be covered by another record" if overlaps else None
