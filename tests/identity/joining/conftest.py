"""Registers that answer, and settings with keys for them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import urllib3

from marketplace.kit import outbound, settings
from tests.identity.joining.registry import Registers, started


@pytest.fixture(scope="module")
def running() -> Iterator[Registers]:
    with started() as registers:
        yield registers


@pytest.fixture
def registers(running: Registers, monkeypatch: pytest.MonkeyPatch) -> Registers:
    """The registers with nothing in them; all that is fetched goes to the loopback, in clear."""
    running.corporations, running.issuers, running.asked, running.raw = {}, {}, [], None
    monkeypatch.setattr(outbound, "_address_of", lambda _host: "127.0.0.1")
    monkeypatch.setattr(outbound, "_pool", lambda address, _host: urllib3.HTTPConnectionPool(address, running.port))
    return running


@pytest.fixture
def with_settings() -> Iterator[Callable[..., None]]:
    """Change settings for one test."""
    before = settings.current()

    def change(**changes: Any) -> None:
        settings.install(replace(settings.current(), **changes))

    yield change
    settings.install(before)


@pytest.fixture
def with_keys(with_settings: Callable[..., None]) -> None:
    with_settings(corporate_numbers_key="Kcorporate", invoice_registrations_key="Kinvoice")
