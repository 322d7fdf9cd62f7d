"""Addresses of exchanges, and of things in them, as people copy them from pages."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from marketplace.client.troubles import Unusable
from marketplace.client.wording import plain, say

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
PORTS = {"https": 443, "http": 80}
_ID = re.compile(r"(ofr|grt|ds|ord)_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Named:
    """A thing somebody named: its id, and its server where it was named by an address."""

    id: str
    origin: str | None = None

    @property
    def kind(self) -> str:
        """Return what sort of thing the id names: ofr, grt, ds or ord."""
        return self.id.partition("_")[0]


def origin_of(address: str) -> str:
    """Return the origin of an exchange; https is demanded except on the machine itself. Raises Unusable."""
    parts = urlsplit(address if "://" in address else f"https://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in PORTS or parts.username is not None or not host.isascii():
        raise _unusable(address)
    if parts.scheme == "http" and host not in LOOPBACK:
        raise Unusable(
            say(f"{address} は暗号化されません。", f"{address} would be unencrypted."),
            say("https のアドレスを使ってください。", "Use its https address."),
        )
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port and port != PORTS[parts.scheme] else "")


def named(text: str, *kinds: str) -> Named:
    """Return what an id, or an address with an id in it, names; raises Unusable unless it is of these kinds."""
    found = _ID.search(text)
    is_address = "://" in text
    if found is None or found[1] not in kinds or not (is_address or found[0] == text):
        raise Unusable(
            say(f"{plain(text)} は{_kinds(kinds)}のIDではありません。", f"{plain(text)} is no id of {_kinds(kinds)}."),
            say("marketplace list で確かめてください。", "See: marketplace list"),
        )
    return Named(found[0], origin_of(text) if is_address else None)


def is_safe(address: str) -> bool:
    """Tell whether an address that a server named may be shown or opened: https, or on the machine itself."""
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def _unusable(address: str) -> Unusable:
    return Unusable(
        say(f"{plain(address)} はサーバーのアドレスではありません。", f"{plain(address)} is no address of a server."),
        say("例: https://exchange.example.jp", "Such as: https://exchange.example.jp"),
    )


def _kinds(kinds: tuple[str, ...]) -> str:
    words = {
        "ofr": say("オファー", "an offer"),
        "grt": say("利用権", "a grant"),
        "ds": say("データセット", "a dataset"),
        "ord": say("注文", "an order"),
    }
    return say("・", " or ").join(words[kind] for kind in kinds)
