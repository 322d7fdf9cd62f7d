"""Where the exchange wants a second factor of everybody, one factor opens the account page and nothing else."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from marketplace.identity.states import Assurance
from marketplace.kit import settings
from tests.api.trade import row_counts
from tests.web.people import Browser, Someone, asking, program, set_up_generator, signed_in, someone, told


@pytest.fixture(autouse=True)
def _required(app: Flask) -> Iterator[None]:
    before = settings.current()
    settings.install(replace(before, second_factor_required=True))
    yield
    settings.install(before)


@pytest.fixture
def who(app: Flask) -> Someone:
    return someone(password="correct horse battery staple")


def test_one_factor_allows_no_program_anything_and_is_sent_to_prove_another(app: Flask, who: Someone) -> None:
    browser, client = signed_in(app, who), program()
    request = browser.get(asking(client)).headers["Location"]
    sent = browser.get(request)
    assert sent.status_code == 303
    assert sent.headers["Location"].startswith("/sign-in/second-factor?")
    browser.get("/account")
    before = row_counts()
    answer = browser.post(request, {"decision": "allow", "member_id": who.member.id})
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in/second-factor?")
    assert browser.get("/device").headers["Location"].startswith("/sign-in/second-factor?")
    assert row_counts() == before


def test_whoever_has_none_is_told_to_set_one_up_and_can(app: Flask, who: Someone) -> None:
    browser = signed_in(app, who)
    address = browser.get("/device").headers["Location"]
    assert "set up none" in browser.get(address).text
    secret, codes = set_up_generator(app, who)
    assert secret
    assert len(codes) == 10


def test_two_factors_open_what_they_always_did(app: Flask, who: Someone) -> None:
    browser, client = signed_in(app, who, Assurance.AAL2), program()
    request = browser.get(asking(client)).headers["Location"]
    assert browser.get(request).status_code == 200
    assert "code" in told(browser.post(request, {"decision": "allow", "member_id": who.member.id}))


def test_without_the_setting_one_factor_may_allow(app: Flask, who: Someone) -> None:
    settings.install(replace(settings.current(), second_factor_required=False))
    browser = Browser(app)
    browser.wear_session_of(who.person.id)
    request = browser.get(asking(program())).headers["Location"]
    assert browser.get(request).status_code == 200
