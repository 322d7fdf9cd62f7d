"""Taking over what other catalogues publish."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog import ckan, queries, service
from marketplace.catalog.errors import DatasetWithdrawn, PackageUnreadable
from marketplace.catalog.models import Dataset
from marketplace.catalog.states import DatasetState, Frequency, Licence, Theme
from marketplace.identity.actors import Actor
from marketplace.kit.errors import Invalid, NotFound
from tests.factories.identity import OrganizationFactory, actor_of

PACKAGE: dict[str, Any] = {
    "id": "c166394f",
    "name": "t000001d0000000001",
    "title": "避難所　一覧",
    "title_translated": {"en": "Evacuation shelters", "ja": "避難所 一覧"},
    "notes": "【危機管理課】\r\n指定避難所の位置。",
    "organization": {"title": "札幌市", "name": "sapporo"},
    "maintainer": "危機管理局",
    "maintainer_email": "kiki@city.example.jp",
    "url": "https://www.city.sapporo.jp/kinkyu/",
    "license_id": "CC-BY-4.0",
    "groups": [
        {"title": "その他"},
        {"title": "防災・災害計画", "display_name": "環境"},
        {"title": "なぞ", "name": "雇用"},
    ],
    "tags": [{"name": "避難所"}, {"display_name": "防災", "name": "x"}, {"name": "避難所"}],
    "extras": [{"key": "更新頻度", "value": "１年ごと"}, {"key": "lgcode", "value": "０１１００２"}],
    "resources": [{"format": "CSV", "size": 2**60, "hash": None}],
    "num_tags": 3,
    "isopen": True,
}


def test_a_package_is_read_into_our_fields() -> None:
    read = ckan.read_package(PACKAGE)
    draft = read.draft
    assert read.origin_id == "c166394f"
    assert (draft.title_ja, draft.title_en) == ("避難所 一覧", "Evacuation shelters")
    assert draft.description_ja == "【危機管理課】\r\n指定避難所の位置。"
    assert draft.themes == (Theme.SAFETY_ENVIRONMENT, Theme.LABOUR)
    assert (draft.region, draft.update_frequency) == ("011002", Frequency.ANNUAL)
    assert (draft.keywords, draft.licence_hint) == (("避難所", "防災"), Licence.CC_BY)
    assert (draft.contact_name, draft.contact_email) == ("札幌市 危機管理局", "kiki@city.example.jp")


def test_values_that_no_field_can_hold_are_left_to_the_kept_package() -> None:
    odd = PACKAGE | {
        "title": "長" * 400,
        "title_translated": None,
        "notes": "a\x08b" + "長" * 30_000,
        "maintainer_email": "see the web page",
        "url": "ftp://example.jp",
        "license_id": "OGL-Canada",
        "groups": [{"title": "なぞ"}, "not a group"],
        "tags": "not a list",
        "extras": [{"key": "region", "value": "999999"}, {"key": 1, "value": None}],
        "organization": None,
        "maintainer": 7,
    }
    draft = ckan.read_package(odd, region_default="130001").draft
    assert len(draft.title_ja) == 300
    assert draft.description_ja.startswith("a b")
    assert (draft.contact_email, draft.contact_url, draft.contact_name) == ("", "", "")
    assert (draft.licence_hint, draft.themes, draft.region) == (Licence.OTHER, (Theme.OTHER,), "130001")
    assert (draft.keywords, draft.update_frequency) == ((), Frequency.UNKNOWN)


def test_the_least_package_has_an_id_and_a_name() -> None:
    draft = ckan.read_package({"id": "p1", "name": "shelters"}).draft
    assert (draft.title_ja, draft.region, draft.licence_hint) == ("shelters", "JP", None)


@pytest.mark.parametrize(
    "package",
    [
        {},
        {"id": "p1"},
        {"id": 7, "title": "避難所"},
        {"title": "避難所"},
        PACKAGE | {"notes": "a\x00b"},
        PACKAGE | {"notes": "\\\x00"},
        PACKAGE | {"notes": "\ud800"},
        PACKAGE | {"score": float("nan")},
        PACKAGE | {"blob": b"bytes"},
        PACKAGE | {"notes": "長" * 2_000_000},
    ],
)
def test_a_package_that_cannot_be_kept_whole_is_refused(
    provider: Actor, session: Session, package: dict[str, Any]
) -> None:
    with pytest.raises(PackageUnreadable):
        service.import_ckan_package(provider, package)
    assert session.scalar(select(func.count()).select_from(Dataset)) == 0


def test_a_title_of_control_characters_is_no_title(provider: Actor) -> None:
    with pytest.raises(Invalid):
        service.import_ckan_package(provider, {"id": "p1", "title": "\x01"})


def test_an_escaped_backslash_before_u0000_is_no_nul(provider: Actor) -> None:
    package = {"id": "p1", "title": "a", "notes": "\\u0000"}
    assert service.import_ckan_package(provider, package).source == package


def test_a_package_is_imported_once_and_kept_whole(provider: Actor, session: Session) -> None:
    first = service.import_ckan_package(provider, PACKAGE)
    again = service.import_ckan_package(provider, copy.deepcopy(PACKAGE))
    session.expire_all()
    kept = queries.get_origin(provider.organization_id, "c166394f")
    assert (kept.id, kept.state, kept.version) == (first.id, DatasetState.DRAFT, 1)
    assert again.id == first.id
    assert kept.source == PACKAGE
    assert session.scalars(select(Entry.verb).where(Entry.subject == kept.id)).all() == [Verb.DATASET_IMPORTED]


def test_a_changed_package_renews_the_description(provider: Actor, session: Session) -> None:
    first = service.import_ckan_package(provider, PACKAGE)
    changed = PACKAGE | {"title_translated": {"ja": "指定避難所"}}
    renewed = service.import_ckan_package(provider, changed)
    assert (renewed.id, renewed.version, renewed.title_ja) == (first.id, 2, "指定避難所")
    assert renewed.source == changed
    entries = session.scalars(select(Entry).where(Entry.subject == first.id).order_by(Entry.id)).all()
    assert [entry.facts["version"] for entry in entries] == [1, 2]
    assert entries[0].facts["package_sha256"] != entries[1].facts["package_sha256"]


def test_a_withdrawn_import_is_not_revived(provider: Actor) -> None:
    dataset = service.import_ckan_package(provider, PACKAGE)
    service.withdraw_dataset(provider, dataset.id)
    assert service.import_ckan_package(provider, PACKAGE).state == DatasetState.WITHDRAWN
    with pytest.raises(DatasetWithdrawn):
        service.import_ckan_package(provider, PACKAGE | {"notes": "new"})


def test_two_organizations_may_import_the_same_package(provider: Actor, stranger: Actor) -> None:
    mine, theirs = (service.import_ckan_package(actor, PACKAGE) for actor in (provider, stranger))
    assert mine.id != theirs.id
    assert theirs.organization_id == stranger.organization_id
    with pytest.raises(NotFound):
        queries.get_origin(stranger.organization_id, "never imported")


def test_the_region_is_the_citys_where_the_package_states_none(session: Session) -> None:
    city = OrganizationFactory(city=True, local_government_code="011002")
    assert service.import_ckan_package(actor_of(city), {"id": "p1", "title": "気温"}).region == "011002"


@pytest.mark.shared_data
def test_three_hundred_real_records_of_tokyo_are_imported_without_loss(session: Session, shared_data: Path) -> None:
    city = actor_of(OrganizationFactory(city=True, local_government_code="130001"))
    with gzip.open(shared_data / "tokyo_ckan_sample300.jsonl.gz", "rt", encoding="utf-8") as lines:
        packages = [json.loads(line) for line in lines]
    for package in [*packages, *packages[:20]]:
        service.import_ckan_package(city, package)
    session.expire_all()
    kept = {dataset.origin_id: dataset for dataset in session.scalars(select(Dataset))}
    assert len(packages) == len(kept) == 300
    for package in packages:
        dataset = kept[package["id"]]
        assert dataset.source == package
        assert dataset.title_ja == " ".join(package["title"].split())
        assert dataset.region == "130001"
        assert dataset.version == 1
    frequencies = [dataset.update_frequency for dataset in kept.values()]
    assert {code: frequencies.count(code) for code in set(frequencies)} == {
        "IRREG": 159,
        "NEVER": 51,
        "ANNUAL": 48,
        "MONTHLY": 33,
        "UNKNOWN": 4,
        "QUINQUENNIAL": 2,
        "ANNUAL_2": 1,
        "QUARTERLY": 1,
        "OTHER": 1,  # 1か月/1年ごと names two
    }
