"""Deeds that a form asks for: done for the organization of whoever signed in, or refused on the page itself."""

from collections.abc import Callable

from flask import Response

from marketplace.identity.actors import Actor
from marketplace.identity.login import sessions as login
from marketplace.kit.errors import Conflict, Invalid, Refusal
from marketplace.kit.transaction import transaction
from marketplace.web.addresses import see
from marketplace.web.endpoint import session
from marketplace.web.language import link

SHOWN: tuple[type[Refusal], ...] = (Conflict, Invalid)
"""What is mended on the page itself; other refusals have pages of their own."""


def caller() -> Actor:
    """Return who sends the form, with the organization for which they act."""
    return login.actor_of(session())


def done(
    deed: Callable[[Actor], object],
    following: str,
    page: Callable[[Refusal], Response],
    shown: tuple[type[Refusal], ...] = SHOWN,
) -> Response:
    """Do a deed in one transaction and go on to the following page, or show the page again with what was refused."""
    try:
        with transaction():
            deed(caller())
    except shown as refusal:
        return page(refusal)
    return see(link(following))
