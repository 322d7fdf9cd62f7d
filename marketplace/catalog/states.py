"""The states of what is listed, and the code lists it is described with."""

from enum import StrEnum
from typing import NamedTuple


class DatasetState(StrEnum):
    """How far a dataset has come; withdrawn is final."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class ReleaseState(StrEnum):
    """How far one version of the files has come; from published on the files never change."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class ProfileState(StrEnum):
    """What is known about the inside of a file: ``opaque`` is a format that is not read."""

    PENDING = "pending"
    PROFILED = "profiled"
    OPAQUE = "opaque"
    FAILED = "failed"


class ConversionState(StrEnum):
    """How far the Parquet of a table has come; done and failed are final."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


RELEASE_MOVES = {
    ReleaseState.DRAFT: {ReleaseState.PUBLISHED, ReleaseState.WITHDRAWN},
    ReleaseState.PUBLISHED: {ReleaseState.WITHDRAWN},
    ReleaseState.WITHDRAWN: set[ReleaseState](),
}


class Label(NamedTuple):
    """What people read in place of a code, in both languages."""

    ja: str
    en: str


class Theme(StrEnum):
    """The 17 statistical fields by which e-Stat groups official statistics."""

    LAND_WEATHER = "land_weather"
    POPULATION = "population"
    LABOUR = "labour"
    AGRICULTURE = "agriculture"
    MANUFACTURING = "manufacturing"
    COMMERCE = "commerce"
    ECONOMY = "economy"
    HOUSING_LAND = "housing_land"
    ENERGY_WATER = "energy_water"
    TRANSPORT_TOURISM = "transport_tourism"
    INFORMATION_SCIENCE = "information_science"
    EDUCATION_CULTURE = "education_culture"
    PUBLIC_FINANCE = "public_finance"
    SAFETY_ENVIRONMENT = "safety_environment"
    WELFARE_HEALTH = "welfare_health"
    INTERNATIONAL = "international"
    OTHER = "other"


THEME_LABELS = {
    Theme.LAND_WEATHER: Label("国土・気象", "Land and weather"),
    Theme.POPULATION: Label("人口・世帯", "Population and households"),
    Theme.LABOUR: Label("労働・賃金", "Labour and wages"),
    Theme.AGRICULTURE: Label("農林水産業", "Agriculture, forestry and fisheries"),
    Theme.MANUFACTURING: Label("鉱工業", "Mining and manufacturing"),
    Theme.COMMERCE: Label("商業・サービス業", "Commerce and services"),
    Theme.ECONOMY: Label("企業・家計・経済", "Enterprises, household economy and economy"),
    Theme.HOUSING_LAND: Label("住宅・土地・建設", "Housing, land and construction"),
    Theme.ENERGY_WATER: Label("エネルギー・水", "Energy and water"),
    Theme.TRANSPORT_TOURISM: Label("運輸・観光", "Transport and tourism"),
    Theme.INFORMATION_SCIENCE: Label("情報通信・科学技術", "Information, communication, science and technology"),
    Theme.EDUCATION_CULTURE: Label("教育・文化・スポーツ・生活", "Education, culture, sports and life"),
    Theme.PUBLIC_FINANCE: Label("行財政", "Administration and public finance"),
    Theme.SAFETY_ENVIRONMENT: Label("司法・安全・環境", "Justice, safety and environment"),
    Theme.WELFARE_HEALTH: Label("社会保障・衛生", "Social security and health"),
    Theme.INTERNATIONAL: Label("国際", "International"),
    Theme.OTHER: Label("その他", "Other"),
}


class Frequency(StrEnum):
    """How often data is renewed: the 30 EU authority codes that CADDE 4.0 uses.

    The URI of a code is ``http://publications.europa.eu/resource/authority/frequency/`` and the value.
    """

    CONT = "CONT"
    UPDATE_CONT = "UPDATE_CONT"
    HOURLY = "HOURLY"
    BIHOURLY = "BIHOURLY"
    TRIHOURLY = "TRIHOURLY"
    DAILY_2 = "DAILY_2"
    DAILY = "DAILY"
    WEEKLY_3 = "WEEKLY_3"
    WEEKLY_2 = "WEEKLY_2"
    WEEKLY = "WEEKLY"
    MONTHLY_3 = "MONTHLY_3"
    MONTHLY_2 = "MONTHLY_2"
    BIWEEKLY = "BIWEEKLY"
    MONTHLY = "MONTHLY"
    BIMONTHLY = "BIMONTHLY"
    QUARTERLY = "QUARTERLY"
    ANNUAL_3 = "ANNUAL_3"
    ANNUAL_2 = "ANNUAL_2"
    ANNUAL = "ANNUAL"
    BIENNIAL = "BIENNIAL"
    TRIENNIAL = "TRIENNIAL"
    QUADRENNIAL = "QUADRENNIAL"
    QUINQUENNIAL = "QUINQUENNIAL"
    DECENNIAL = "DECENNIAL"
    BIDECENNIAL = "BIDECENNIAL"
    TRIDECENNIAL = "TRIDECENNIAL"
    IRREG = "IRREG"
    NEVER = "NEVER"
    UNKNOWN = "UNKNOWN"
    OTHER = "OTHER"


FREQUENCY_LABELS = {
    Frequency.CONT: Label("連続的", "Continuous"),
    Frequency.UPDATE_CONT: Label("継続的に更新", "Continuously updated"),
    Frequency.HOURLY: Label("毎時", "Hourly"),
    Frequency.BIHOURLY: Label("2時間ごと", "Every two hours"),
    Frequency.TRIHOURLY: Label("3時間ごと", "Every three hours"),
    Frequency.DAILY_2: Label("1日2回", "Twice a day"),
    Frequency.DAILY: Label("毎日", "Daily"),
    Frequency.WEEKLY_3: Label("週3回", "Three times a week"),
    Frequency.WEEKLY_2: Label("週2回", "Twice a week"),
    Frequency.WEEKLY: Label("毎週", "Weekly"),
    Frequency.MONTHLY_3: Label("月3回", "Three times a month"),
    Frequency.MONTHLY_2: Label("月2回", "Twice a month"),
    Frequency.BIWEEKLY: Label("2週間ごと", "Every two weeks"),
    Frequency.MONTHLY: Label("毎月", "Monthly"),
    Frequency.BIMONTHLY: Label("2か月ごと", "Every two months"),
    Frequency.QUARTERLY: Label("四半期ごと", "Quarterly"),
    Frequency.ANNUAL_3: Label("年3回", "Three times a year"),
    Frequency.ANNUAL_2: Label("年2回", "Twice a year"),
    Frequency.ANNUAL: Label("毎年", "Annual"),
    Frequency.BIENNIAL: Label("2年ごと", "Every two years"),
    Frequency.TRIENNIAL: Label("3年ごと", "Every three years"),
    Frequency.QUADRENNIAL: Label("4年ごと", "Every four years"),
    Frequency.QUINQUENNIAL: Label("5年ごと", "Every five years"),
    Frequency.DECENNIAL: Label("10年ごと", "Every ten years"),
    Frequency.BIDECENNIAL: Label("20年ごと", "Every twenty years"),
    Frequency.TRIDECENNIAL: Label("30年ごと", "Every thirty years"),
    Frequency.IRREG: Label("不定期", "Irregular"),
    Frequency.NEVER: Label("更新しない", "Never"),
    Frequency.UNKNOWN: Label("不明", "Unknown"),
    Frequency.OTHER: Label("その他", "Other"),
}


class Licence(StrEnum):
    """Under which public licence the provider says the data stands; a hint, the terms of an offer rule."""

    CC_BY = "CC-BY-4.0"
    CC_BY_SA = "CC-BY-SA-4.0"
    CC_BY_ND = "CC-BY-ND-4.0"
    CC_BY_NC = "CC-BY-NC-4.0"
    CC_BY_NC_SA = "CC-BY-NC-SA-4.0"
    CC_BY_NC_ND = "CC-BY-NC-ND-4.0"
    CC0 = "CC0-1.0"
    PUBLIC_DOMAIN = "PDM-1.0"
    GOVERNMENT_2 = "GJSTU-2.0"
    PUBLIC_DATA = "PDL-1.0"
    OTHER = "other"


class HighValue(StrEnum):
    """The six categories of data of high value in the sense of regulation (EU) 2023/138."""

    GEOSPATIAL = "geospatial"
    EARTH_OBSERVATION = "earth_observation"
    METEOROLOGICAL = "meteorological"
    STATISTICS = "statistics"
    COMPANIES = "companies"
    MOBILITY = "mobility"


HIGH_VALUE_LABELS = {
    HighValue.GEOSPATIAL: Label("地理空間", "Geospatial"),
    HighValue.EARTH_OBSERVATION: Label("地球観測・環境", "Earth observation and environment"),
    HighValue.METEOROLOGICAL: Label("気象", "Meteorological"),
    HighValue.STATISTICS: Label("統計", "Statistics"),
    HighValue.COMPANIES: Label("企業・所有者", "Companies and company ownership"),
    HighValue.MOBILITY: Label("移動", "Mobility"),
}


LICENCE_LABELS = {
    Licence.CC_BY: Label("表示 4.0 国際", "Attribution 4.0"),
    Licence.CC_BY_SA: Label("表示-継承 4.0 国際", "Attribution-ShareAlike 4.0"),
    Licence.CC_BY_ND: Label("表示-改変禁止 4.0 国際", "Attribution-NoDerivatives 4.0"),
    Licence.CC_BY_NC: Label("表示-非営利 4.0 国際", "Attribution-NonCommercial 4.0"),
    Licence.CC_BY_NC_SA: Label("表示-非営利-継承 4.0 国際", "Attribution-NonCommercial-ShareAlike 4.0"),
    Licence.CC_BY_NC_ND: Label("表示-非営利-改変禁止 4.0 国際", "Attribution-NonCommercial-NoDerivatives 4.0"),
    Licence.CC0: Label("権利放棄 CC0 1.0", "CC0 1.0 public domain dedication"),
    Licence.PUBLIC_DOMAIN: Label("パブリック・ドメイン・マーク 1.0", "Public domain mark 1.0"),
    Licence.GOVERNMENT_2: Label("政府標準利用規約(第2.0版)", "Government of Japan Standard Terms of Use 2.0"),
    Licence.PUBLIC_DATA: Label("公共データ利用規約(第1.0版)", "Public Data License 1.0"),
    Licence.OTHER: Label("その他", "Other"),
}
