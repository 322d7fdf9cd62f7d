"""Started exchanges with a person who can sign in, and programs of every kind that are registered there."""

import shutil
from dataclasses import dataclass, fields
from typing import Any

import pytest
import requests
from joserfc.jwk import ECKey

from marketplace.demo import cast
from marketplace.demo.party import Party
from marketplace.demo.stage import free_port
from tests import live
from tests.conformance import record
from tests.conformance.scripts import SOURCES, Scripts, hear, installed, tell
from tests.conformance.visitor import Visitor, join

REDIRECT_URI = "http://127.0.0.1:3000/back"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
SCOPE = "organization:read grants:read"
DIRECTORY = {"client_id": "musubi at the city", "client_secret": "a secret: with/signs that are known to the test"}
SURE = "urn:example:two-factors"


@dataclass
class House:
    """A running exchange with one organization, which owns the programs and has a member who lets them act."""

    exchange: live.Exchange
    party: Party
    person: Visitor
    metadata: dict[str, Any]
    operator: Party

    @property
    def base_url(self) -> str:
        return str(self.metadata["issuer"])

    @property
    def own(self) -> str:
        """An address that a program reads on somebody's behalf."""
        return f"{self.base_url}/v1/organizations/me"

    def program(self, **draft: Any) -> dict[str, Any]:
        """Register a program that may ask people for what it needs."""
        plain = {"name": "集計", "scopes": SCOPE.split(), "redirect_uris": [REDIRECT_URI]}
        return self.party.post("/v1/clients", plain | draft)

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
    return House(exchange, party, join(exchange, party, "hanako@ishikari.example"), told, operator)


@pytest.fixture(scope="session")
def kept(tmp_path_factory, clone):
    """A record with several tiles, of which a checkpoint and some receipts were kept."""
    with record.kept(tmp_path_factory.mktemp("record"), clone()) as made:
        yield made


@pytest.fixture(scope="session")
def scripts(tmp_path_factory):
    packages = installed()
    folder = tmp_path_factory.mktemp("scripts")
    for source in [*SOURCES.glob("*.mjs"), SOURCES / "package.json"]:
        shutil.copy(source, folder)
    (folder / "node_modules").symlink_to(packages)
    return Scripts(folder)


@pytest.fixture(scope="session")
def strict(tmp_path_factory, clone):
    """An exchange that was set to the strict profile once its first programs had keys."""
    with live.exchange(tmp_path_factory.mktemp("strict"), clone()) as exchange:
        house = furnished(exchange)
        program = house.keyed_program()
        exchange.stop()
        exchange.settings["marketplace_security_profile"] = "fapi2"
        exchange.start()
        yield house, *program


class Named(live.Exchange):
    """An exchange at a name of the loopback, since browsers make passkeys for no IP address."""

    @property
    def base_url(self) -> str:
        return f"http://localhost:{self.port}"


@dataclass
class Staffed(House):
    """An exchange with somebody else's staff directory beside it."""

    issuer: str = ""


@pytest.fixture(scope="session")
def staffed(tmp_path_factory, clone, scripts):
    port = free_port()
    exchange, issuer = Named(tmp_path_factory.mktemp("staffed"), clone()), f"http://localhost:{port}"
    exchange.settings |= {
        "marketplace_oidc_issuer": issuer,
        "marketplace_oidc_client_id": DIRECTORY["client_id"],
        "marketplace_oidc_client_secret": DIRECTORY["client_secret"],
        "marketplace_oidc_acr_map": f"{SURE}=aal2",
    }
    with scripts.started("oidc-provider.mjs", patience_seconds=None) as process:
        back = f"{exchange.base_url}/sign-in/provider/callback"
        tell(process, DIRECTORY | {"issuer": issuer, "port": port, "redirect_uri": back, "acr_values": [SURE]})
        assert hear(process) == {"ready": issuer}
        try:
            house = furnished(exchange.start())
            yield Staffed(**{field.name: getattr(house, field.name) for field in fields(house)}, issuer=issuer)
        finally:
            exchange.close()
