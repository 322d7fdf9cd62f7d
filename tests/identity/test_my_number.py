"""Individual numbers (個人番号) are never taken in."""

import pytest
from sqlalchemy.orm import Session

from marketplace.identity import rules, service
from marketplace.identity.errors import MyNumberRefused
from marketplace.identity.models import Member, Organization
from tests.factories.identity import ApplicationDraftFactory, MemberDraftFactory, OrganizationFactory, actor_of

NUMBER = "123456789018"


def test_the_check_digit_is_that_of_the_ordinance() -> None:
    # Weights from the lowest of the eleven digits: 2 3 4 5 6 7 2 3 4 5 6. The first number is in many test sets.
    for number in (NUMBER, "023456789013", "000000000000"):
        assert rules.individual_check_digit(number[:11]) == int(number[11])


@pytest.mark.parametrize(
    "text", [NUMBER, "1234 5678 9018", "1234-5678-9018", "１２３４５６７８９０１８", "1234―5678―9018"]
)
def test_an_individual_number_is_known_however_it_is_grouped(text: str) -> None:
    assert rules.is_my_number(text)
    assert rules.holds_my_number(f"番号は{text}です")


@pytest.mark.parametrize("text", ["123456789017", "12345678901", "1234567890180", "", "7000012050002", "abc"])
def test_other_digits_are_none(text: str) -> None:
    assert not rules.is_my_number(text)
    assert not rules.holds_my_number(text)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name_ja", f"株式会社 {NUMBER}"),
        ("name_en", f"Data {NUMBER} K.K."),
        ("corporate_number", NUMBER),
        ("corporate_number", "1234-5678-9018"),
        ("invoice_registration_number", f"T{NUMBER}"),
        ("local_government_code", NUMBER),
    ],
)
def test_an_application_that_holds_one_is_refused_and_nothing_is_kept(session: Session, field: str, text: str) -> None:
    before = session.query(Organization).count()
    with pytest.raises(MyNumberRefused) as refused:
        service.apply(ApplicationDraftFactory(**{field: text}))
    assert [error["pointer"] for error in refused.value.errors] == [f"/{field}"]
    assert NUMBER not in str(vars(refused.value))
    assert session.query(Organization).count() == before


@pytest.mark.parametrize(("field", "text"), [("name", NUMBER), ("email", f"{NUMBER}@example.jp")])
def test_a_member_that_holds_one_is_refused_and_nothing_is_kept(session: Session, field: str, text: str) -> None:
    organization = OrganizationFactory()
    with pytest.raises(MyNumberRefused):
        service.add_member(actor_of(organization), organization.id, MemberDraftFactory(**{field: text}))
    assert session.query(Member).count() == 0
