"""Bytes that an exchange has its store or a provider send: fetched from there with nothing of ours along."""

import requests

from marketplace.client import servers
from marketplace.client.troubles import Trouble
from marketplace.client.wire import TIMEOUTS, Unproven, not_an_exchange
from marketplace.client.wording import plain, say

CARRIED = ("Range", "Accept-Encoding")


def follow(redirect: requests.Response) -> requests.Response:
    """Ask for the same bytes where an exchange leads to; no token, name or cookie goes there, nor any further.

    Raises Trouble for an address that others could read, and what requests raises.
    """
    address = redirect.headers["Location"]
    if not servers.is_safe(address):
        raise Trouble(
            say(f"転送先（{plain(address)}）は暗号化されません。", f"{plain(address)} would be unencrypted."),
            say("取引所の運営者に伝えてください。", "Tell the operator of the exchange."),
        )
    headers = {name: redirect.request.headers[name] for name in CARRIED if name in redirect.request.headers}
    with requests.Session() as http:
        http.auth = Unproven()
        answer = http.get(address, headers=headers, timeout=TIMEOUTS, allow_redirects=False, stream=True)
    if answer.is_redirect:
        answer.close()
        raise not_an_exchange(address)
    return answer
