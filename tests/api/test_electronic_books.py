"""What the electronic-books law asks of a search: by date, by amount, by counterparty, in ranges and any combination."""

from datetime import UTC, date, datetime

import pytest

from marketplace.billing.documents import service
from marketplace.identity.actors import SYSTEM
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.api.trade import Market, ok
from tests.factories.documents import DraftFactory, LineFactory

# Day of the transaction, yen before tax of 10 %, and who bought.
PAPERS = {
    "a": (date(2026, 10, 1), 1000, "buyer"),
    "b": (date(2026, 10, 15), 2000, "stranger"),
    "c": (date(2026, 11, 1), 3000, "buyer"),
    "d": (date(2026, 11, 20), 4000, "stranger"),
}
SEARCHES = {
    "a day": ("transacted_from=2026-10-15&transacted_to=2026-10-15", "b"),
    "days from": ("transacted_from=2026-10-15", "bcd"),
    "days to": ("transacted_to=2026-11-01", "abc"),
    "days from and to": ("transacted_from=2026-10-02&transacted_to=2026-11-01", "bc"),
    "the day of issue": ("issued_from=2026-11-01&issued_to=2026-11-30", "cd"),
    "an amount": ("amount_from=2200&amount_to=2200", "b"),
    "amounts from": ("amount_from=2201", "cd"),
    "amounts to": ("amount_to=2200", "ab"),
    "amounts from and to": ("amount_from=1101&amount_to=3300", "bc"),
    "a counterparty": ("counterparty={buyer}", "ac"),
    "days and amounts": ("transacted_from=2026-10-15&transacted_to=2026-11-30&amount_to=3300", "bc"),
    "days and a counterparty": ("transacted_to=2026-10-31&counterparty={buyer}", "a"),
    "amounts and a counterparty": ("amount_from=2201&counterparty={stranger}", "d"),
    "all three": ("transacted_from=2026-10-15&amount_from=2200&amount_to=3300&counterparty={buyer}", "c"),
    "all three, and nothing is so": ("transacted_from=2026-11-02&amount_to=3300&counterparty={buyer}", ""),
}


@pytest.fixture
def papers(market: Market) -> dict[str, str]:
    """Invoices of the provider, by the names they have above; and a stranger's, which nobody here finds."""
    issued = {}
    with transaction():
        provider = db.session.get_one(Organization, market.provider.organization_id)
        for name, (day, net, buyer) in PAPERS.items():
            whose = db.session.get_one(Organization, getattr(market, buyer).organization_id)
            lines = [LineFactory(amount_net_yen=net)]
            draft = DraftFactory(issuing=provider, receiving=whose, lines=lines, transaction_on=day)
            with clock.stopped(datetime(day.year, day.month, day.day, 3, tzinfo=UTC)):
                issued[service.issue(SYSTEM, draft).id] = name
        service.issue(SYSTEM, DraftFactory(lines=[LineFactory(amount_net_yen=2000)]))
    return issued


@pytest.mark.parametrize("search", SEARCHES)
def test_documents_are_found_as_the_law_asks(market: Market, papers: dict[str, str], search: str) -> None:
    query, expected = SEARCHES[search]
    who = {name: getattr(market, name).organization_id for name in ("buyer", "stranger")}
    items = ok(market.provider.get(f"/v1/documents?{query.format(**who)}"))["items"]
    assert "".join(sorted(papers[one["id"]] for one in items)) == expected
