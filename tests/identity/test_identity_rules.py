"""Names, check digits and what belongs together."""

import csv
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.identity import rules
from marketplace.identity.states import Capacity, MemberRole, OrganizationKind
from marketplace.kit.errors import Invalid
from tests.factories.identity import ApplicationDraftFactory, MemberDraftFactory, corporate_number

SAPPORO = "9000020011002"


def faults(**changes) -> dict[str, str]:
    """Which fields of an application are refused."""
    with pytest.raises(Invalid) as refusal:
        rules.checked_application(ApplicationDraftFactory(**changes))
    return {error["pointer"]: error["detail"] for error in refusal.value.errors}


def rows(path: Path, encoding: str) -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.shared_data
def test_every_real_corporate_number_has_the_right_check_digit(shared_data: Path) -> None:
    with (shared_data / "corporate_numbers_2000.csv").open(encoding="utf-8-sig", newline="") as file:
        real = list(csv.reader(file))
    assert len(real) == 2000
    assert all(rules.is_corporate_number(number) for number, _ in real)


@pytest.mark.shared_data
def test_one_wrong_digit_in_a_real_corporate_number_is_mostly_found(shared_data: Path) -> None:
    # Modulo 9 cannot tell 0 from 9; every other single slip must be found.
    with (shared_data / "corporate_numbers_2000.csv").open(encoding="utf-8-sig", newline="") as file:
        number = next(csv.reader(file))[0]
    for place, digit in enumerate(number):
        for slip in set("123456789" if digit in "09" else "0123456789") - {digit} - ({"0"} if place == 0 else set()):
            forged = number[:place] + slip + number[place + 1 :]
            assert rules.is_corporate_number(forged) == (digit in "09" and slip in "09"), forged


@pytest.mark.shared_data
def test_every_real_public_body_may_have_its_name(shared_data: Path) -> None:
    with (shared_data / "corporate_numbers_2000.csv").open(encoding="utf-8-sig", newline="") as file:
        names = [name for _, name in csv.reader(file)]
    assert not [name for name in names if rules.text_fault(rules.tidy(name))]


@pytest.mark.shared_data
def test_every_real_local_government_code_has_the_right_check_digit(shared_data: Path) -> None:
    real = rows(shared_data / "localgovjp_utf8bom_cc0.csv", "utf-8-sig")
    assert len(real) > 1900
    assert all(rules.is_government_code(row["lgcode"]) for row in real)


@pytest.mark.shared_data
def test_the_five_digits_of_the_older_list_complete_to_the_same_codes(shared_data: Path) -> None:
    current = {row["lgcode"] for row in rows(shared_data / "localgovjp_utf8bom_cc0.csv", "utf-8-sig")}
    older = [row["cid"].zfill(5) for row in rows(shared_data / "localgovjp_sjis_cc0.csv", "cp932")]
    completed = {code + str(rules.government_check_digit(code)) for code in older}
    assert len(completed & current) > 1880


@pytest.mark.parametrize("number", [SAPPORO, "5000020018678", corporate_number(1)])
def test_a_corporate_number_is_known_by_its_check_digit(number: str) -> None:
    assert rules.is_corporate_number(number)


@pytest.mark.parametrize(
    "number",
    [
        "",
        "9000020011003",
        "8000020011002",
        "900002001100",
        "90000200110022",
        "0000020011002",
        "９000020011002",
        "T" * 13,
    ],
)
def test_other_texts_are_no_corporate_numbers(number: str) -> None:
    assert not rules.is_corporate_number(number)


@given(st.integers(0, 10**12 - 1))
def test_there_is_exactly_one_check_digit_for_twelve_digits(n: int) -> None:
    base = f"{n:012d}"
    assert [digit for digit in range(10) if rules.is_corporate_number(f"{digit}{base}")] == [
        rules.corporate_check_digit(base)
    ]


@pytest.mark.parametrize("code", ["011002", "011011", "131016", "472018"])
def test_a_local_government_code_is_known_by_its_check_digit(code: str) -> None:
    assert rules.is_government_code(code)


@pytest.mark.parametrize("code", ["", "011003", "01100", "0110020", "０11002", "01100a"])
def test_other_texts_are_no_local_government_codes(code: str) -> None:
    assert not rules.is_government_code(code)


def test_an_application_is_tidied_before_it_is_kept() -> None:
    draft = rules.checked_application(
        ApplicationDraftFactory(
            name_ja="　㈱むすび\u3000 商店 ",
            name_en="  Ｍｕｓｕｂｉ   Shoten ",
            corporate_number="９０００020011002",
            kind=OrganizationKind.COMPANY,
        )
    )
    assert draft.name_ja == "(株)むすび 商店"
    assert draft.name_en == "Musubi Shoten"
    assert draft.corporate_number == SAPPORO


