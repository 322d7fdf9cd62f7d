"""What datasets were made of is shown both ways, never in circles; citations wait for the provider's yes."""

import pytest
from flask import Flask
from sqlalchemy import insert

from marketplace.audit.verbs import Verb
from marketplace.catalog import queries as catalog
from marketplace.catalog.errors import DatasetWithdrawn, VersionStale
from marketplace.catalog.groups import service as groups
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.catalog.lineage import queries, rules, service
from marketplace.catalog.lineage.errors import CitationDecided, CitationsWaiting, CitedAlready, LineageCircular
from marketplace.catalog.lineage.models import DatasetOrigin
from marketplace.catalog.lineage.rules import CitationDraft, SourceDraft
from marketplace.catalog.lineage.states import CitationKind, CitationState
from marketplace.exchange import listing, provenance
from marketplace.identity.actors import Actor
from marketplace.identity.states import MemberRole
from marketplace.kit import mail
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.transaction import transaction
from tests.catalog.test_catalog_races import entries, lost, race, won
from tests.factories import market
from tests.factories.identity import MemberFactory

ELSEWHERE = SourceDraft(url="https://data.example.jp/weather", title="気象観測", words="日平均を用いた。")


def declare(on: market.Listed, *sources: SourceDraft) -> None:
    with transaction():
        service.declare_origins(on.provider, on.dataset_id, sources, catalog.get_dataset(on.dataset_id).version)


def cited(actor: Actor, on: market.Listed, url: str = "https://example.jp/paper") -> str:
    with transaction():
        return provenance.cite(actor, on.dataset_id, CitationDraft(CitationKind.PUBLICATION, "論文", url)).id


def decided(actor: Actor, citation_id: str, state: CitationState) -> None:
    with transaction():
        service.decide(actor, citation_id, state)


def test_lineage_is_shown_both_ways(app: Flask) -> None:
    del app
    source, made = market.listed(), market.listed()
    declare(made, SourceDraft(dataset_id=source.dataset_id, words="集計した。"), ELSEWHERE)
    up, down = provenance.read(None, made.dataset_id), provenance.read(None, source.dataset_id)
    assert [one["dataset_id"] for one in up["sources"]] == [source.dataset_id, None]
    assert up["sources"][0]["words"] == "集計した。"
    assert up["sources"][1]["title_ja"] == "気象観測"
    assert [one["dataset_id"] for one in down["derived"]] == [made.dataset_id]
    assert (down["sources"], up["derived"]) == ([], [])
    declare(made)
    assert provenance.read(None, source.dataset_id)["derived"] == []
    assert entries(Verb.ORIGINS_DECLARED) == 2


def test_a_circle_is_refused_and_changes_nothing(app: Flask) -> None:
    del app
    first, second, third = market.listed(), market.listed(), market.listed()
    declare(second, SourceDraft(dataset_id=first.dataset_id))
    declare(third, SourceDraft(dataset_id=second.dataset_id))
    before = catalog.get_dataset(first.dataset_id).version
    with pytest.raises(LineageCircular) as refused:
        declare(first, SourceDraft(dataset_id=third.dataset_id))
    assert refused.value.members["through"] == [second.dataset_id]
    assert catalog.get_dataset(first.dataset_id).version == before
    assert queries.list_origins(first.dataset_id) == []
    assert entries(Verb.ORIGINS_DECLARED) == 2


def test_a_circle_by_way_of_something_hidden_is_closed_without_a_word(app: Flask) -> None:
    del app
    first, second, hidden = market.listed(), market.listed(), market.listed()
    with transaction():
        group = groups.make_group(hidden.provider, GroupDraft("会"))
        listing.set_audience(hidden.provider, hidden.dataset_id, group.id)
    declare(hidden, SourceDraft(dataset_id=first.dataset_id))
    with transaction():  # its provider was in the group when it said so
        insert_origin(second.dataset_id, hidden.dataset_id)

    declare(first, SourceDraft(dataset_id=second.dataset_id))

    assert [one["dataset_id"] for one in provenance.read(None, first.dataset_id)["sources"]] == [second.dataset_id]
    assert provenance.read(None, first.dataset_id)["derived"] == []
    with pytest.raises(LineageCircular) as refused:
        declare(hidden, SourceDraft(dataset_id=first.dataset_id))
    assert refused.value.members["through"] == [second.dataset_id]


def insert_origin(dataset_id: str, source_id: str) -> None:
    said = {"url": None, "title": "", "words": "", "place": 9}
    db.session.execute(insert(DatasetOrigin).values(dataset_id=dataset_id, source_dataset_id=source_id, **said))


def test_of_two_halves_of_a_circle_at_once_one_is_kept(own_database: Flask) -> None:
    both = [market.listed(), market.listed()]
    ids = [on.dataset_id for on in both]

    def half(n: int) -> str:
        at = n % 2
        version = catalog.get_dataset(ids[at]).version
        source = SourceDraft(dataset_id=ids[1 - at])
        return service.declare_origins(both[at].provider, ids[at], [source], version).id

    outcomes = race(own_database, half)
    assert len(set(won(outcomes))) == 1
    assert lost(outcomes) <= {LineageCircular, VersionStale}
    assert LineageCircular in lost(outcomes)
    assert sorted(len(queries.list_origins(one)) for one in ids) == [0, 1]


