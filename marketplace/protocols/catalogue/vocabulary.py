"""Codes of ours as the names that others know them by: EU authority tables, e-Stat, Creative Commons, IANA. Pure."""

from marketplace.catalog.states import Frequency, Licence, Theme

_EU = "http://publications.europa.eu/resource/authority"
EU_THEMES = f"{_EU}/data-theme"
PUBLIC, RESTRICTED = f"{_EU}/access-right/PUBLIC", f"{_EU}/access-right/RESTRICTED"
AVAILABLE = f"{_EU}/planned-availability/AVAILABLE"
JAPAN = f"{_EU}/country/JPN"
AVAILABILITIES = f"{_EU}/planned-availability"
LEGAL_RESOURCE = "eli:LegalResource"
HVD_CATEGORIES = "http://data.europa.eu/bna/asd487ae75"
HVD_REGULATION = "http://data.europa.eu/eli/reg_impl/2023/138/oj"
SHA256 = "http://spdx.org/rdf/terms#checksumAlgorithm_sha256"
YEN = f"{_EU}/currency/JPY"

# The closest of the 13 EU themes; none where the field has no like there.
_EU_THEMES = {
    Theme.LAND_WEATHER: "ENVI",
    Theme.POPULATION: "SOCI",
    Theme.LABOUR: "SOCI",
    Theme.AGRICULTURE: "AGRI",
    Theme.MANUFACTURING: "ECON",
    Theme.COMMERCE: "ECON",
    Theme.ECONOMY: "ECON",
    Theme.HOUSING_LAND: "REGI",
    Theme.ENERGY_WATER: "ENER",
    Theme.TRANSPORT_TOURISM: "TRAN",
    Theme.INFORMATION_SCIENCE: "TECH",
    Theme.EDUCATION_CULTURE: "EDUC",
    Theme.PUBLIC_FINANCE: "GOVE",
    Theme.SAFETY_ENVIRONMENT: "JUST",
    Theme.WELFARE_HEALTH: "HEAL",
    Theme.INTERNATIONAL: "INTR",
}
_CC = "https://creativecommons.org"
LICENCES = {
    Licence.CC_BY: f"{_CC}/licenses/by/4.0/",
    Licence.CC_BY_SA: f"{_CC}/licenses/by-sa/4.0/",
    Licence.CC_BY_ND: f"{_CC}/licenses/by-nd/4.0/",
    Licence.CC_BY_NC: f"{_CC}/licenses/by-nc/4.0/",
    Licence.CC_BY_NC_SA: f"{_CC}/licenses/by-nc-sa/4.0/",
    Licence.CC_BY_NC_ND: f"{_CC}/licenses/by-nc-nd/4.0/",
    Licence.CC0: f"{_CC}/publicdomain/zero/1.0/",
    Licence.PUBLIC_DOMAIN: f"{_CC}/publicdomain/mark/1.0/",
    Licence.GOVERNMENT_2: "https://www.digital.go.jp/resources/open_data",
}
# CKAN's own ids of licences, which its harvesters compare with.
CKAN_LICENCES = {
    Licence.CC_BY: "CC-BY-4.0",
    Licence.CC0: "CC0-1.0",
    Licence.PUBLIC_DOMAIN: "other-pd",
    Licence.OTHER: "other-closed",
}
# The six categories of regulation (EU) 2023/138, as the EU's vocabulary of them names them.
_HIGH_VALUE = {
    "geospatial": "c_ac64a52d",
    "earth_observation": "c_dd313021",
    "meteorological": "c_164e0bf5",
    "statistics": "c_e1da4e07",
    "companies": "c_a9135398",
    "mobility": "c_b79e35eb",
}
_FILE_TYPES = {
    "csv": "CSV", "tsv": "TSV", "json": "JSON", "json-lines": "JSON", "geojson": "GEOJSON", "xlsx": "XLSX",
    "ole": "XLS", "parquet": "PARQUET", "zip": "ZIP", "gzip": "GZIP", "pdf": "PDF", "png": "PNG", "jpeg": "JPEG",
    "gif": "GIF", "tiff": "TIFF", "html": "HTML", "svg": "SVG", "xml": "XML", "text": "TXT",
}  # fmt: skip
_LANGUAGES = {"ja": "JPN", "en": "ENG", "zh": "ZHO", "ko": "KOR", "fr": "FRA", "de": "DEU", "es": "SPA", "pt": "POR"}


def eu_theme(code: str) -> str | None:
    """Return the EU theme that is closest to one of the 17 fields."""
    known = _EU_THEMES.get(Theme(code)) if code in set(Theme) else None
    return f"{EU_THEMES}/{known}" if known else None


def frequency(code: str) -> str | None:
    """Return the name of a frequency; its codes are those of the EU already."""
    return f"{_EU}/frequency/{code}" if code in set(Frequency) else None


def licence(code: str | None) -> str | None:
    """Return the address of a public licence; None where it is not a known one."""
    return LICENCES.get(Licence(code)) if code in set(Licence) else None


def file_type(format_name: str | None) -> str | None:
    """Return the EU name of a file format."""
    known = _FILE_TYPES.get((format_name or "").lower())
    return f"{_EU}/file-type/{known}" if known else None


def media_type(text: str) -> str:
    """Return the IANA name of a media type, without its parameters."""
    return f"https://www.iana.org/assignments/media-types/{text.partition(';')[0].strip()}"


def language(tag: str) -> str:
    """Return the name of a language: the EU's where it has one of ours, else that of the Library of Congress."""
    primary = tag.partition("-")[0]
    known = _LANGUAGES.get(primary)
    return f"{_EU}/language/{known}" if known else f"http://id.loc.gov/vocabulary/iso639-1/{primary}"


def place(region: str) -> str:
    """Return the name of a place: Japan's, or that of a local government in e-Stat's linked data (5-digit code)."""
    return JAPAN if region == "JP" else f"http://data.e-stat.go.jp/lod/sac/C{region[:5]}"


def high_value(code: str) -> str:
    """Return the name of a category of datasets of high value."""
    return f"http://data.europa.eu/bna/{_HIGH_VALUE[code]}"
