"""Datasets, releases, files and public documents with Japanese and English texts."""

import hashlib

import factory

from marketplace.catalog import rules, service
from marketplace.catalog.models import Dataset, File, Release
from marketplace.catalog.rules import DatasetDraft
from marketplace.catalog.states import DatasetState, Frequency, Licence, ProfileState, ReleaseState, Theme
from marketplace.kit import clock
from marketplace.kit.ids import new_id
from marketplace.privacy import service as privacy
from marketplace.privacy.detectors import Finding
from marketplace.privacy.service import Looked
from tests.factories.identity import OrganizationFactory, _Stored


class DatasetDraftFactory(factory.Factory):
    """What a city says of its people-flow counts."""

    class Meta:
        model = DatasetDraft

    title_ja = factory.Sequence(lambda n: f"大通地区の人流データ{n}")
    title_en = factory.Sequence(lambda n: f"Pedestrian flow in Odori {n}")
    description_ja = "大通地区に置いたセンサーで数えた1時間ごとの歩行者数。\n個人は識別できません。"
    description_en = "Hourly counts of passers-by."
    themes = (Theme.TRANSPORT_TOURISM,)
    region = "011002"
    language = "ja"
    contact_name = "札幌市まちづくり政策局ICT戦略推進担当課"
    contact_url = "https://www.city.sapporo.jp/joho/"
    contact_email = "ict@city.example.jp"
    update_frequency = Frequency.DAILY
    keywords = ("人流", "歩行者")
    licence_hint = Licence.CC_BY


class DatasetFactory(_Stored):
    """A dataset in draft; the trait ``published`` shows it."""

    class Meta:
        model = Dataset

    class Params:
        organization = factory.SubFactory(OrganizationFactory, provider=True)
        published = factory.Trait(state=DatasetState.PUBLISHED.value, published_at=factory.LazyFunction(clock.now))

    id = factory.LazyFunction(lambda: new_id("ds"))
    organization_id = factory.SelfAttribute("organization.id")
    state = DatasetState.DRAFT.value
    version = 1
    created_at = factory.LazyFunction(clock.now)
    updated_at = factory.LazyFunction(clock.now)

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        return super()._create(model_class, *args, **DatasetDraftFactory().columns() | kwargs)


class ReleaseFactory(_Stored):
    """A draft release of a dataset."""

    class Meta:
        model = Release

    class Params:
        dataset = factory.SubFactory(DatasetFactory)

    id = factory.LazyFunction(lambda: new_id("rel"))
    dataset_id = factory.SelfAttribute("dataset.id")
    label = factory.Sequence(lambda n: f"令和8年度 第{n}版")
    notes = ""
    state = ReleaseState.DRAFT.value
    created_at = factory.LazyFunction(clock.now)


class FileFactory(_Stored):
    """A profiled file in a draft release."""

    class Meta:
        model = File

    class Params:
        release = factory.SubFactory(ReleaseFactory)
        content = factory.Sequence(lambda n: f"日時,人数\n2026-11-22,{n}\n".encode())

    id = factory.LazyFunction(lambda: new_id("fil"))
    release_id = factory.SelfAttribute("release.id")
    name = factory.Sequence(lambda n: f"人流_{n}.csv")
    name_key = factory.LazyAttribute(lambda new: rules.name_key(new.name))
    media_type = "text/csv"
    sha256 = factory.LazyAttribute(lambda new: hashlib.sha256(new.content).hexdigest())
    size_bytes = factory.LazyAttribute(lambda new: len(new.content))
    received_at = factory.LazyFunction(clock.now)
    profile_state = ProfileState.PROFILED.value
    profile = factory.LazyFunction(lambda: {"rows": 1})
    profiled_at = factory.LazyFunction(clock.now)


def profiled(
    file_id: str, profile: dict | None, state: ProfileState = ProfileState.PROFILED, *findings: Finding
) -> None:
    """Enter what was found in a file as the job does, without starting the readers."""
    service.record_profile(file_id, profile, state)
    privacy.record_inspection(file_id, Looked(findings, len(findings), 1))


class DocumentFactory(factory.DictFactory):
    """A public document as the search index takes it."""

    id = factory.LazyFunction(lambda: new_id("ds"))
    title_ja = factory.Sequence(lambda n: f"資料{n}")
    title_en = ""
    description_ja = ""
    description_en = ""
    publisher = factory.LazyFunction(lambda: {"id": "org_1", "name_ja": "試験市", "name_en": "City of Shiken"})
    themes = factory.LazyFunction(lambda: [Theme.OTHER.value])
    region = "011002"
    frequency = Frequency.ANNUAL.value
    keywords = factory.LazyFunction(list)
    formats = factory.LazyFunction(lambda: ["CSV"])
    columns = factory.LazyFunction(list)
    price_classes = factory.LazyFunction(lambda: ["free"])
    published_at = factory.LazyFunction(lambda: clock.text(clock.now()))
