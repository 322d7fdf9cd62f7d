"""What is listed to a group alone is in no figure that the public gets: not in a sum, and not by what is left of one."""

from datetime import UTC, datetime

import pytest

from marketplace.catalog import listings
from marketplace.catalog.groups import service as groups
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.disclosure import queries, service
from marketplace.disclosure.annual.report import compile_report
from marketplace.exchange import showcase
from marketplace.identity import queries as identity
from marketplace.kit import clock
from marketplace.licensing.models import Offer
from tests.disclosure.world import OCTOBER, listed_dataset, trade
from tests.factories.identity import OrganizationFactory, actor_of

MAY = datetime(2026, 5, 15, 3, tzinfo=UTC)
AFTER_YEAR = datetime(2027, 1, 12, tzinfo=UTC)


def sold(offer: Offer, buyers: int, at: datetime) -> None:
    for _ in range(buyers):
        trade(offer, OrganizationFactory(buyer=True, kind="company"), at)


def private_offer() -> Offer:
    dataset, offer = listed_dataset(title_ja="秘匿路線")
    provider = actor_of(identity.get_organization(dataset.organization_id))
    group = groups.make_group(provider, GroupDraft("観光推進の会"))
    listings.put_listing(dataset.id, showcase.document(groups.set_audience(provider, dataset.id, group.id)))
    return offer


def told() -> tuple[list[dict], dict[str, dict], dict[str, dict]]:
    """All months of the register, and the figures of the year for overseers and for the public."""
    with clock.stopped(AFTER_YEAR):
        service.publish_due()
        full, public = compile_report(2026)
    months = [
        month.document | {"lines": [line.document["dataset"] for line in queries.list_lines(month.month).items]}
        for month in queries.list_months_of(2026)
    ]
    figures = [
        {figure["key"]: figure for section in document["sections"] for figure in section["figures"]}
        for document in (full, public)
    ]
    return months, figures[0], figures[1]


@pytest.mark.parametrize("buyers", [1, 9])
def test_neither_the_register_nor_what_the_year_leaves_beside_it_tells_of_private_trades(app, buyers: int) -> None:
    _dataset, offer = listed_dataset()
    sold(offer, 13, OCTOBER)
    hidden = private_offer()
    sold(hidden, buyers, MAY)
    sold(hidden, buyers, OCTOBER)

    months, full, public = told()

    # The register begins with the first trade that everybody may know of.
    assert [(month["buyers"], month["trades"], month["yen"]) for month in months] == [(13, 13, 13_000)] + [
        (0, 0, 0)
    ] * 2
    assert [len(month["lines"]) for month in months] == [1, 0, 0]
    assert (public["trades"]["value"], public["sales"]["value"], public["bytes"]["value"]) == (13, 13_000, 26_000)
    assert full["commission"]["value"] == 1_300 + 2 * buyers * 100
    assert {public[name]["value"] for name in ("commission", "active", "free_trades", "receipts", "ways")} == {None}


def test_where_nothing_is_private_the_year_is_told(app) -> None:
    _dataset, offer = listed_dataset()
    sold(offer, 13, OCTOBER)

    _months, _full, public = told()

    assert (public["trades"]["value"], public["free_trades"]["showing"]) == (13, "shown")
    assert public["bytes"]["value"] == 26_000
