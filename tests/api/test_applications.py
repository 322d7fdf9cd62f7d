"""What waits for the operator, over the wire; who is trusted how far."""

import pytest

from tests.api.trade import Market, ok, refused, row_counts
from tests.factories.identity import corporate_number
from tests.identity.joining.steps import EMAIL, applicant, apply


def test_the_operator_sees_applications_with_what_the_checks_found(market: Market) -> None:
    number = corporate_number(51)
    waiting = applicant(corporate_number=number, invoice_registration_number=f"T{number}").organization
    apply(email="unchecked@musubi-shoten.example")
    [shown] = ok(market.operator.get("/v1/applications"))["items"]
    assert (shown["organization"]["id"], shown["organization"]["state"]) == (waiting.id, "applied")
    assert (shown["risk"], shown["grounds"], shown["approvals"]) == ("middle", ["not-looked-up"], 0)
    assert (shown["contact_email"], shown["contact_name"]) == (EMAIL, "佐藤 花子")
    found = {finding["registry"]: finding["outcome"] for finding in shown["findings"]}
    assert found == {"corporate_numbers": "off", "invoice_registrations": "off"}


def test_an_auditor_sees_the_application_and_not_the_person(market: Market) -> None:
    applicant()
    [shown] = ok(market.auditor.get("/v1/applications"))["items"]
    assert shown["risk"] == "middle"
    assert not {"contact_name", "contact_email"} & set(shown)
    refused(market.buyer.get("/v1/applications"), 403, "insufficient-scope")


def test_applications_come_page_by_page_until_they_are_decided(market: Market) -> None:
    made = [applicant(email=f"n{n}@musubi-shoten.example").organization.id for n in range(3)]
    first = ok(market.operator.get("/v1/applications", query_string={"size": 2}))
    rest = ok(market.operator.get("/v1/applications", query_string={"size": 2, "cursor": first["next_cursor"]}))
    listed = [one["organization"]["id"] for one in first["items"] + rest["items"]]
    assert (listed, rest["next_cursor"]) == (made[::-1], None)
    ok(market.operator.post(f"/v1/organizations/{made[0]}/verify"))
    ok(market.operator.post(f"/v1/organizations/{made[1]}/suspend", {"reason": "書類が足りない。"}))
    left = ok(market.operator.get("/v1/applications"))["items"]
    assert [one["organization"]["id"] for one in left] == [made[2]]


def test_the_registers_are_asked_again_for_what_waits_alone(market: Market) -> None:
    waiting = applicant(corporate_number=corporate_number(52)).organization.id
    assert market.operator.post(f"/v1/applications/{waiting}/look-up").status_code == 204
    ok(market.operator.post(f"/v1/organizations/{waiting}/verify"))
    before = row_counts()
    refused(market.operator.post(f"/v1/applications/{waiting}/look-up"), 409, "conflict")
    refused(market.operator.post(f"/v1/applications/{market.buyer.organization_id}/look-up"), 404, "not-found")
    refused(market.auditor.post(f"/v1/applications/{waiting}/look-up"), 403, "insufficient-scope")
    assert row_counts() == before


def test_a_yes_needs_no_body(market: Market) -> None:
    waiting = applicant().organization.id
    assert ok(market.operator.call("POST", f"/v1/organizations/{waiting}/verify"))["state"] == "verified"


@pytest.mark.parametrize("trust", ["applied", "best", None])
def test_trust_is_one_of_two_words(market: Market, trust: str | None) -> None:
    path = f"/v1/organizations/{market.buyer.organization_id}"
    refused(market.operator.post(f"{path}/trust", {"trust": trust}), 422, "invalid-input", "/trust")
    assert ok(market.operator.get(path))["trust"] == "verified"


def test_the_operator_alone_gives_trust(market: Market) -> None:
    path = f"/v1/organizations/{market.buyer.organization_id}"
    refused(market.buyer.post(f"{path}/trust", {"trust": "qualified"}), 403, "insufficient-scope")
    refused(market.auditor.post(f"{path}/trust", {"trust": "qualified"}), 403, "insufficient-scope")
    assert ok(market.operator.get(path))["trust"] == "verified"
    assert ok(market.operator.post(f"{path}/trust", {"trust": "qualified"}))["trust"] == "qualified"
    assert ok(market.buyer.get("/v1/organizations/me"))["trust"] == "qualified"
