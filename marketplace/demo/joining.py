"""Joining as people do: an application, the letter with its link, and the page that the link leads to."""

import re
from typing import Any

import requests

from marketplace.demo.party import TIMEOUT_SECONDS, DemoFailed, Party, Refused

_FORM_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
_MESSAGE = re.compile(r"^eml_", re.MULTILINE)


def contact_of(role: str) -> dict[str, str]:
    """Return the office that applies for a party; all invented."""
    return {"contact_name": "申請窓口（合成）", "contact_email": f"{role}@office.example.jp"}


def apply(base_url: str, role: str, application: dict[str, Any]) -> Party:
    """Apply to take part, as anybody may, and return the applicant."""
    said = application | contact_of(role)
    response = requests.post(f"{base_url}/v1/organizations", json=said, timeout=TIMEOUT_SECONDS)
    if response.status_code != 201:
        raise Refused(f"{role} could not apply", response)
    client = response.json()["client"]
    return Party(role, base_url, client["organization_id"], client["id"], client["secret"])


def confirm(base_url: str, role: str, letters: str) -> None:
    """Open the link of the latest letter to a party, and confirm its application with the form that stands there."""
    with requests.Session() as browser:
        link = _link(base_url, role, letters)
        page = browser.get(link, timeout=TIMEOUT_SECONDS)
        mark = _FORM_TOKEN.search(page.text)
        if mark is None:
            raise Refused(f"{role} could not open its link", page)
        form = {"form_token": mark[1], "keep_client": "yes"}
        sent = browser.post(link, data=form, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        if sent.status_code != 303:
            raise Refused(f"{role} could not confirm its application", sent)


def _link(base_url: str, role: str, letters: str) -> str:
    """Return the link in the latest letter to a party, out of what ``marketplace mail list`` prints."""
    recipient, start = f"to {contact_of(role)['contact_email']}", f"{base_url}/joining/"
    mine = [one for one in _MESSAGE.split(letters) if recipient in one and start in one]
    if not mine:
        raise DemoFailed(f"no letter to {role} is in the outbox")
    return start + mine[-1].split(start)[1].split()[0]
