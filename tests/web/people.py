"""People with browsers, and programs that send them here."""

import base64
import functools
import hashlib
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Flask
from werkzeug.test import TestResponse

from marketplace.identity.login import one_time_codes, passwords, sessions
from marketplace.identity.models import ApiClient, Member, Organization, Person
from marketplace.identity.states import Assurance, AuthenticationMethod, GrantType, MemberRole
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.api.trade import in_a_context_of_its_own
from tests.factories.identity import ApiClientFactory, MemberFactory, OrganizationFactory, PersonFactory

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
REDIRECT_URI = "https://app.example/back"
PASSWORD = "correct horse battery staple"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ISSUER = "http://127.0.0.1:8000"
_TOKEN = re.compile(r'name="form_token" value="([^"]*)"')


@dataclass
class Browser:
    """One browser with its cookies; it sends forms as the page that it saw last would."""

    app: Flask
    language: str = "en"
    seen: TestResponse | None = None
    peer: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def get(self, path: str, **headers: str) -> TestResponse:
        self.seen = self._open("GET", path, headers)
        return self.seen

    def send(self, path: str, form: dict[str, Any] | None = None, **headers: str) -> TestResponse:
        """Post a form as it stands, without its mark."""
        return self._open("POST", path, headers, data=form or {})

    def post(self, path: str, form: dict[str, Any] | None = None, **headers: str) -> TestResponse:
        """Post a form with the mark of the page that was seen last."""
        fields = {"Sec-Fetch-Site": "same-origin", "Origin": "null"} | headers
        answer = self._open("POST", path, fields, data={"form_token": self.mark()} | (form or {}))
        if _TOKEN.search(answer.text):
            self.seen = answer
        return answer

    def fill(self, page: str, form: dict[str, Any] | None = None, to: str | None = None) -> TestResponse:
        """Open a page, and send the form on it."""
        shown = self.get(page)
        assert shown.status_code == 200, (page, shown.status_code, shown.headers.get("Location"))
        return self.post(to or page, form)

    def mark(self) -> str:
        assert self.seen is not None
        found = _TOKEN.search(self.seen.text)
        assert found, self.seen.text
        return found[1]

    def cookie(self, name: str = "musubi") -> str | None:
        found = self.client.get_cookie(name)
        return found.value if found and found.value else None

    def wear_session_of(self, person_id: str, acr: Assurance = Assurance.AAL1) -> None:
        with transaction():
            token = sessions.open_session(person_id, acr, "a test")
        self.client.set_cookie("musubi", token)

    def _open(self, method: str, path: str, headers: dict[str, str], **more: Any) -> TestResponse:
        fields = {"Accept": BROWSER, "Accept-Language": self.language} | self.headers
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        environ = {"REMOTE_ADDR": self.peer}
        return in_a_context_of_its_own(
            lambda: self.client.open(
                path, method=method, headers=fields, environ_overrides=environ, buffered=True, **more
            )
        )


@functools.cache
def hashed(password: str) -> str:
    """What is kept of a password; made once, since it is slow on purpose."""
    return passwords.hash_of(password)


@dataclass
class Someone:
    """A person who belongs to an organization."""

    person: Person
    member: Member
    organization: Organization


def someone(
    role: MemberRole = MemberRole.OWNER,
    organization: Organization | None = None,
    password: str | None = None,
    **fields: Any,
) -> Someone:
    """A person in a verified organization that provides and buys, kept."""
    body = organization or OrganizationFactory()
    if password is not None:
        fields |= {"password_hash": hashed(password), "password_changed_at": clock.now()}
    person = PersonFactory(**fields)
    member = MemberFactory(organization=body, role=role.value, person_id=person.id)
    made = Someone(person, member, body)
    db.session.commit()
    return made


def signed_in(app: Flask, who: Someone, acr: Assurance = Assurance.AAL1) -> Browser:
    """A browser in which somebody has signed in already."""
    browser = Browser(app)
    browser.wear_session_of(who.person.id, acr)
    return browser


def program(**changes: Any) -> ApiClient:
    """A public program of another organization, for codes and refresh tokens."""
    fields: dict[str, Any] = {
        "authentication_method": AuthenticationMethod.NONE.value,
        "secret_sha256": None,
        "redirect_uris": [REDIRECT_URI],
        "grant_types": [
            GrantType.AUTHORIZATION_CODE.value,
            GrantType.REFRESH_TOKEN.value,
            GrantType.DEVICE_CODE.value,
        ],
        "scopes": ["grants:read", "organization:read"],
    }
    made = ApiClientFactory(**fields | changes)
    db.session.commit()
    return made


def asking(client: ApiClient, *more: tuple[str, str], without: str = "", **changes: str) -> str:
    """The address to which a program sends its user."""
    given = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": REDIRECT_URI,
        "scope": "organization:read",
        "state": "s-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changes
    given.pop(without, None)
    return "/oauth/authorize?" + urlencode([*given.items(), *more])


def told(answer: TestResponse) -> dict[str, str]:
    """What a redirect tells the program."""
    assert answer.status_code == 303, (answer.status_code, answer.text)
    address = answer.headers["Location"]
    assert address.startswith(REDIRECT_URI + "?"), address
    return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))


def change(app: Flask, client: ApiClient, code: str, **more: str) -> TestResponse:
    """Change a code for tokens, as the program does."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        "client_id": client.id,
    } | more
    return in_a_context_of_its_own(lambda: app.test_client().post("/oauth/token", data=form))


def enter(browser: Browser, who: Someone, password: str = PASSWORD) -> TestResponse:
    """Type address and password into the page for that."""
    return browser.fill("/sign-in", {"email": who.person.email, "password": password})


def set_up_generator(app: Flask, who: Someone) -> tuple[bytes, list[str]]:
    """Give somebody a code generator by its pages; returns its secret, and the recovery codes."""
    browser = signed_in(app, who)
    browser.get("/account")
    shown = browser.post("/account/generator")
    address = re.search(r"secret=([A-Z2-7]+)", shown.text)
    assert address, shown.text
    secret = base64.b32decode(address[1] + "=" * (-len(address[1]) % 8))
    codes = browser.post("/account/generator/confirm", {"code": code_now(secret)})
    assert codes.status_code == 200, codes.text
    return secret, re.findall(r"<code>([A-Z2-9-]{29})</code>", codes.text)


def code_now(secret: bytes) -> str:
    """What a generator shows at this moment."""
    return one_time_codes.code_at(secret, one_time_codes.step_now())
