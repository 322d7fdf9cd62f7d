"""Steps of joining: applying, opening the letter, confirming."""

import re
from typing import Any

from marketplace.identity.joining import service as joining
from marketplace.identity.joining.rules import Contact
from marketplace.identity.service import Admission
from marketplace.kit import mail
from marketplace.kit.transaction import transaction
from tests.factories.identity import ApplicationDraftFactory

PEER = "198.51.100.7"
EMAIL = "hanako@musubi-shoten.example"
_LINK = re.compile(r"http://\S+/joining/(\S+)")


def apply(email: str = EMAIL, name: str = "佐藤 花子", peer: str = PEER, **said: Any) -> Admission:
    """An application that a program sends."""
    with transaction():
        return joining.apply(ApplicationDraftFactory(**said), Contact(name, email), peer)


def tokens_to(email: str = EMAIL) -> list[str]:
    """The tokens of the links in the letters to an address, oldest first."""
    letters = [one for one in mail.list_waiting() if one.recipient == email]
    return [found[1] for letter in letters if (found := _LINK.search(letter.body))]


def confirm(token: str, *, keep_client: bool = False) -> str:
    with transaction():
        return joining.confirm(token, keep_client=keep_client)


def applicant(*, keep_client: bool = True, email: str = EMAIL, **said: Any) -> Admission:
    """An applicant whose e-mail address is checked."""
    admission = apply(email=email, **said)
    confirm(tokens_to(email)[-1], keep_client=keep_client)
    return admission
