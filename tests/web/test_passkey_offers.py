"""Passkeys are offered where browsers can make them, which they do for names alone."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from marketplace.identity.login import passkeys
from marketplace.kit import settings
from tests.web.people import Browser, signed_in, someone


@pytest.fixture
def reached_at(app: Flask) -> Iterator[Any]:
    """Have the exchange reached at another address for one test."""
    before = settings.current()
    yield lambda base_url: settings.install(replace(before, base_url=base_url))
    settings.install(before)


@pytest.mark.parametrize(
    ("base_url", "possible"),
    [
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:8000", False),
        ("http://localhost:8000", True),
        ("https://data.example.jp", True),
    ],
)
def test_a_name_has_passkeys_and_an_ip_address_has_none(reached_at: Any, base_url: str, possible: bool) -> None:
    reached_at(base_url)
    assert passkeys.are_possible() is possible


@pytest.mark.parametrize(("base_url", "offered"), [("http://127.0.0.1:8000", False), ("http://localhost:8000", True)])
def test_the_pages_offer_no_passkey_that_no_browser_makes(
    app: Flask, reached_at: Any, base_url: str, offered: bool
) -> None:
    reached_at(base_url)
    account = signed_in(app, someone()).get("/account").text
    assert ('href="/account/passkeys/new"' in account) is offered
    assert ("browsers make no passkeys" in account) is not offered
    assert ('href="/sign-in/passkey?' in Browser(app).get("/sign-in").text) is offered
