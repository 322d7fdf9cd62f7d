"""Published files that an earlier version profiled with less are looked into again; nothing that is sold changes."""

import pytest
from flask import Flask
from sqlalchemy import update

from marketplace.access import queries as grants
from marketplace.catalog import listings, profile_form, service
from marketplace.catalog import queries as catalog
from marketplace.catalog.models import File
from marketplace.catalog.states import ProfileState
from marketplace.exchange import facilities, listing, purchase, reprofiling
from marketplace.kit import jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import market
from tests.factories.catalog import profiled

ROWS = "".join(f"{'大通' if n % 3 else 'すすきの'},{n % 50}\n" for n in range(120))
CONTENT = f"地点,人数\n{ROWS}".encode()
OLD = {"format": "csv", "rows": 120, "columns": [{"name": "地点", "type": "言"}, {"name": "人数", "type": "integer"}]}


def old_file(
    on: market.Listed, names: tuple[str, ...] = ("古い.csv",), profile: dict[str, object] | None = None
) -> str:
    """A release that was published by a version whose profiles told less."""
    with transaction():
        release = service.open_release(on.provider, on.dataset_id, "旧版")
        for name in names:
            stored = listing.receive([CONTENT + name.encode()], None, None)
            file = listing.attach(on.provider, release.id, name, "text/csv", stored)
            profiled(file.id, profile or OLD, ProfileState.PROFILED)
        listing.publish(on.provider, release.id)
        db.session.execute(update(File).where(File.release_id == release.id).values(profile_form=1))
    return release.id


def files(release_id: str) -> list[File]:
    db.session.expire_all()
    return list(catalog.list_files(release_id))


def shown(on: market.Listed) -> list[dict[str, object]]:
    found = listings.find_listing(on.dataset_id)
    assert found is not None
    return [column.get("distribution") for column in found.document["releases"][0]["files"][0]["profile"]["columns"]]


def test_facts_are_added_and_what_is_sold_stays(app: Flask) -> None:
    del app
    on, buyer = market.listed(), market.buyer()
    release_id = old_file(on)
    offer = market.offered(on)
    with transaction():
        order_id = purchase.place_order(buyer, offer.id, offer.terms_sha256)
    [before] = files(release_id)
    kept = (before.sha256, before.size_bytes, before.name, before.profiled_at)
    assert shown(on) == [None, None]
    reprofiling.profile_anew()
    [file] = files(release_id)
    assert (file.sha256, file.size_bytes, file.name, file.profiled_at) == kept
    assert file.profile is not None
    assert [column["type"] for column in file.profile["columns"]] == ["言", "integer"]  # as it was told before
    assert file.profile["columns"][0]["distribution"]["values"][0] == {"value": "大通", "count": 80}
    assert shown(on)[0] is not None
    assert shown(on)[1] is not None
    order = purchase.read(buyer, order_id).order
    assert order.terms_sha256 == offer.terms_sha256
    assert grants.find_grant_of_order(order_id) is None or order.state == "paid"
    assert catalog.behind_file_ids(10) == []


def test_it_goes_on_where_it_was_ended_and_comes_by_itself(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    del app
    on = market.listed()
    release_id = old_file(on, ("一.csv", "二.csv", "三.csv"))
    monkeypatch.setattr(reprofiling, "FILES_AT_ONCE", 2)
    looked: list[str] = []
    look = reprofiling._look

    def ended(sha256: str, name: str) -> dict[str, object] | None:
        if len(looked) == 1:
            raise KeyboardInterrupt
        looked.append(name)
        return look(sha256, name)

    monkeypatch.setattr(reprofiling, "_look", ended)
    with pytest.raises(KeyboardInterrupt):
        reprofiling.profile_anew()
    assert sorted(file.profile_form for file in files(release_id)) == [1, 1, profile_form.FORM]
    assert shown(on) == [None, None]  # listed anew once, after the last
    monkeypatch.setattr(reprofiling, "_look", look)
    with transaction():
        reprofiling.begin()
    assert jobs.run_pending(reprofiling.JOB) == 1
    assert shown(on)[0] is not None
    assert {file.profile_form for file in files(release_id)} == {profile_form.FORM}
    with transaction():
        reprofiling.begin()
    assert jobs.run_pending(reprofiling.JOB) == 0
    assert reprofiling.JOB in jobs._periodic
    assert jobs._queues[reprofiling.JOB] == jobs.IDLE


def test_what_cannot_be_looked_into_stays_as_it_was_and_holds_up_nobody(app: Flask) -> None:
    del app
    on, other = market.listed(), market.listed()
    gone = old_file(on, profile={"format": "csv", "columns": [{"name": "a"}]})
    facilities.current().store.remove(files(gone)[0].sha256)
    fine = old_file(other, ("別.csv",))
    reprofiling.profile_anew()
    assert files(gone)[0].profile == {"format": "csv", "columns": [{"name": "a"}]}
    assert catalog.behind_file_ids(10) == []
    assert files(fine)[0].profile is not None
    assert shown(other)[0] is not None


def test_drafts_and_new_files_are_let_alone(app: Flask) -> None:
    del app
    on = market.listed()
    with transaction():
        release = service.open_release(on.provider, on.dataset_id, "下書き")
        file = listing.attach(on.provider, release.id, "a.csv", "text/csv", listing.receive([CONTENT], None, None))
        profiled(file.id, OLD, ProfileState.PROFILED)
        db.session.execute(update(File).where(File.id == file.id).values(profile_form=1))
    assert catalog.behind_file_ids(10) == []


def test_a_later_look_changes_nothing_that_was_told() -> None:
    known = {"rows": 5, "columns": [{"name": "a", "min": "1"}, {"name": "b"}], "preview": [["1", "x"]]}
    found = {"rows": 6, "grid": {}, "preview": [], "columns": [{"name": "a", "min": "0", "new": 1}, {"name": "b"}]}
    assert profile_form.completed(known, found) == known | {
        "grid": {},
        "columns": [{"name": "a", "min": "1", "new": 1}, {"name": "b"}],
    }
    assert profile_form.completed(known, found | {"columns": [{"name": "a"}]})["columns"] == known["columns"]
