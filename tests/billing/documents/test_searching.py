"""Finding documents again, by anything and any combination; and not those of others."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy.orm import Session

from marketplace.billing.documents import queries, service
from marketplace.billing.documents.errors import DocumentNotFound
from marketplace.billing.documents.queries import Wanted
from marketplace.billing.documents.states import DocumentKind
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.errors import Invalid
from tests.factories.documents import DraftFactory, LineFactory
from tests.factories.identity import OrganizationFactory, actor_of


@pytest.fixture
def papers(session: Session) -> dict:
    """A city that billed two shops on several days, and a trade of strangers."""
    city, north, south = OrganizationFactory(city=True), OrganizationFactory(), OrganizationFactory()
    issued = {}
    for name, buyer, day, net, kind in (
        ("a", north, date(2026, 10, 1), 1000, DocumentKind.INVOICE),
        ("b", south, date(2026, 10, 15), 2000, DocumentKind.INVOICE),
        ("c", north, date(2026, 11, 1), 3000, DocumentKind.QUOTE),
        ("d", south, date(2026, 11, 20), 4000, DocumentKind.INVOICE),
    ):
        lines = [LineFactory(amount_net_yen=net)]
        draft = DraftFactory(
            issuing=city, receiving=buyer, lines=lines, kind=kind, transaction_on=day, about=(f"thing_{name}",)
        )
        with clock.stopped(datetime(2026, day.month, day.day, 3, tzinfo=UTC)):
            issued[name] = service.issue(SYSTEM, draft)
    service.issue(SYSTEM, DraftFactory())
    return {"city": city, "north": north, "south": south, "issued": issued}


def found(papers: dict, who: str, **wanted) -> str:
    page = queries.search(actor_of(papers[who]), Wanted(**wanted))
    by_id = {document.id: name for name, document in papers["issued"].items()}
    return "".join(sorted(by_id[document.id] for document in page.items))


def test_each_condition_and_all_together_narrow_the_search(papers: dict) -> None:
    assert found(papers, "city") == "abcd"
    assert found(papers, "city", kind="quote") == "c"
    assert found(papers, "city", number=papers["issued"]["b"].number) == "b"
    assert found(papers, "city", counterparty=papers["south"].id) == "bd"
    assert found(papers, "city", transacted_from=date(2026, 10, 15), transacted_to=date(2026, 11, 1)) == "bc"
    assert found(papers, "city", issued_from=date(2026, 11, 1)) == "cd"
    assert found(papers, "city", issued_to=date(2026, 10, 1)) == "a"
    assert found(papers, "city", amount_from=2200, amount_to=3300) == "bc"
    assert found(papers, "city", about="thing_d") == "d"
    both = {"counterparty": papers["south"].id, "amount_from": 2201, "transacted_from": date(2026, 10, 1)}
    assert found(papers, "city", **both, kind="invoice") == "d"
    assert found(papers, "city", **both, kind="quote") == ""


def test_parties_find_their_own_and_overseers_all(papers: dict) -> None:
    assert found(papers, "north") == "ac"
    assert found(papers, "north", counterparty=papers["city"].id) == "ac"
    assert found(papers, "north", counterparty=papers["south"].id) == ""
    assert found(papers, "north", counterparty=papers["north"].id) == ""
    auditor = actor_of(OrganizationFactory(auditor=True))
    assert len(queries.search(auditor, Wanted()).items) == 5
    assert len(queries.search(auditor, Wanted(counterparty=papers["north"].id)).items) == 2


def test_pages_follow_each_other_without_gap_or_double(papers: dict) -> None:
    city, cursor, seen = actor_of(papers["city"]), None, []
    while True:
        page = queries.search(city, Wanted(), cursor=cursor, size=1)
        seen += [document.id for document in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted((document.id for document in papers["issued"].values()), reverse=True)
    with pytest.raises(Invalid):
        queries.search(city, Wanted(), cursor="nonsense")


def test_what_is_others_does_not_exist(papers: dict) -> None:
    document = papers["issued"]["a"]
    assert queries.get_document(actor_of(papers["north"]), document.id) is document
    for reader, identifier in (
        (papers["south"], document.id),
        (papers["north"], "doc_'; --"),
        (papers["north"], "\x00"),
    ):
        with pytest.raises(DocumentNotFound):
            queries.get_document(actor_of(reader), identifier)
    for lookup in (queries.require, queries.lock):
        with pytest.raises(DocumentNotFound):
            lookup("doc_none")
