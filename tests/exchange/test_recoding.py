"""Texts that are hard to read: found, accepted once, copied in UTF-8 beside the original, for every release that comes."""

import json
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog import profiling, service
from marketplace.catalog import queries as catalog
from marketplace.catalog.models import Release
from marketplace.catalog.profiling import ProfileLimits
from marketplace.catalog.repairs import queries as repairs
from marketplace.catalog.repairs.models import DatasetRepair
from marketplace.catalog.tabular import recoded, recoding
from marketplace.exchange import facilities, listing, repairing
from marketplace.exchange import recoding as copies
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.privacy import queries as privacy
from marketplace.privacy.detectors import Kind, Level
from tests.factories.catalog import DatasetDraftFactory
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.privacy import drafted, finding

SMALL = ProfileLimits(memory_bytes=768 << 20, cpu_seconds=60, wall_seconds=120)
TABLE = '調査日,地点,ﾖﾐ,人数\r\n平成31年4月30日,大通,ｵｵﾄﾞｵﾘ,10\r\n令和元年5月1日,"駅前,北口",ｴｷﾏｴ,12\r\n'
OTHER = "a,b\n1,2\n"


@pytest.fixture
def provider(app: Flask) -> Actor:
    return actor_of(OrganizationFactory(provider=True))


def described(provider: Actor) -> str:
    with transaction():
        return service.register_dataset(provider, DatasetDraftFactory()).id


def publish(provider: Actor, dataset_id: str, label: str, files: dict[str, bytes]) -> str:
    """Upload, profile and publish files as a provider does, and look them over as the queue does."""
    with transaction():
        release_id = service.open_release(provider, dataset_id, label).id
        for name, content in files.items():
            stored = listing.receive([content], None, len(content))
            listing.attach(provider, release_id, name, "text/csv; charset=shift_jis", stored)
    show(provider, release_id)
    return release_id


def show(provider: Actor, release_id: str) -> None:
    release = catalog.get_release(release_id)
    for file in catalog.list_files(release_id):
        listing.profile(file.id)
    with transaction():
        listing.publish(provider, release_id)
    repairing.look_over(release.dataset_id)


def found(provider: Actor, dataset_id: str) -> dict[str, DatasetRepair]:
    return {one.rule: one for one in repairs.list_repairs(provider, dataset_id, size=50).items}


def decide(provider: Actor, repair: DatasetRepair, *, accept: bool) -> None:
    with transaction():
        repairing.decide(provider, repair.dataset_id, repair.id, accept=accept)


def labels(dataset_id: str) -> dict[str, Release]:
    asked = select(Release).where(Release.dataset_id == dataset_id).execution_options(populate_existing=True)
    return {one.label: one for one in db.session.scalars(asked)}


def contents(release_id: str) -> dict[str, bytes]:
    read = {}
    for file in catalog.list_files(release_id):
        with facilities.current().store.open(file.sha256) as stored:
            read[file.name] = stored.read()
    return read


def waiting() -> int:
    return db.session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'catalog.recode'")) or 0


def test_an_accepted_copy_is_drafted_beside_the_original_and_says_what_it_was_made_of(provider: Actor) -> None:
    dataset_id = described(provider)
    old = publish(provider, dataset_id, "四月", {"人流.csv": TABLE.encode("cp932"), "他.csv": OTHER.encode()})
    told = found(provider, dataset_id)["encoding"]
    assert (told.before, told.after) == ("cp932", {"encoding": "utf-8", "files": ["人流.csv"], "count": 1})
    assert waiting() == 0
    decide(provider, told, accept=True)
    assert waiting() == 1
    for _ in range(2):  # the queue may do it twice
        copies.recode(dataset_id)
    drafted = labels(dataset_id)
    assert set(drafted) == {"四月", "四月 (UTF-8)"}
    draft = drafted["四月 (UTF-8)"]
    assert (draft.state, drafted["四月"].state) == ("draft", "published")
    assert "「四月」の表を機械的に UTF-8 に直した写しです" in draft.notes
    assert contents(draft.id) == {"人流.csv": TABLE.encode(), "他.csv": OTHER.encode()}
    assert contents(old)["人流.csv"] == TABLE.encode("cp932")
    [original, _same] = catalog.list_files(old)
    [copy, _also] = catalog.list_files(draft.id)
    facts = db.session.scalars(select(Entry.facts).where(Entry.verb == Verb.FILE_RECODED.value)).one()
    assert facts == {
        "of": original.id, "of_sha256": original.sha256, "sha256": copy.sha256, "encoding": "cp932", "dates": 0,
    }  # fmt: skip
    assert copy.media_type == "text/csv"
    show(provider, draft.id)
    assert catalog.published_release_ids(dataset_id) == [draft.id, old]
    assert found(provider, dataset_id)["encoding"].state == "accepted"


