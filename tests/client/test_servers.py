"""Addresses of servers, and what people name by ids and addresses."""

import pytest

from marketplace.client import servers
from marketplace.client.troubles import Unusable

HEX = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("exchange.example.jp", "https://exchange.example.jp"),
        ("https://Exchange.example.jp/catalog?q=1", "https://exchange.example.jp"),
        ("https://exchange.example.jp:443", "https://exchange.example.jp"),
        ("https://exchange.example.jp:8443/", "https://exchange.example.jp:8443"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_an_address_is_brought_to_its_origin(address: str, origin: str) -> None:
    assert servers.origin_of(address) == origin


@pytest.mark.parametrize(
    "address",
    [
        "http://exchange.example.jp",
        "http://127.0.0.1.example.jp",
        "http://localhost@exchange.example.jp",
        "https://somebody:secret@exchange.example.jp",
        "ftp://exchange.example.jp",
        "file:///etc/passwd",
        "https://",
        "https://exchange.example.jp:port",
        "https://еxchange.example.jp",
        "",
    ],
)
def test_what_is_unencrypted_or_no_server_is_refused(address: str) -> None:
    with pytest.raises(Unusable):
        servers.origin_of(address)


def test_a_thing_is_named_by_its_id_or_by_an_address_that_ends_in_it() -> None:
    assert servers.named(f"ofr_{HEX}", "ofr") == servers.Named(f"ofr_{HEX}")
    by_address = servers.named(f"https://x.example/v1/offers/ofr_{HEX}", "grt", "ofr")
    assert (by_address.id, by_address.origin, by_address.kind) == (f"ofr_{HEX}", "https://x.example", "ofr")


@pytest.mark.parametrize(
    "text", [f"ds_{HEX}", "ofr_1", f"../ofr_{HEX}", f"ofr_{HEX}/..", f"http://x.example/ofr_{HEX}", "人流"]
)
def test_other_kinds_and_other_texts_are_no_offers(text: str) -> None:
    with pytest.raises(Unusable):
        servers.named(text, "ofr")


def test_an_address_to_pay_at_is_https_or_on_the_machine_itself() -> None:
    assert servers.is_safe("https://pay.example/1")
    assert servers.is_safe("http://127.0.0.1:1/1")
    assert not any(map(servers.is_safe, ["http://pay.example", "javascript:alert(1)", "file:///bin/sh", "None"]))
