"""What is shown of a dataset before it is bought: composed of real files, masked, judged, and compared."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings, profiling, queries, service
from marketplace.catalog.dictionary import ColumnNote
from marketplace.catalog.errors import DatasetWithdrawn, VersionStale
from marketplace.catalog.models import Dataset
from marketplace.catalog.states import ProfileState
from marketplace.exchange import listing, understanding
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.privacy.detectors import MASK
from tests.catalog.test_catalog_races import entries, kept_provider, lost, race, won
from tests.factories import market
from tests.factories.catalog import profiled

PHONE = "090-1234-5678"
ROWS = [
    "日付,地点,緯度,経度,人数（人）,利用者電話",
    *(
        f"2026-{1 + n % 12:02}-{1 + n % 28:02},{'大通' if n % 3 else 'すすきの'},43.{n:03},141.{n:03},{n * 7 % 400},{PHONE}"
        for n in range(300)
    ),
]
TABLE = "\n".join(ROWS).encode()


def published(
    provider: Actor, dataset_id: str, content: bytes, name: str = "人流.csv", tmp_path: Path | None = None
) -> str:
    """A release with one file that was really looked into."""
    path = (tmp_path or Path("/tmp")) / f"{abs(hash(content))}.csv"
    path.write_bytes(content)
    found = profiling.profile_file(path, name)
    path.unlink()
    with transaction():
        release = service.open_release(provider, dataset_id, clock.text(clock.now()) + name)
        file = listing.attach(provider, release.id, name, "text/csv", listing.receive([content], None, None))
        profiled(file.id, found.document, ProfileState(found.state))
        return listing.publish(provider, release.id).id


def declared(on: market.Listed, *notes: ColumnNote) -> Dataset:
    with transaction():
        version = queries.get_dataset(on.dataset_id).version
        return understanding.declare_dictionary(on.provider, on.dataset_id, notes, version)


@pytest.fixture
def real(app: Flask, tmp_path: Path) -> market.Listed:
    del app
    on = market.listed()
    on.release_id = published(on.provider, on.dataset_id, TABLE, tmp_path=tmp_path)
    return on


def test_the_dictionary_of_a_real_file_tells_types_units_examples_and_distributions(real: market.Listed) -> None:
    declared(real, ColumnNote("地点", "計測地点", "Place", unit=""))
    columns = {one["name"]: one for one in understanding.dictionary_of(understanding.read(None, real.dataset_id))}

    assert columns["地点"]["label_en"] == "Place"
    assert columns["地点"]["distribution"]["values"] == [
        {"value": "大通", "count": 200},
        {"value": "すすきの", "count": 100},
    ]
    assert columns["人数（人）"]["unit"]["code"] == "{person}"
    assert columns["人数（人）"]["distribution"]["kind"] == "histogram"
    assert columns["日付"]["type"] == "date"
    assert columns["日付"]["null_share"] == "0.000000"


def test_what_a_detector_fired_on_is_in_no_part_of_the_public_document(real: market.Listed) -> None:
    document = understanding.read(None, real.dataset_id)
    assert PHONE not in json.dumps(document, ensure_ascii=False)
    sample = understanding.sample_of(document)
    assert sample["masked"] == {"利用者電話": ["telephone"]}
    assert sample["rows"][0] == ["2026-01-01", "すすきの", "43.000", "141.000", "0", MASK]
    assert len(sample["rows"]) == 20
    assert sample["rows_total"] == 300


def test_a_provider_says_that_telephones_are_of_schools_and_they_are_shown(real: market.Listed) -> None:
    declared(real, ColumnNote("利用者電話", personal=False), ColumnNote("地点", personal=True))
    sample = understanding.sample_of(understanding.read(None, real.dataset_id))
    assert sample["rows"][1][1::4] == [MASK, PHONE]
    entry = record.search_entries(record.Search(verb=Verb.DICTIONARY_DECLARED.value)).items[0]
    assert entry.entry.facts["not_personal"] == 1
    assert entry.entry.facts["columns"] == 2
    files = listings.find_listing(real.dataset_id)
    assert files is not None
    assert "大通" not in json.dumps(files.document["releases"][0]["files"], ensure_ascii=False)


def test_a_sample_has_no_more_rows_than_asked_for_and_none_of_another_name(real: market.Listed) -> None:
    document = understanding.read(None, real.dataset_id)
    assert len(understanding.sample_of(document, "人流.csv", 3)["rows"]) == 3
    assert len(understanding.sample_of(document, size=1000)["rows"]) == 20
    with pytest.raises(NotFound):
        understanding.sample_of(document, "別.csv")
    assert understanding.sample_of(document | {"releases": []})["rows"] == []


def test_time_and_place_stand_in_the_listing(real: market.Listed) -> None:
    document = understanding.read(None, real.dataset_id)
    assert document["temporal"] == {"from": "2026-01-01", "until": "2026-12-28", "column": "日付"}
    covered = understanding.covered(document)
    assert (document["bbox"], covered["points"]) == (["141.00", "43.00", "141.30", "43.30"], [])  # a column is masked
    declared(real, ColumnNote("利用者電話", personal=False))
    document = understanding.read(None, real.dataset_id)
    covered = understanding.covered(document)
    assert document["bbox"] == ["141.000", "43.000", "141.299", "43.299"]
    assert len(covered["points"]) == 20
    assert covered["region"] == "011002"


def test_the_score_stands_in_the_listing_and_rises_with_the_dictionary(real: market.Listed) -> None:
    before = understanding.read(None, real.dataset_id)["quality"]["score"]
    names = ("日付", "地点", "緯度", "経度", "人数（人）", "利用者電話")
    declared(real, *[ColumnNote(name, "意味", unit="度" if "度" in name else "") for name in names])
    after = understanding.judged(understanding.read(None, real.dataset_id))
    assert after["score"] > before
    part = next(one for one in after["parts"] if one["part"] == "dictionary")
    assert (part["points"], part["points_max"], part["improve"]) == (20, 20, [])
    assert (part["label_ja"], part["label_en"]) == ("データ辞書", "Data dictionary")
    assert understanding.judge(real.provider, real.dataset_id) == after


def test_a_draft_is_judged_for_its_provider_alone(app: Flask) -> None:
    del app
    provider, stranger = market.seller(), market.seller()
    with transaction():
        draft = service.register_dataset(provider, market.DatasetDraftFactory())
    assert 0 < understanding.judge(provider, draft.id)["score"] < 60
    with pytest.raises(NotFound):
        understanding.judge(stranger, draft.id)
    with pytest.raises(NotFound):
        understanding.read(None, draft.id)


def test_the_history_tells_what_changed_in_the_columns_and_what_came_late(real: market.Listed, tmp_path: Path) -> None:
    changed = TABLE.replace("地点".encode(), "地点名".encode(), 1).replace(b",43.", b",x43.", 1)
    with clock.stopped(clock.now() + timedelta(days=9)):
        newest = published(real.provider, real.dataset_id, changed, tmp_path=tmp_path)
        document = understanding.read(None, real.dataset_id)
        past = understanding.history_of(document)

    assert [one.on_time for one in past] == [False, True, None]
    assert (past[0].release.id, past[0].rows) == (newest, 300)
    assert past[0].changes is not None
    assert past[0].changes.renamed == [("地点", "地点名")]
    assert past[0].changes.retyped == [("緯度", "decimal", "string")]
    assert past[-1].changes is None
    compared = understanding.compare(document, real.release_id, newest)
    assert compared.changes == past[0].changes == understanding.compare(document).changes
    with pytest.raises(NotFound):
        understanding.compare(document, "rel_0", newest)


def test_a_dataset_without_releases_has_no_history(app: Flask) -> None:
    provider = market.seller()
    package = {"id": "p1", "name": "p1", "title": "人口", "resources": []}
    with transaction():
        dataset = listing.import_ckan(provider, package)
    assert understanding.history_of(understanding.read(None, dataset.id)) == []
    assert understanding.compare(understanding.read(None, dataset.id)).after_id is None
    assert understanding.dictionary_of(understanding.read(None, dataset.id)) == []
    del app


def test_what_became_overdue_is_judged_anew(real: market.Listed) -> None:
    score = understanding.read(None, real.dataset_id)["quality"]["score"]
    understanding.judge_anew()
    assert understanding.read(None, real.dataset_id)["quality"]["score"] == score

    with clock.stopped(clock.now() + timedelta(days=3)):
        assert listings.overdue_since_listed(clock.now()) == [real.dataset_id]
        understanding.judge_anew()
        db.session.expire_all()
        assert understanding.read(None, real.dataset_id)["quality"]["score"] == score - 8
        assert listings.overdue_since_listed(clock.now()) == []


def test_a_withdrawn_dataset_says_nothing_more_of_its_columns(real: market.Listed) -> None:
    with transaction():
        version = listing.withdraw_dataset(real.provider, real.dataset_id).version
    with pytest.raises(DatasetWithdrawn):
        understanding.declare_dictionary(real.provider, real.dataset_id, [], version)
    with pytest.raises(NotFound):
        understanding.declare_dictionary(market.seller(), real.dataset_id, [], version)


def test_of_many_who_declare_a_dictionary_at_once_one_is_heard(own_database: Flask) -> None:
    provider = kept_provider()
    with transaction():
        dataset_id = service.register_dataset(provider, market.DatasetDraftFactory()).id
    outcomes = race(
        own_database,
        lambda n: understanding.declare_dictionary(provider, dataset_id, [ColumnNote(f"列{n}")], 1).id,
    )
    assert (len(won(outcomes)), lost(outcomes)) == (1, {VersionStale})
    assert entries(Verb.DICTIONARY_DECLARED) == 1