def test_what_nobody_may_have_by_now_is_not_published_again_by_a_copy(provider: Actor) -> None:
    dataset_id = described(provider)
    publish(provider, dataset_id, "四月", {"人流.csv": TABLE.encode("cp932"), "他.csv": OTHER.encode()})
    decide(provider, found(provider, dataset_id)["encoding"], accept=True)
    drafted(provider, dataset_id, finding(Level.BLOCKED, Kind.MY_NUMBER), content=OTHER.encode())
    before = set(labels(dataset_id))
    copies.recode(dataset_id)
    assert set(labels(dataset_id)) == before


def test_a_file_that_stays_with_its_provider_comes_along_and_is_not_taken_for_looked_through(provider: Actor) -> None:
    dataset_id = described(provider)
    old = publish(provider, dataset_id, "四月", {"人流.csv": TABLE.encode("cp932")})
    decide(provider, found(provider, dataset_id)["encoding"], accept=True)
    with db.session.begin_nested():
        db.session.execute(text("ALTER TABLE file DISABLE TRIGGER USER"))
        kept_there = {"origin_url": "https://origin.example.jp/元", "profile": None, "profile_state": "opaque"}
        values = {"id": new_id("fil"), "name": "元.csv", "name_key": "元.csv"} | kept_there
        row = text(
            "INSERT INTO file SELECT (json_populate_record(file, CAST(:values AS json))).* FROM file"
            " WHERE release_id = :old"
        )
        db.session.execute(row, {"values": json.dumps(values), "old": old})
        db.session.execute(text("ALTER TABLE file ENABLE TRIGGER USER"))
    copies.recode(dataset_id)
    draft = labels(dataset_id)["四月 (UTF-8)"]
    [there] = [one for one in catalog.list_files(draft.id) if one.origin_url]
    # Nobody here can look through it: what that asks for is a setting.
    assert [one.file_id for one in privacy.findings_of(draft.id)] == [there.id]


def test_days_of_eras_become_isos_where_that_is_accepted_and_all_else_stays(provider: Actor) -> None:
    dataset_id = described(provider)
    publish(provider, dataset_id, "四月", {"人流.csv": TABLE.encode("cp932")})
    told = found(provider, dataset_id)
    assert told["dates"].after == {"days": "iso", "columns": ["調査日"], "files": ["人流.csv"], "count": 1}
    decide(provider, told["dates"], accept=True)
    copies.recode(dataset_id)
    copied = contents(labels(dataset_id)["四月 (UTF-8)"].id)["人流.csv"].decode()
    assert copied == TABLE.replace("平成31年4月30日", "2019-04-30").replace("令和元年5月1日", "2019-05-01")


def test_what_was_accepted_once_holds_for_the_next_release_and_what_was_refused_is_not_asked_again(
    provider: Actor,
) -> None:
    dataset_id = described(provider)
    publish(provider, dataset_id, "四月", {"人流.csv": TABLE.encode("cp932")})
    decide(provider, found(provider, dataset_id)["encoding"], accept=True)
    decide(provider, found(provider, dataset_id)["dates"], accept=False)
    publish(provider, dataset_id, "五月", {"人流.csv": TABLE.replace("10", "11").encode("cp932")})
    assert waiting() >= 1
    copies.recode(dataset_id)
    assert set(labels(dataset_id)) == {"四月", "五月", "五月 (UTF-8)"}
    copied = contents(labels(dataset_id)["五月 (UTF-8)"].id)["人流.csv"]
    assert copied == TABLE.replace("10", "11").encode()
    assert found(provider, dataset_id)["dates"].state == "refused"