def test_an_empty_number_counts_as_none() -> None:
    assert rules.checked_application(ApplicationDraftFactory(corporate_number=" ")).corporate_number is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "must not be empty"),
        (" 　", "must not be empty"),
        ("あ" * 201, "must have at most 200 characters"),
        ("札幌\u202e市", "must not contain control, formatting or unassigned characters"),
        ("札幌\x00市", "must not contain control, formatting or unassigned characters"),
        ("札幌\ud800市", "must not contain control, formatting or unassigned characters"),
    ],
)
def test_a_name_that_people_cannot_read_is_refused(name: str, fault: str) -> None:
    assert faults(name_ja=name)["/name_ja"] == fault


def test_the_english_name_needs_latin_letters() -> None:
    assert faults(name_en="札幌市") == {"/name_en": "must be written in Latin letters"}


def test_all_faults_are_named_at_once() -> None:
    assert set(
        faults(name_ja="", name_en="", corporate_number="1", invoice_registration_number="1", capacities=frozenset())
    ) == {"/name_ja", "/name_en", "/corporate_number", "/invoice_registration_number", "/capacities"}


@given(st.text(max_size=300))
def test_tidying_is_final_and_what_passes_is_readable(text: str) -> None:
    tidied = rules.tidy(text)
    assert rules.tidy(tidied) == tidied
    if rules.text_fault(tidied) is None:
        assert tidied == tidied.strip()
        assert not any(unicodedata.category(character) == "Cc" for character in tidied)


def test_an_auditor_takes_no_part_in_trades() -> None:
    both = frozenset({Capacity.AUDITOR, Capacity.BUYER})
    assert faults(capacities=both) == {"/capacities": "an auditor must not take part in the trades it audits"}


def test_a_company_invoices_under_its_own_corporate_number() -> None:
    assert rules.checked_application(
        ApplicationDraftFactory(corporate_number=SAPPORO, invoice_registration_number=f"t{SAPPORO}".upper())
    )
    assert faults(corporate_number=SAPPORO, invoice_registration_number=f"T{corporate_number(5)}") == {
        "/invoice_registration_number": "must be T and the organization's own corporate number"
    }


def test_the_check_digit_of_an_invoice_number_is_asked_of_every_corporation() -> None:
    assert "/invoice_registration_number" in faults(corporate_number=None, invoice_registration_number="T1000020011002")


def test_a_city_may_invoice_under_the_number_of_a_special_account() -> None:
    assert rules.checked_application(
        ApplicationDraftFactory(
            kind=OrganizationKind.MUNICIPALITY,
            corporate_number=SAPPORO,
            local_government_code="011002",
            invoice_registration_number=f"T{corporate_number(800020000001)}",
        )
    )


def test_a_sole_proprietor_needs_only_the_form() -> None:
    sole = {"kind": OrganizationKind.OTHER, "corporate_number": None}
    assert rules.checked_application(ApplicationDraftFactory(**sole, invoice_registration_number="T1234567890123"))
    for wrong in ("1234567890123", "T123456789012", "T12345678901234", "t1234567890123", "T１"):
        assert faults(**sole, invoice_registration_number=wrong) == {
            "/invoice_registration_number": "must be T and 13 digits"
        }


def test_a_municipality_names_its_code() -> None:
    city = {"kind": OrganizationKind.MUNICIPALITY, "corporate_number": SAPPORO}
    assert rules.checked_application(ApplicationDraftFactory(**city, local_government_code="011002"))
    assert faults(**city) == {"/local_government_code": "is required of a municipality"}
    assert faults(**city, local_government_code="011003") == {
        "/local_government_code": "must be 6 digits of which the last is the check digit"
    }


def test_a_prefecture_may_name_its_code_and_a_company_may_not() -> None:
    assert rules.checked_application(
        ApplicationDraftFactory(kind=OrganizationKind.PUBLIC_BODY, local_government_code="130001")
    )
    assert faults(local_government_code="130001") == {
        "/local_government_code": "belongs to municipalities and public bodies alone"
    }


def test_a_member_needs_a_name_but_no_address() -> None:
    assert rules.checked_member(rules.MemberDraft(" 山田　太郎 ", MemberRole.OWNER)).name == "山田 太郎"
    assert rules.checked_member(MemberDraftFactory(email="ｔａｒｏ@example.jp")).email == "taro@example.jp"


@pytest.mark.parametrize(
    "email", ["taro", "taro@", "@example.jp", "a b@example.jp", "taro@example", "x" * 250 + "@e.jp"]
)
def test_a_broken_address_is_refused(email: str) -> None:
    with pytest.raises(Invalid) as refusal:
        rules.checked_member(MemberDraftFactory(email=email))
    assert refusal.value.errors == [{"pointer": "/email", "detail": "must be an e-mail address, or absent"}]
