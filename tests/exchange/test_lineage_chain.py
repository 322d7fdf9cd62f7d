"""The whole chain of a dataset, as far as its reader sees it: diamonds, bounds, and hidden ones in the middle."""

from itertools import pairwise

import pytest
from flask import Flask
from sqlalchemy import event

from marketplace.catalog.groups import queries as groups
from marketplace.catalog.groups import service as grouping
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.catalog.lineage import chain
from marketplace.catalog.lineage.rules import SourceDraft
from marketplace.exchange import listing, provenance
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.exchange.test_provenance import ELSEWHERE, declare
from tests.factories import market
from tests.web.people import Browser


def made_of(on: market.Listed, *sources: market.Listed) -> None:
    declare(on, *(SourceDraft(dataset_id=one.dataset_id) for one in sources))


def depths(on: market.Listed, reader: Actor | None = None) -> dict[str, int]:
    told = provenance.read(reader, on.dataset_id)["chain"]
    return {one["dataset_id"]: one["depth"] for one in told["nodes"]}


def steps(on: market.Listed) -> list[tuple[str, str]]:
    told = provenance.read(None, on.dataset_id)["chain"]["steps"]
    return [(one["source_dataset_id"], one["dataset_id"]) for one in told]


def line(length: int) -> list[market.Listed]:
    """Datasets each made of the one before."""
    provider = market.seller()
    made = [market.listed(provider) for _ in range(length)]
    for before, after in pairwise(made):
        made_of(after, before)
    return made


def hidden_to_a_group(on: market.Listed) -> Actor:
    """List a dataset to a group alone; returns one of the group."""
    member = market.buyer()
    with transaction():
        group = grouping.make_group(on.provider, GroupDraft("会"))
        grouping.admit(on.provider, group.id, member.organization_id)
        listing.set_audience(on.provider, on.dataset_id, group.id)
    return member


def test_a_diamond_is_told_once_at_each_corner(app: Flask) -> None:
    top, left, right, bottom = (market.listed() for _ in range(4))
    declare(top, ELSEWHERE)
    for side in (left, right):
        made_of(side, top)
    made_of(bottom, left, right)
    ids = [one.dataset_id for one in (top, left, right, bottom)]
    assert depths(bottom) == dict(zip(ids, (-2, -1, -1, 0), strict=True))
    assert depths(top) == dict(zip(ids, (0, 1, 1, 2), strict=True))
    assert depths(left) == {ids[0]: -1, ids[1]: 0, ids[3]: 1}  # the other side is neither above nor below
    edges = {(ids[0], ids[1]), (ids[0], ids[2]), (ids[1], ids[3]), (ids[2], ids[3])}
    assert len(steps(bottom)) == 5
    assert set(steps(bottom)) == edges | {(None, ids[0])}
    told = provenance.read(None, bottom.dataset_id)
    assert [one["dataset_id"] for one in told["sources"]] == ids[1:3]
    assert told["chain"]["is_cut"] is False
    for on, link in ((bottom, "https://data.example.jp/weather"), (top, f"/catalog/{bottom.dataset_id}")):
        text = Browser(app, "ja").get(f"/catalog/{on.dataset_id}").text.split('id="lineage"')[1].split("</section>")[0]
        assert link in text
        assert text.count("（既出）") == 1


def test_what_lies_farther_than_the_bound_is_cut_off_and_said_so(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    del app
    monkeypatch.setattr(chain, "DEPTH_MAX", 3)
    made = line(6)
    ids = [one.dataset_id for one in made]
    assert depths(made[5]) == {ids[2]: -3, ids[3]: -2, ids[4]: -1, ids[5]: 0}
    assert depths(made[0]) == {ids[0]: 0, ids[1]: 1, ids[2]: 2, ids[3]: 3}
    assert [provenance.read(None, one)["chain"]["is_cut"] for one in ids] == [True, True, False, False, True, True]


def test_more_than_is_told_is_cut_off_farthest_first(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    del app
    monkeypatch.setattr(chain, "EDGES_MAX", 2)
    made = line(4)
    assert sorted(depths(made[3]).values()) == [-2, -1, 0]
    assert provenance.read(None, made[3].dataset_id)["chain"]["is_cut"]
    assert not provenance.read(None, made[2].dataset_id)["chain"]["is_cut"]


def test_a_hidden_one_in_the_middle_hides_what_lies_behind_it_alone(app: Flask) -> None:
    del app
    first, hidden, third, fourth = made = line(4)
    member = hidden_to_a_group(hidden)
    ids = [one.dataset_id for one in made]
    assert depths(fourth) == {ids[2]: -1, ids[3]: 0}
    assert depths(first) == {ids[0]: 0}
    for on in (first, third, fourth):
        told = provenance.read(None, on.dataset_id)
        assert hidden.dataset_id not in str(told)
        assert told["chain"]["is_cut"] is False
    assert depths(fourth, member) == {ids[0]: -3, ids[1]: -2, ids[2]: -1, ids[3]: 0}
    made_of(fourth, third, first)  # another way round it
    assert depths(fourth) == {ids[0]: -1, ids[2]: -1, ids[3]: 0}


def test_what_is_listed_no_more_ends_the_walk(app: Flask) -> None:
    del app
    first, second, third = made = line(3)
    with transaction():
        listing.withdraw_dataset(second.provider, second.dataset_id)
    assert [depths(one) for one in (first, third)] == [{first.dataset_id: 0}, {third.dataset_id: 0}]
    assert len(made) == 3


def test_the_chain_takes_one_question_however_long_it_is(app: Flask) -> None:
    del app
    made, sight = line(5), groups.sight_of(None)
    sent: list[str] = []

    def note(*given: object) -> None:
        sent.append(str(given[2]))

    event.listen(db.engine, "before_cursor_execute", note)
    walked = [chain.walk(one.dataset_id, sight) for one in (made[4], made[0])]
    event.remove(db.engine, "before_cursor_execute", note)
    assert [len(walked[0].up), len(walked[1].down)] == [4, 4]
    assert len([one for one in sent if "dataset_origin" in one]) == 2
    assert chain.walk("ds_0", sight) == chain.Chain([], [], is_cut=False)