def test_nothing_is_copied_unasked_and_a_text_with_unreadable_bytes_is_none_to_copy(provider: Actor) -> None:
    dataset_id = described(provider)
    broken = TABLE.encode("cp932").replace(b",10", b",\xff0") + "東,西,ﾐﾅﾐ,9\r\n".encode("cp932") * 50
    publish(provider, dataset_id, "四月", {"人流.csv": TABLE.encode("euc_jp"), "破損.csv": broken})
    told = found(provider, dataset_id)["encoding"]
    assert (told.before, told.after["files"]) == ("euc_jp", ["人流.csv"])
    copies.recode(dataset_id)
    assert set(labels(dataset_id)) == {"四月"}


@pytest.fixture
def recode(tmp_path: Path) -> Callable[[str, bytes], bytes]:
    """Recode some bytes as the exchange does, in a confined process, and in this one; both must agree."""

    def made(name: str, content: bytes) -> bytes:
        path = tmp_path / "stored"
        path.write_bytes(content)
        profile = profiling.profile_file(path, name, SMALL).document
        dates = [one["name"] for one in profile["columns"] if one["format"] == "era"]
        kept, told = recoded.recode_file(path, profile["delimiter"], dates, SMALL, b"".join)
        said: list[bytes] = []
        asked: dict[str, Any] = {"delimiter": profile["delimiter"], "dates": dates, "limits": asdict(SMALL)}
        end = recoding.recoded(BytesIO(content), json.loads(json.dumps(asked)), SMALL, said.append)
        assert (b"".join(said), end) == (kept, {"dates": told})
        return kept

    return made


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "utf-16", "utf-8-sig"])
def test_a_text_in_any_encoding_becomes_the_same_utf_8(recode: Callable[..., bytes], encoding: str) -> None:
    plain = "# 出典：見本市（合成）\n" + TABLE.replace("平成31年4月30日", "2019/4/30").replace(
        "令和元年5月1日", "2019/5/1"
    )
    plain += '2019/5/2,"改行\nあり",ｶﾅ,3\r\n' + "2019/5/3,十分な長さの漢字の本文,ﾜｶﾙ,4\r\n" * 20
    assert recode("人流.csv", plain.encode(encoding)).decode() == plain
    days = plain.replace("2019/5/3", "令和元年5月3日").replace("2019/4/30", "H31.4.30").replace("2019/5/", "R1.5.")
    told = plain.replace("2019/5/3", "2019-05-03").replace("2019/4/30", "2019-04-30").replace("2019/5/", "2019-05-0")
    assert recode("人流.csv", days.encode(encoding)).decode() == told


def _written(folder: Path, content: bytes) -> Path:
    path = folder / "written"
    path.write_bytes(content)
    return path


def test_real_texts_come_out_whole_from_the_encodings_that_cities_used(
    recode: Callable[..., bytes], shared_data: Path, tmp_path: Path
) -> None:
    national = shared_data / "localgovjp_sjis_cc0.csv"
    assert recode(national.name, national.read_bytes()).decode() == national.read_bytes().decode("cp932")
    tried = 0
    for path in sorted((shared_data / "takamatsu_ccby4").glob("*.csv"))[:12]:
        plain = path.read_bytes().decode("utf-8-sig")
        for encoding in ("cp932", "euc_jp"):
            try:
                content = plain.encode(encoding)
            except UnicodeEncodeError:
                continue
            profile = profiling.profile_file(_written(tmp_path, content), path.name, SMALL).document
            if not any(one["format"] == "era" for one in profile["columns"]):
                assert recode(path.name, content).decode() == plain, (path.name, encoding)
                tried += 1
    assert tried >= 12
