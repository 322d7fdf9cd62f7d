"""The public register: a month with known trades, published once, without a buyer in it and without small numbers."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings
from marketplace.disclosure import counting, queries, service
from marketplace.disclosure.models import RegisterLine, RegisterMonth
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.licensing import service as licensing
from tests.disclosure.world import CLOSED, OCTOBER, TITLES, World, fetch, give_back, listed_dataset, october, trade
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.licensing import draft_for, offer_of, terms_of

HIDDEN = {"buyers": None, "trades": None, "yen": None, "bytes": None}


@pytest.fixture
def world(app) -> World:
    return october()


def publish(at: datetime = CLOSED) -> None:
    with clock.stopped(at):
        service.publish_due()


def lines(month: str = "2026-10") -> dict[str, dict]:
    found = queries.list_lines(month, size=100).items
    return {(line.document["dataset"] or {}).get("title_ja", ""): line.document for line in found}


def shown(document: dict) -> dict:
    return {name: document[name] for name in ("showing", *HIDDEN)}


def of(buyers: int) -> dict:
    """What so many buyers come to, each with one trade."""
    return {"showing": "shown", "buyers": buyers, "trades": buyers, "yen": 1000 * buyers, "bytes": 2000 * buyers}


def buyers_alone(buyers: int) -> dict:
    """So many buyers beside a figure that is hidden."""
    return {"showing": "shown"} | HIDDEN | {"buyers": buyers}


def test_a_month_is_told_as_counted_by_hand(world):
    publish()
    month = queries.get_month("2026-10")
    assert shown(month.document) == of(51)
    assert (month.threshold, month.document["datasets_listed"], month.document["datasets_told"]) == (5, 4, True)
    told = lines()
    assert set(told) == set(TITLES.values())
    # Beside a hidden figure amounts would tell what the few paid.
    assert shown(told["人流データ"]) == buyers_alone(13)
    assert [shown(kind) for kind in told["人流データ"]["kinds"]] == [buyers_alone(6), buyers_alone(7)]
    # Two companies are a few; with them goes the smallest of the others, or the total would give them away.
    assert shown(told["希少な植物"]) == {"showing": "few"} | HIDDEN
    assert shown(told["路線バスの遅れ"]) == {"showing": "withheld"} | HIDDEN
    assert told["希少な植物"]["kinds"] is told["路線バスの遅れ"]["kinds"] is None
    assert shown(told["観光動向"]) == buyers_alone(27)
    kinds = {kind["kind"]: shown(kind) for kind in told["観光動向"]["kinds"]}
    assert kinds == {
        "company": buyers_alone(20),
        "municipality": {"showing": "few"} | HIDDEN,
        "university": {"showing": "withheld"} | HIDDEN,
    }


def test_months_before_and_after_hold_what_fell_into_them_in_japan(world):
    publish()
    assert shown(queries.get_month("2026-09").document) == {"showing": "few"} | HIDDEN
    assert [month.month for month in queries.list_months()] == ["2026-10", "2026-09"]
    publish(CLOSED + timedelta(days=31))
    assert shown(queries.get_month("2026-11").document) == {"showing": "few"} | HIDDEN
    assert lines("2026-09") == lines("2026-11") == {}


def test_no_buyer_is_in_anything_that_is_published(world):
    publish()
    published = json.dumps(
        [month.document for month in db.session.scalars(select(RegisterMonth))]
        + [line.document for line in db.session.scalars(select(RegisterLine))],
        ensure_ascii=False,
    )
    assert "人流データ" in published
    for buyer in world.buyers:
        assert buyer.id not in published
        assert buyer.name_ja not in published
        assert buyer.name_en not in published


def test_a_line_names_the_terms_on_offer_to_everybody_with_their_class_of_personal_data(world):
    dataset, offer = world.datasets["open"], world.offers["open"]
    owner = actor_of(db.session.get_one(Organization, dataset.organization_id))
    private = terms_of(owner, notices="この利用者だけの条件")
    offer_of(owner, dataset_id=dataset.id, terms_id=private.id, buyer_organization_id=world.buyers[0].id)
    publish()
    line = lines()["人流データ"]
    assert [terms["sha256"] for terms in line["terms"]] == [offer.terms_sha256]
    assert line["terms"][0]["privacy_class"] == "nonPersonalInformation"
    assert line["price_classes"] == ["one_off"]
    assert line["provider"]["id"] == dataset.organization_id
    assert line["terms"][0]["conditions"] == ["scanClean"]
    assert line["assessment"] is None


def test_a_line_names_the_terms_of_its_month_whatever_was_on_offer_before_and_after(world):
    dataset, first = world.datasets["open"], world.offers["open"]
    owner = actor_of(db.session.get_one(Organization, dataset.organization_id))

    def under(notices):
        return draft_for(owner, dataset_id=dataset.id, terms_id=terms_of(owner, notices=notices).id)

    with clock.stopped(OCTOBER):
        second = licensing.supersede_offer(owner, first.id, under("二"))
    with clock.stopped(OCTOBER + timedelta(days=17)):  # in November, before the month is published
        third = licensing.supersede_offer(owner, second.id, under("三"))
        licensing.withdraw_offer(owner, third.id)
        gone = licensing.make_offer(owner, under("四"))
    publish(CLOSED + timedelta(days=31))
    october_terms = {terms["sha256"] for terms in lines()["人流データ"]["terms"]}
    assert october_terms == {first.terms_sha256, second.terms_sha256}
    asked = ([dataset.id], *counting.span(date(2026, 11, 1)))
    november = {terms["sha256"] for terms in queries.terms_offered(*asked)[dataset.id]}
    assert november == {second.terms_sha256, third.terms_sha256, gone.terms_sha256}
    asked = ([dataset.id], *counting.span(date(2026, 12, 1)))
    assert [terms["sha256"] for terms in queries.terms_offered(*asked)[dataset.id]] == [gone.terms_sha256]


def test_a_line_leads_to_the_assessment_that_its_provider_published(world):
    world.datasets["open"].assessment_url = "https://www.city.sapporo.jp/pia/1"
    db.session.flush()
    publish()
    assert lines()["人流データ"]["assessment"] == {"url": "https://www.city.sapporo.jp/pia/1"}
    assert lines()["観光動向"]["assessment"] is None


def test_nothing_hidden_is_what_is_left_of_a_total(world):
    publish()
    families = [(queries.get_month("2026-10").document, list(lines().values()))]
    families += [(line, line["kinds"]) for line in lines().values() if line["kinds"]]
    hiding = 0
    for total, parts in families:
        hidden = [part for part in parts if part["showing"] != "shown"]
        left = total["buyers"] - sum(part["buyers"] for part in parts if part not in hidden)
        if not hidden:
            assert left == 0
            continue
        # What is left is shared by several, and there is more of it than a few.
        hiding += 1
        assert len(hidden) >= 2
        assert left >= 5 + 1
        assert {part[name] for part in parts for name in ("trades", "yen", "bytes")} == {None}
    assert hiding == 2


def test_what_one_bought_among_many_who_only_fetched_is_not_told(app):
    _dataset, offer = listed_dataset()
    buyers = [OrganizationFactory(buyer=True, kind="company") for _ in range(6)]
    for buyer in buyers:
        fetch(offer, buyer, OCTOBER)
    trade(offer, buyers[0], OCTOBER)
    publish()
    [line] = lines().values()
    told = [queries.get_month("2026-10").document, line, *line["kinds"]]
    assert [shown(document) for document in told] == [buyers_alone(6)] * 3


def test_who_got_all_of_it_back_holds_no_yen(app):
    _dataset, offer = listed_dataset()
    buyers = [OrganizationFactory(buyer=True, kind="company") for _ in range(6)]
    for buyer in buyers:
        trade(offer, buyer, OCTOBER)
    give_back(offer, buyers[0], OCTOBER)
    total, _buyers = counting.month_of_trade(date(2026, 10, 1))
    assert (total.count, total.amounts, total.holders) == (6, (6, 5_000, 12_000), (6, 5, 6))


def test_what_the_catalogue_has_no_more_is_told_together_and_unnamed(world):
    for name in ("open", "mixed"):
        listings.drop_listing(world.datasets[name].id)
    publish()
    told = lines()
    assert set(told) == {"", "希少な植物", "観光動向"}
    # 22 buyers of both together: hidden, since it is the smallest beside the few.
    assert shown(told[""]) == {"showing": "withheld"} | HIDDEN
    assert told[""]["dataset"] is None
    assert told[""]["terms"] == []


def test_what_is_published_is_never_changed(world):
    publish()
    before = queries.get_month("2026-10").sha256
    trade(world.offers["rare"], OrganizationFactory(buyer=True), OCTOBER)
    publish(CLOSED + timedelta(days=1))
    assert db.session.scalar(select(func.count()).select_from(RegisterMonth)) == 2
    assert queries.get_month("2026-10").sha256 == before
    for statement in (
        "UPDATE register_month SET threshold = 2",
        "DELETE FROM register_line",
        "TRUNCATE register_month CASCADE",
    ):
        with pytest.raises(DBAPIError, match=r"append-only|never"), db.session.begin_nested():
            db.session.execute(text(statement))
    assert queries.get_month("2026-10").sha256 == before


def test_each_month_is_on_the_record_with_its_hash(world):
    publish()
    entries = db.session.scalars(select(Entry).where(Entry.verb == Verb.REGISTER_PUBLISHED.value)).all()
    month = queries.get_month("2026-10")
    facts = {entry.subject: entry.facts for entry in entries}
    assert set(facts) == {"2026-09", "2026-10"}
    assert facts["2026-10"] == {"sha256": month.sha256, "threshold": 5, "lines": 4}
    told = [line.document for line in queries.list_lines("2026-10", size=100).items]
    assert digest_of({"document": month.document, "lines": told}) == month.sha256


def test_a_month_waits_until_some_days_after_its_end(world):
    publish(datetime(2026, 11, 10, 14, 59, tzinfo=UTC))  # a minute before the 11th in Japan
    assert queries.last_month() == date(2026, 9, 1)
    publish(datetime(2026, 11, 10, 15, 0, tzinfo=UTC))
    assert queries.last_month() == date(2026, 10, 1)


def test_without_trade_nothing_is_published(app):
    listed_dataset()
    publish()
    assert queries.list_months() == []
    with pytest.raises(NotFound):
        queries.get_month("2026-10")


def test_lines_come_in_pages_that_miss_none(world):
    publish()
    first = queries.list_lines("2026-10", size=3)
    second = queries.list_lines("2026-10", size=3, cursor=first.next_cursor)
    assert [line.number for line in (*first.items, *second.items)] == [1, 2, 3, 4]
    assert second.next_cursor is None
