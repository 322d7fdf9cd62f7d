"""Applying to take part with a browser: the form, the letter, the first owner, the operator's yes."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from marketplace.identity import queries
from marketplace.identity.joining import approving
from marketplace.identity.joining.queries import list_waiting
from marketplace.kit import mail
from marketplace.kit.transaction import transaction
from tests.api.trade import row_counts
from tests.factories.identity import OrganizationFactory, actor_of, corporate_number
from tests.identity.joining.steps import apply, tokens_to
from tests.web.people import PASSWORD, Browser

EMAIL = "hanako@kita.example"
FORM = {
    "name_ja": "株式会社北の恵み", "name_en": "Kita no Megumi", "kind": "company", "corporate_number": corporate_number(41),
    "buyer": "yes", "provider": "yes", "contact_name": "佐藤 花子", "contact_email": EMAIL,
}  # fmt: skip


def confirmed(app: Flask) -> str:
    """Apply by the page and confirm by the letter; returns where the browser is sent."""
    browser = Browser(app)
    assert browser.fill("/join", FORM).headers["Location"] == "/join/sent"
    answer = browser.fill(f"/joining/{tokens_to(EMAIL)[0]}")
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def test_from_the_form_to_trading_without_a_script(app: Flask) -> None:
    invitation = confirmed(app)
    owner = Browser(app)
    arrived = owner.fill(invitation, {"password": PASSWORD})
    assert arrived.headers["Location"] == "/account"
    [shown] = list_waiting().items
    organization = queries.get_organization(shown.organization.id)
    assert sorted(organization.capacities) == ["buyer", "provider"]
    with transaction():
        approving.approve(actor_of(OrganizationFactory(operator=True)), organization.id)
    again = Browser(app)
    signed = again.fill("/sign-in", {"email": EMAIL, "password": PASSWORD})
    assert signed.status_code == 303
    assert "Kita no Megumi" in again.get("/account").text


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_pages_speak_both_languages(app: Flask, language: str) -> None:
    browser = Browser(app, language=language)
    words = {
        "ja": ("参加の申請", "確認のメール", "申請を確定する"),
        "en": ("Apply to take part", "Look into your mail", "Confirm the application"),
    }
    form, sent, asked = words[language]
    assert form in browser.get("/join").text
    browser.post("/join", FORM)
    assert sent in browser.get("/join/sent").text
    page = browser.get(f"/joining/{tokens_to(EMAIL)[0]}").text
    assert asked in page
    assert EMAIL in page
    assert "<script" not in page
    assert "keep_client" not in page, "no program has applied"
    assert form in browser.get("/sign-in").text or "/join" in browser.get("/sign-in").text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"corporate_number": "1234567890123"}, "check digit"), ({"kind": "cult"}, "Choose a kind"), ({"contact_email": "none"}, "e-mail address"),
        ({"buyer": "", "provider": ""}, "to provide, to use"), ({"name_en": "北"}, "Latin letters"), ({"name_ja": " "}, "Japanese name"),
        ({"invoice_registration_number": "T1"}, "T and 13 digits"), ({"kind": "municipality"}, "local-government code"),
        ({"corporate_number": "123456789018"}, "My Number"), ({"contact_name": "1234 5678 9018"}, "My Number"), ({"contact_name": ""}, "name of the contact"),
    ],
    ids=["check digit", "kind", "address", "nothing wanted", "english name", "japanese name", "registration", "no code", "my number", "my number as name", "no name"],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field_and_kept(app: Flask, changes: dict[str, str], told: str) -> None:
    browser = Browser(app)
    browser.get("/join")
    before = row_counts()
    answer = browser.post("/join", FORM | changes)
    assert answer.status_code == 422
    alerts = re.findall(r'role="alert">([^<]*)<', answer.text)
    assert any(told in alert for alert in alerts), alerts
    assert 'value="Kita no Megumi"' in answer.text or "name_en" in changes
    assert row_counts() == before


def test_a_number_that_takes_part_is_told_by_the_letters_page_alone(app: Flask) -> None:
    OrganizationFactory(corporate_number=FORM["corporate_number"])
    browser = Browser(app)
    fresh = browser.fill("/join", FORM | {"corporate_number": corporate_number(42), "contact_email": "n@kita.example"})
    taken = browser.fill("/join", FORM)
    assert (taken.status_code, taken.headers["Location"]) == (fresh.status_code, fresh.headers["Location"])
    before = row_counts()
    answer = browser.fill(f"/joining/{tokens_to(EMAIL)[0]}")
    assert answer.status_code == 409
    assert row_counts() == before


def test_a_link_that_is_over_says_so(app: Flask) -> None:
    confirmed(app)
    browser = Browser(app)
    assert browser.get(f"/joining/{tokens_to(EMAIL)[0]}").status_code == 404
    before = row_counts()
    browser.get("/join")
    for token in (tokens_to(EMAIL)[0], "nonsense"):
        assert browser.post(f"/joining/{token}", {}).status_code == 404
    assert row_counts() == before


@pytest.mark.parametrize("keep", ["yes", ""])
def test_a_program_that_applied_lives_on_only_if_the_contact_says_so(app: Flask, keep: str) -> None:
    admission = apply(email=EMAIL)
    browser = Browser(app)
    path = f"/joining/{tokens_to(EMAIL)[0]}"
    assert "keep_client" in browser.get(path).text
    browser.post(path, {"keep_client": keep} if keep else {})
    assert queries.get_client(admission.client.id).state == ("active" if keep else "suspended")


def test_no_other_site_and_no_bare_request_sends_these_forms(app: Flask) -> None:
    browser = Browser(app)
    browser.get("/join")
    apply(email=EMAIL)
    path = f"/joining/{tokens_to(EMAIL)[0]}"
    before = row_counts()
    attempts: list[Callable[[], Any]] = [
        lambda: browser.send("/join", FORM),
        lambda: browser.send(path),
        lambda: browser.post("/join", FORM, Sec_Fetch_Site="cross-site", Origin="https://evil.example"),
        lambda: browser.post(path, {}, Sec_Fetch_Site="cross-site", Origin="https://evil.example"),
    ]
    assert [attempt().status_code for attempt in attempts] == [403] * 4
    assert browser.post("/join", FORM | {"state": "verified"}).status_code == 400
    assert row_counts() == before
    assert len(mail.list_waiting()) == 1
