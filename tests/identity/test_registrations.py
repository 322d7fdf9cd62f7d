"""On which days which invoice registration number is valid."""

from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.audit.models import Entry
from marketplace.identity import queries
from marketplace.identity.actors import SYSTEM
from marketplace.identity.models import InvoiceRegistration
from marketplace.identity.registrations import record_registration
from marketplace.kit.errors import Invalid, NotFound
from tests.factories.identity import OrganizationFactory


def test_a_declared_number_counts_since_such_numbers_are(session: Session) -> None:
    city = OrganizationFactory(invoice_registration_number="T9000020011002")
    assert queries.registration_on(city.id, date(2023, 9, 30)) is None
    assert queries.registration_on(city.id, date(2023, 10, 1)) == "T9000020011002"
    assert queries.registration_on(OrganizationFactory(invoice_registration_number=None).id, date(2026, 1, 1)) is None


def test_a_recorded_history_replaces_what_was_declared(session: Session) -> None:
    shop = OrganizationFactory(invoice_registration_number="T9000020011002")
    number = f"T{shop.corporate_number}"
    record_registration(SYSTEM, shop.id, number, date(2024, 4, 1))
    assert queries.registration_on(shop.id, date(2024, 3, 31)) is None
    assert queries.registration_on(shop.id, date(2030, 1, 1)) == number
    record_registration(SYSTEM, shop.id, number, date(2024, 4, 1), date(2026, 6, 30))
    record_registration(SYSTEM, shop.id, number, date(2026, 9, 1))
    days = [date(2026, 6, 30), date(2026, 7, 1), date(2026, 8, 31), date(2026, 9, 1)]
    assert [queries.registration_on(shop.id, day) for day in days] == [number, None, None, number]
    assert len(session.scalars(select(Entry).where(Entry.verb == "identity.registration.recorded")).all()) == 3


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"number": "T123"}, "/number"),
        ({"number": "T1000020011002"}, "/number"),
        ({"valid_from": date(2023, 9, 30)}, "/valid_from"),
        ({"valid_to": date(2024, 12, 31)}, "/valid_to"),
        ({"valid_from": date(2024, 1, 1)}, "/valid_to"),
        ({"valid_from": date(2024, 1, 1), "valid_to": date(2024, 4, 1)}, "/valid_to"),
    ],
)
def test_wrong_numbers_and_overlapping_days_change_nothing(session: Session, change: dict, pointer: str) -> None:
    shop = OrganizationFactory()
    number = f"T{shop.corporate_number}"
    record_registration(SYSTEM, shop.id, number, date(2024, 4, 1), date(2024, 12, 31))
    wish = {"number": number, "valid_from": date(2025, 1, 1), "valid_to": None} | change
    with pytest.raises(Invalid) as refused:
        record_registration(SYSTEM, shop.id, **wish)
    assert pointer in [error["pointer"] for error in refused.value.errors]
    assert len(session.scalars(select(InvoiceRegistration)).all()) == 1


def test_nobody_has_no_registration(session: Session) -> None:
    with pytest.raises(NotFound):
        record_registration(SYSTEM, "org_none", "T9000020011002", date(2024, 1, 1))
    with pytest.raises(NotFound):
        queries.operator_organization()