def test_a_source_that_one_does_not_see_is_as_one_that_is_not_there(app: Flask) -> None:
    del app
    made, hidden = market.listed(), market.listed()
    with transaction():
        listing.withdraw_dataset(hidden.provider, hidden.dataset_id)
    for unseen in (hidden.dataset_id, "ds_" + "0" * 32):
        with pytest.raises(Invalid) as refused:
            declare(made, ELSEWHERE, SourceDraft(dataset_id=unseen))
        assert [error["pointer"] for error in refused.value.errors] == ["/sources/1/dataset_id"]


def test_what_is_listed_no_more_is_shown_at_neither_end(app: Flask) -> None:
    del app
    source, made = market.listed(), market.listed()
    declare(made, SourceDraft(dataset_id=source.dataset_id))
    with transaction():
        listing.withdraw_dataset(source.provider, source.dataset_id)
    assert provenance.read(None, made.dataset_id)["sources"] == []
    with pytest.raises(NotFound):
        provenance.read(None, source.dataset_id)
    with pytest.raises(DatasetWithdrawn):
        declare(source)
    with pytest.raises(NotFound), transaction():
        service.declare_origins(made.provider, source.dataset_id, [], 1)


@pytest.mark.parametrize(
    "source",
    [
        SourceDraft(), SourceDraft(dataset_id="ds_1", url="https://a.example"), SourceDraft(url="javascript:alert(1)", title="x"),
        SourceDraft(url="https://a.example"), SourceDraft(url="https://a.example", title="x", words="\0"), SourceDraft(dataset_id="ds_own"),
    ],
)  # fmt: skip
def test_a_source_that_breaks_a_rule_is_pointed_at(source: SourceDraft) -> None:
    with pytest.raises(Invalid) as refused:
        rules.check_sources("ds_own", [ELSEWHERE, source])
    assert [error["pointer"] for error in refused.value.errors] == ["/sources/1"]
    with pytest.raises(Invalid):
        rules.check_sources("ds_own", [ELSEWHERE, ELSEWHERE])


def test_a_citation_of_the_provider_is_shown_at_once_and_anothers_after_its_yes(app: Flask) -> None:
    del app
    on, buyer = market.listed(), market.buyer()
    with transaction():
        MemberFactory(
            organization_id=on.provider.organization_id, role=MemberRole.CATALOGUE_EDITOR.value, email="desk@example.jp"
        )
    own = cited(on.provider, on, "https://example.jp/own")
    others = cited(buyer, on)

    assert [one["id"] for one in provenance.citations_of(None, on.dataset_id)] == [own]
    [letter] = mail.list_waiting()
    assert letter.recipient == "desk@example.jp"
    assert "/organization/citations\n" in letter.body
    decided(on.provider, others, CitationState.SHOWN)
    assert [one["id"] for one in provenance.citations_of(None, on.dataset_id)] == [others, own]
    with pytest.raises(CitationDecided):
        decided(on.provider, others, CitationState.DECLINED)
    decided(on.provider, others, CitationState.REMOVED)
    assert [one["id"] for one in provenance.citations_of(None, on.dataset_id)] == [own]
    assert [entries(Verb.CITATION_ADDED), entries(Verb.CITATION_DECIDED)] == [2, 2]


def test_what_waits_of_a_stranger_is_no_answer_to_others_and_one_of_an_address_is_shown(app: Flask) -> None:
    del app
    on, first, second = market.listed(), market.buyer(), market.buyer()
    waiting, other = cited(first, on), cited(second, on)
    decided(on.provider, other, CitationState.SHOWN)
    with pytest.raises(CitedAlready):
        decided(on.provider, waiting, CitationState.SHOWN)
    with pytest.raises(CitedAlready):
        cited(market.buyer(), on)
    decided(on.provider, other, CitationState.REMOVED)
    decided(on.provider, waiting, CitationState.SHOWN)
    assert [one["id"] for one in provenance.citations_of(None, on.dataset_id)] == [waiting]


def test_a_citation_is_entered_once_by_those_who_see_the_dataset(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    del app
    on, buyer = market.listed(), market.buyer()
    cited(buyer, on)
    with pytest.raises(CitedAlready):
        cited(buyer, on)
    with pytest.raises(Invalid):
        cited(buyer, on, "ftp://example.jp")
    with pytest.raises(NotFound):
        decided(buyer, queries.list_citations(on.dataset_id, shown_only=False).items[0].id, CitationState.SHOWN)
    monkeypatch.setattr(service, "WAITING_MAX", 1)
    with pytest.raises(CitationsWaiting):
        cited(buyer, on, "https://example.jp/other")
    with transaction():
        listing.withdraw_dataset(on.provider, on.dataset_id)
    with pytest.raises(NotFound):
        cited(buyer, on, "https://example.jp/late")
    assert entries(Verb.CITATION_ADDED) == 1
