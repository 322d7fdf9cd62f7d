"""File formats as publishers write them: ``xisx``, ``エクセル``, ``ＣＳＶ形式`` to one name each."""

import re
import unicodedata
from functools import lru_cache
from pathlib import PurePosixPath
from urllib.parse import urlsplit

_SPELLINGS = {
    "csv": "csv text/csv カンマ区切り csvファイル csv形式 sjiscsv utf8csv",
    "tsv": "tsv text/tab-separated-values タブ区切り",
    "xlsx": (
        "xlsx xisx xslx xlxs exlsx excel エクセル ms-excel"
        " application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    ),
    "xls": "xls application/vnd.ms-excel excel97",
    "pdf": "pdf application/pdf pdfファイル",
    "json": "json application/json",
    "geojson": "geojson geo.json application/geo+json application/vnd.geo+json",
    "xml": "xml text/xml application/xml",
    "rdf": "rdf rdf/xml application/rdf+xml",
    "ttl": "ttl turtle text/turtle",
    "jsonld": "jsonld json-ld application/ld+json",
    "kml": "kml application/vnd.google-earth.kml+xml",
    "kmz": "kmz",
    "shp": "shp shape shapefile シェープ シェープファイル esrishapefile",
    "gpkg": "gpkg geopackage",
    "gml": "gml jpgis",
    "zip": "zip application/zip application/x-zip-compressed 圧縮ファイル",
    "html": "html htm text/html webページ ウェブページ",
    "txt": "txt text text/plain テキスト",
    "doc": "doc application/msword",
    "docx": "docx word ワード",
    "ppt": "ppt",
    "pptx": "pptx powerpoint",
    "jpeg": "jpeg jpg image/jpeg 画像",
    "png": "png image/png",
    "tiff": "tiff tif geotiff",
    "parquet": "parquet",
    "api": "api webapi rest restapi",
    "wms": "wms",
    "mp4": "mp4",
    "mp3": "mp3",
    "dxf": "dxf",
    "ics": "ics icalendar",
    "gtfs": "gtfs gtfs-jp gtfsjp",
}  # fmt: skip
_BY_SPELLING = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings.split()}
STATED_LENGTH_MAX, STATEMENTS_KEPT = 200, 4_096
_ASIDE = re.compile(r"[(\[].*?[)\]]")


def is_clean(stated: str) -> bool:
    """Tell whether a format is written as everybody writes it, in whichever case."""
    return stated.strip().casefold() in _SPELLINGS


def format_of(stated: str, address: str = "") -> str:
    """Return the one name of a format, by what is stated and else by the address of the file; "" for none known."""
    return _by_statement(stated[:STATED_LENGTH_MAX]) or _by_address(address)


@lru_cache(maxsize=STATEMENTS_KEPT)
def _by_statement(stated: str) -> str:
    folded = "".join(unicodedata.normalize("NFKC", stated).casefold().split()).lstrip(".")
    plain = _ASIDE.sub("", folded)
    found = _BY_SPELLING.get(folded) or _BY_SPELLING.get(plain) or _BY_SPELLING.get(plain.removesuffix("形式"))
    return found or ""


def _by_address(address: str) -> str:
    try:
        path = urlsplit(address).path
    except ValueError:
        return ""
    return _BY_SPELLING.get(PurePosixPath(path).suffix.lower().lstrip("."), "") if path else ""
