"""Started exchanges with a person who can sign in, and programs of every kind that are registered there."""

from dataclasses import dataclass
from typing import Any

import pytest
import requests
from joserfc.jwk import ECKey

from marketplace.demo import cast
from marketplace.demo.party import Party
from tests import live
from tests.conformance.visitor import Visitor, join

REDIRECT_URI = "http://127.0.0.1:3000/back"
SCOPE = "organization:read grants:read"


@dataclass
class House:
    """A running exchange with one organization, which owns the programs and has a member who lets them act."""

    exchange: live.Exchange
    party: Party
    person: Visitor
    metadata: dict[str, Any]

    @property
    def base_url(self) -> str:
        return str(self.metadata["issuer"])

    @property
    def own(self) -> str:
        """An address that a program reads on somebody's behalf."""
        return f"{self.base_url}/v1/organizations/me"

    def program(self, **draft: Any) -> dict[str, Any]:
        """Register a program that may ask people for what it needs."""
        fields = {"name": "集計", "scopes": SCOPE.split(), "redirect_uris": [REDIRECT_URI]}
        return self.party.post("/v1/clients", fields | draft)

    def keyed_program(self, **draft: Any) -> tuple[dict[str, Any], ECKey]:
        """Register a program that proves itself by a key; returns both."""
        key = ECKey.generate_key("P-256", parameters={"kid": "one"})
        return self.program(jwks={"keys": [key.as_dict(private=False)]}, **draft), key

    def status(self, token: str, scheme: str = "Bearer") -> int:
        """Return how the API answers to a token."""
        return requests.get(self.own, headers={"Authorization": f"{scheme} {token}"}, timeout=60).status_code


@pytest.fixture(scope="session")
def house(tmp_path_factory, clone):
    with live.exchange(tmp_path_factory.mktemp("house"), clone()) as exchange:
        yield furnished(exchange)


def furnished(exchange: live.Exchange) -> House:
    """Let one organization take part, and one person join it."""
    operator = exchange.found("operator", cast.OPERATOR)
    party = exchange.admit(operator, "buyer", cast.BUYER)
    told = requests.get(f"{exchange.base_url}/.well-known/oauth-authorization-server", timeout=60).json()
    return House(exchange, party, join(exchange, party, "hanako@ishikari.example"), told)
