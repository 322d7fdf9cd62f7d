"""Chromium on our pages: passkeys, consent, the other provider; and axe-core over what people see."""

import base64
import hashlib
import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet

from marketplace.demo import cast, joining
from marketplace.identity.login import one_time_codes
from tests.conformance.conftest import DEVICE_CODE, SCOPE
from tests.conformance.visitor import PASSWORD, Visitor, join, link_to

VERIFIER = "correct-horse-battery-staple-0123456789-abcdef"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PICTURES = os.environ.get("MUSUBI_TESTS_PICTURES")
"""A folder for pictures of the pages, for whoever wants to look at them."""


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium on this machine")
    return found


@pytest.fixture
def drive(scripts, staffed, chromium):
    """Have the browser do something at the exchange."""

    def run(journey, **facts):
        return scripts.run("browser.mjs", journey=journey, chromium=chromium, issuer=staffed.base_url, **facts)

    return run


def asking(house, client: dict) -> str:
    """Where a program sends a browser; the address to come back to is still to be added."""
    asked = {
        "response_type": "code",
        "client_id": client["id"],
        "scope": SCOPE,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return f"{house.metadata['authorization_endpoint']}?{urlencode(asked)}"


def token_for(house, client: dict, back: dict) -> dict:
    """Change the code that a browser brought, and return what the token says."""
    form = {
        "grant_type": "authorization_code",
        "code": back["code"],
        "redirect_uri": back["redirect_uri"],
        "code_verifier": VERIFIER,
    }
    who = (client["id"], client["secret"])
    answer = requests.post(house.metadata["token_endpoint"], data=form, auth=who, timeout=60)
    assert answer.status_code == 200, answer.text
    keys = KeySet.import_key_set(requests.get(house.metadata["jwks_uri"], timeout=60).json())
    return jwt.decode(answer.json()["access_token"], keys, algorithms=["ES256"]).claims


def test_somebody_adds_a_passkey_signs_in_by_it_and_allows_a_program(staffed, drive):
    person, client = join(staffed.exchange, staffed.party, "shiro@ishikari.example"), staffed.program()
    told = drive("passkey", email=person.email, password=PASSWORD, authorize=asking(staffed, client))
    assert (told["entered"], told["added"], told["again"]) == ("/account",) * 3
    assert "A virtual one" in told["listed"]
    assert told["left"] != "/account"
    assert told["allowed"]["iss"] == staffed.base_url
    assert token_for(staffed, client, told["allowed"])["acr"] == "aal2"


def test_somebody_links_the_other_provider_and_signs_in_by_it(staffed, drive):
    person, client = join(staffed.exchange, staffed.party, "goro@ishikari.example"), staffed.program()
    told = drive(
        "provider", email=person.email, password=PASSWORD, login="staff-0055", authorize=asking(staffed, client)
    )
    assert told["linked"]["at"] == "/account"
    assert staffed.issuer in told["linked"]["says"]
    assert told["again"] == "/account"
    assert token_for(staffed, client, told["allowed"])["acr"] == "aal2"


def test_axe_finds_nothing_serious_on_the_pages_of_people_in_either_language(staffed, drive):
    found = drive("look", pages=pages(staffed), folder=PICTURES and str(Path(PICTURES).resolve()))
    spoken = [(one["name"], one["spoken"]) for one in found]
    assert spoken == [(one["name"], one["language"]) for one in found]
    serious = [
        (one["name"], one["language"], finding)
        for one in found
        for finding in one["findings"]
        if finding["impact"] in {"serious", "critical"}
    ]
    assert serious == []
    assert [one["name"] for one in found if one["wide"] > 0] == [], "these must be scrolled sideways"
    assert {one["name"] for one in found if one["status"] != 200} == {"refused"}


def pages(house) -> list[dict]:
    """Every page on the way in, as those see it who may."""
    nobody, base = Visitor("nobody@ishikari.example"), house.base_url
    nobody.open(f"{base}/sign-in")
    path = f"/v1/organizations/{house.party.organization_id}/members"
    draft = {"name": "田中 六郎", "email": "rokuro@ishikari.example", "role": "buyer"}
    house.party.call("POST", f"{path}/{house.party.post(path, draft)['id']}/invite")
    invitation = link_to(house.exchange, draft["email"])
    person = join(house.exchange, house.party, "nanako@ishikari.example", name="伊藤 七子")
    nobody.open(f"{base}/forgotten")
    nobody.submit("Send the link", email=person.email)
    recovery = link_to(house.exchange, person.email)
    person.open(f"{base}/sign-in")
    person.sign_in()
    consent = person.open(asking(house, house.program()) + "&redirect_uri=http%3A%2F%2F127.0.0.1%3A3000%2Fback")
    halfway = half_signed_in(house)
    maker = join(house.exchange, house.exchange.admit(house.operator, "maker", cast.PROVIDER), "kumiko@hokuto.example")
    maker.open(f"{base}/sign-in")
    maker.sign_in()
    return [
        page(nobody, "sign-in", f"{base}/sign-in"),
        page(nobody, "passkey", f"{base}/sign-in/passkey"),
        page(nobody, "forgotten", f"{base}/forgotten"),
        page(nobody, "recovery", recovery),
        page(nobody, "invitation", invitation),
        page(nobody, "join", f"{base}/join"),
        page(nobody, "joining", confirmation(house)),
        page(halfway, "code", f"{base}/sign-in/code"),
        page(person, "account", f"{base}/account"),
        page(person, "new passkey", f"{base}/account/passkeys/new"),
        page(person, "new password", f"{base}/account/password"),
        page(person, "new address", f"{base}/account/email"),
        page(person, "consent", consent),
        page(person, "new generator", f"{base}/account", form='form[action^="/account/generator"]'),
        page(person, "device", f"{base}/device?user_code=BCDF-GHJK"),
        page(person, "device's consent", device_waiting(house), form='form[action^="/device"]'),
        page(person, "refused", f"{base}/oauth/authorize?client_id=nobody"),
        *(page(nobody, path, f"{base}/{path}") for path in ("", "catalog", "teasers", "terms", "register", "problems")),
        *(page(maker, f"desk: {path}", f"{base}/organization/{path}") for path in ("teasers", "citations", "trials")),
    ]


def page(whose: Visitor, name: str, address: str, form: str | None = None) -> dict:
    """A page as a browser with somebody's cookies opens it, or what follows when this form on it is sent."""
    host = urlsplit(address).hostname
    cookies = [{"name": key, "value": value, "domain": host, "path": "/"} for key, value in whose.cookies().items()]
    return {"name": name or "home", "address": address, "cookies": cookies, "form": form}


def confirmation(house) -> str:
    """Where somebody confirms that their organization applies."""
    joining.apply(house.base_url, "newcomer", cast.STRANGER)
    return link_to(house.exchange, joining.contact_of("newcomer")["contact_email"])


def device_waiting(house) -> str:
    """Where somebody is sent by a program that has no browser."""
    client = house.program(authentication_method="none", redirect_uris=[], grant_types=[DEVICE_CODE, "refresh_token"])
    form = {"client_id": client["id"], "scope": SCOPE}
    return requests.post(house.metadata["device_authorization_endpoint"], data=form, timeout=60).json()[
        "verification_uri_complete"
    ]


def half_signed_in(house) -> Visitor:
    """Somebody with a code generator who has typed the password alone."""
    person = join(house.exchange, house.party, "hachiro@ishikari.example", name="渡辺 八郎")
    person.open(f"{house.base_url}/sign-in")
    person.sign_in()
    person.submit("Set it up")
    shown = re.search(r"secret=([A-Z2-7]+)", person.seen.text)
    secret = base64.b32decode(shown[1] + "=" * (-len(shown[1]) % 8))
    person.submit("Confirm", code=one_time_codes.code_at(secret, one_time_codes.step_now()))
    person.open(f"{house.base_url}/account")
    person.submit("Sign out")
    person.open(f"{house.base_url}/sign-in")
    person.sign_in()
    return person
