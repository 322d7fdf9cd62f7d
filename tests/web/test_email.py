"""Another e-mail address, by the pages."""

import re

import pytest
from flask import Flask

from marketplace.identity.states import Assurance
from marketplace.kit import mail
from tests.web.people import PASSWORD, Browser, signed_in, someone
from tests.web.test_pages import check

NEW = "new-address@example.jp"


def link_in_mail() -> str:
    bodies = [letter.body for letter in mail.list_waiting()]
    found = [match[0] for body in bodies if (match := re.search(r"/email/\S+", body))]
    assert found, bodies
    return found[-1]


def test_somebody_changes_their_address_and_signs_in_with_the_new_one(app: Flask) -> None:
    who = someone(password=PASSWORD)
    old = who.person.email
    browser, elsewhere = signed_in(app, who), signed_in(app, who)
    assert "/account/email" in browser.get("/account").text
    refused = browser.fill("/account/email", {"email": NEW, "password": "not it, this"})
    assert (refused.status_code, NEW in refused.text) == (401, True)
    assert browser.post("/account/email", {"email": "nothing", "password": PASSWORD}).status_code == 422
    sent = browser.post("/account/email", {"email": NEW, "password": PASSWORD})
    assert sent.status_code == 200
    assert "on its way" in sent.text
    link = link_in_mail()
    reader = Browser(app)  # the letter is read with another browser
    assert reader.get(link).status_code == 200
    assert reader.send(link).status_code == 403  # without the mark of the page
    assert reader.post(link).headers["Location"] == "/sign-in"
    assert Browser(app).get(link).status_code == 404
    for browser_of_before in (browser, elsewhere):
        assert browser_of_before.get("/account").status_code == 303
    again = Browser(app)
    assert again.fill("/sign-in", {"email": old, "password": PASSWORD}).status_code == 401
    assert again.fill("/sign-in", {"email": NEW, "password": PASSWORD}).headers["Location"] == "/account"
    assert NEW in again.get("/account").text


def test_the_answer_is_the_same_for_an_address_that_is_somebodys(app: Flask) -> None:
    who, other = someone(password=PASSWORD), someone()
    browser = signed_in(app, who)
    free = browser.fill("/account/email", {"email": NEW, "password": PASSWORD})
    taken = browser.fill("/account/email", {"email": other.person.email, "password": PASSWORD})
    assert (free.status_code, free.text) == (taken.status_code, taken.text)


def test_nobody_changes_an_address_without_being_signed_in(app: Flask) -> None:
    assert Browser(app).get("/account/email").headers["Location"].startswith("/sign-in")
    assert Browser(app).get("/email/nothing").status_code == 404


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_pages_are_whole_in_both_languages(app: Flask, language: str) -> None:
    who = someone(password=PASSWORD)
    browser = signed_in(app, who, Assurance.AAL2)
    page = f"/account/email?lang={language}"
    check(browser.get(page), language)
    check(browser.post(page, {"email": NEW, "password": PASSWORD}), language)
    check(browser.get(f"{link_in_mail()}?lang={language}"), language)
