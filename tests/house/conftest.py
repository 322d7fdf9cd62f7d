"""A finished trade between strangers, and callers of every kind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from flask import Flask

from marketplace.app import create_app
from marketplace.billing import queries
from marketplace.billing.bank import queries as bank
from marketplace.billing.documents import papers
from marketplace.exchange import banking
from marketplace.identity.actors import SYSTEM
from marketplace.identity.oauth import access_tokens
from marketplace.identity.permissions import scopes_for
from marketplace.identity.states import Capacity
from marketplace.kit import jobs
from marketplace.kit.db import db
from marketplace.kit.settings import Settings
from marketplace.kit.transaction import transaction
from tests.factories import market
from tests.factories.identity import ApiClientFactory, MemberFactory, OrganizationFactory


@dataclass(frozen=True, slots=True)
class Trade:
    """The ids of a trade by the names that addresses give them; no caller of these tests is a party to it."""

    ids: dict[str, str]

    def path(self, rule: str) -> str:
        """The address of a rule, filled in."""
        for name, value in self.ids.items():
            rule = rule.replace(f"<{name}>", value)
        assert "<" not in rule, f"the trade has no value for {rule}"
        return rule


@pytest.fixture(scope="module")
def exchange(clone: Callable[[], str], make_settings: Callable[..., Settings]) -> Iterator[Flask]:
    """An application on a database of its own, for tests of which none may change anything."""
    app = create_app(make_settings(clone()))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="module")
def trade(exchange: Flask) -> Trade:
    """One paid and fetched trade, with something at every address of the API."""
    on, buyer = market.listed(), market.buyer()
    offer = market.offered(on)
    made = market.bought(exchange, buyer, offer)
    market.fetched(buyer, made.grant_id)
    jobs.run_pending("catalog.index")
    with transaction():
        member = MemberFactory().id
        document = papers.document_of(queries.require_invoice(made.invoice_id)).id
    banking.import_statement(SYSTEM, "日付,入金額,振込依頼人名\n2026/11/22,100,ヤマダ\n".encode())
    ids = {
        "line_id": bank.list_lines().items[0].id,
        "organization_id": buyer.organization_id,
        "member_id": member,
        "client_id": buyer.client_id,
        "dataset_id": on.dataset_id,
        "release_id": on.release_id,
        "name": market.NAME,
        "identifier": offer.terms_id,
        "offer_id": offer.id,
        "order_id": made.order.id,
        "invoice_id": made.invoice_id,
        "document_id": document,
        "grant_id": made.grant_id,
    }
    return Trade(ids)


@pytest.fixture(scope="module")
def caller(exchange: Flask) -> Callable[..., dict[str, str]]:
    """Make the header of somebody who is verified in these capacities, with every scope they can use."""

    def make(*capacities: Capacity) -> dict[str, str]:
        with transaction():
            organization = OrganizationFactory(capacities=[capacity.value for capacity in capacities])
            client = ApiClientFactory(organization=organization)
            scopes = " ".join(sorted(scopes_for(frozenset(capacities))))
            return {"Authorization": f"Bearer {access_tokens.issue(client.id, organization.id, scopes)}"}

    return make
