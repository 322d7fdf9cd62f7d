"""A person with a browser that runs no scripts: reads our pages, fills in their forms, and follows where they lead."""

import re
from dataclasses import dataclass, field
from urllib.parse import urljoin

import requests
from lxml import html

from marketplace.demo.party import Party
from tests import live

PASSWORD = "correct horse battery staple"
STEPS_MAX = 20


@dataclass
class Visitor:
    """One person at one exchange; ``seen`` is the page that they look at."""

    email: str
    http: requests.Session = field(default_factory=requests.Session)
    seen: requests.Response | None = None

    def __post_init__(self) -> None:
        self.http.trust_env = False
        self.http.headers.update({"Accept": "text/html", "Accept-Language": "en"})

    def open(self, address: str, until: str | None = None) -> str:
        """Open an address and follow redirects; returns where they end, ``until`` being the beginning of the end."""
        return self._follow("GET", address, {}, until)

    def submit(self, button: str, until: str | None = None, **fields: str) -> str:
        """Fill in the form that has this button, press it, and follow where that leads."""
        form, pressed = self._form_with(button)
        unknown = fields.keys() - {name for name in form.fields if name}
        assert not unknown, f"the form has no {unknown}"
        values = dict(form.form_values()) | fields
        if pressed.get("name"):
            values[pressed.get("name")] = pressed.get("value")
        assert self.seen is not None
        return self._follow(form.method, urljoin(self.seen.url, form.action), values, until)

    def follow(self, words: str) -> str:
        """Follow the link that says this."""
        [link] = [one for one in self._page().iter("a") if one.text_content().strip() == words]
        assert self.seen is not None
        return self.open(urljoin(self.seen.url, link.get("href")))

    def cookies(self) -> dict[str, str]:
        """Return what the browser would show of itself."""
        return {cookie.name: cookie.value or "" for cookie in self.http.cookies}

    def says(self) -> str:
        """Return the words of the page."""
        return " ".join(self._page().text_content().split())

    def sign_in(self) -> None:
        """Type address and password into the page that asks for them."""
        self.submit("Sign in", email=self.email, password=PASSWORD)

    def allow(self, address: str, redirect_uri: str) -> str:
        """Go where a program sends its user, sign in if asked, allow what is asked; returns the way back."""
        ended = self.open(address, until=redirect_uri)
        if "/sign-in" in ended:
            self.sign_in()
        return self.submit("Allow", until=redirect_uri)

    def enter_device_code(self, address: str) -> None:
        """Allow the device whose code stands in this address."""
        if "/sign-in" in self.open(address):
            self.sign_in()
        self.submit("Continue")
        self.submit("Allow")

    def _follow(self, method: str, address: str, form: dict[str, str], until: str | None) -> str:
        sent = {"data": form} if method == "POST" else {"params": form or None}
        for _step in range(STEPS_MAX):
            self.seen = self.http.request(method, address, allow_redirects=False, timeout=live.WAIT_SECONDS, **sent)
            if not self.seen.is_redirect:
                assert self.seen.status_code == 200, (address, self.seen.status_code, self.seen.text)
                return address
            address = urljoin(address, self.seen.headers["Location"])
            if until is not None and address.startswith(until):
                return address
            method, sent = "GET", {}
        raise AssertionError(f"redirects without end at {address}")

    def _page(self) -> html.HtmlElement:
        assert self.seen is not None
        return html.fromstring(self.seen.text)

    def _form_with(self, button: str) -> tuple[html.FormElement, html.HtmlElement]:
        for form in self._page().forms:
            for pressed in form.iter("button"):
                if pressed.text_content().strip() == button:
                    return form, pressed
        raise AssertionError(f"no button {button!r} on {self.says()}")


def join(exchange: live.Exchange, party: Party, email: str, name: str = "佐藤 花子") -> Visitor:
    """Have an organization invite somebody as its owner; they join by the letter's link and sign out again."""
    path = f"/v1/organizations/{party.organization_id}/members"
    member = party.post(path, {"name": name, "email": email, "role": "owner"})
    party.call("POST", f"{path}/{member['id']}/invite")
    visitor = Visitor(email)
    visitor.open(link_to(exchange, email))
    visitor.submit("Join", password=PASSWORD)
    visitor.submit("Sign out")
    return visitor


def link_to(exchange: live.Exchange, email: str) -> str:
    """Return the link in the newest letter to an address, as it waits for a mail server."""
    letters = exchange.command("mail", "list").stdout.split(f"to {email}\n")
    assert len(letters) > 1, f"no letter to {email}"
    found = re.search(r"https?://\S+", letters[-1])
    assert found, letters[-1]
    return found[0]
