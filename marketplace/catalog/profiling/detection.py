"""What a file is, by its content; its name decides only between readings that the content allows."""

from pathlib import PurePosixPath
from typing import Any, BinaryIO

from marketplace.catalog.profiling import archives, decoding, delimited, dialect, jsondata, parquet, spreadsheets, words
from marketplace.catalog.profiling.decoding import TextSurvey
from marketplace.catalog.profiling.dialect import Guess
from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable
from marketplace.catalog.states import ProfileState

Found = tuple[ProfileState, dict[str, Any]]

_MAGIC = (
    (b"\x1f\x8b", "gzip", "application/gzip"),
    (b"BZh", "bzip2", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "xz", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "zstd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "rar", "application/vnd.rar"),
    (b"%PDF-", "pdf", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "png", "image/png"),
    (b"\xff\xd8\xff", "jpeg", "image/jpeg"),
    (b"GIF8", "gif", "image/gif"),
    (b"II*\x00", "tiff", "image/tiff"),
    (b"MM\x00*", "tiff", "image/tiff"),
    (b"SQLite format 3\x00", "sqlite", "application/vnd.sqlite3"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole", "application/x-ole-storage"),
    (b"\x7fELF", "elf", "application/octet-stream"),
    (b"MZ", "pe", "application/octet-stream"),
)
_MARKUP = (("<!doctype html", "html"), ("<html", "html"), ("<svg", "svg"), ("<", "xml"))
_MARKUP_TYPES = {"html": "text/html", "svg": "image/svg+xml", "xml": "application/xml"}
_EXTENSIONS: dict[str, frozenset[str]] = {
    "csv": frozenset({"csv", "tsv"}),
    "tsv": frozenset({"csv", "tsv"}),
    "tab": frozenset({"csv", "tsv"}),
    "json": frozenset({"json", "json-lines", "geojson"}),
    "jsonl": frozenset({"json-lines", "json"}),
    "ndjson": frozenset({"json-lines", "json"}),
    "geojson": frozenset({"geojson"}),
    "xlsx": frozenset({"xlsx"}),
    "xlsm": frozenset({"xlsx"}),
    "xls": frozenset({"ole"}),
    "parquet": frozenset({"parquet"}),
    "zip": frozenset({"zip", "xlsx"}),
    "gz": frozenset({"gzip"}),
    "pdf": frozenset({"pdf"}),
    "png": frozenset({"png"}),
    "jpg": frozenset({"jpeg"}),
    "jpeg": frozenset({"jpeg"}),
    "gif": frozenset({"gif"}),
    "html": frozenset({"html", "xml"}),
    "svg": frozenset({"svg", "xml"}),
    "xml": frozenset({"xml"}),
}
_TABULAR_NAMES = frozenset({"csv", "tsv", "tab"})


def extension_of(name: str) -> str:
    """Return the extension in lower case without its dot; "" without one."""
    return PurePosixPath(name.replace("\0", "")).suffix.lower().lstrip(".")


def profile(file: BinaryIO, name: str, limits: ProfileLimits, patience: Patience) -> Found:
    """Return the state and document of an open file; raises Unreadable with what is known so far in ``facts``."""
    size_bytes = file.seek(0, 2)
    file.seek(0)
    head = file.read(512)
    if not head:
        raise Unreadable("empty-file")
    extension = extension_of(name)
    state, document = _by_content(file, head, size_bytes, extension, limits, patience)
    expected = _EXTENSIONS.get(extension)
    found = document["format"]
    document["mislabelled"] = expected is not None and found not in expected
    if document["mislabelled"]:
        shown = found or "binary"
        document["warnings"].insert(0, words.warning("mislabelled", extension=extension, format=shown))
    return state, document


def _by_content(
    file: BinaryIO, head: bytes, size_bytes: int, extension: str, limits: ProfileLimits, patience: Patience
) -> Found:
    if head.startswith(parquet.MAGIC):
        found = parquet.read(file, size_bytes, limits, patience)
        return _profiled("parquet", parquet.MEDIA_TYPE, found)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(file, size_bytes, limits, patience)
    for magic, kind, media_type in _MAGIC:
        if head.startswith(magic) and not _is_plain(head):
            return _opaque(kind, media_type)
    survey = decoding.survey(file)
    if survey is None:
        return _opaque("binary", "application/octet-stream")
    return _text(file, survey, extension, limits, patience)


def _is_plain(head: bytes) -> bool:
    """Return whether a short magic number, such as MZ, only begins an ordinary text."""
    return head.isascii() and head[:64].decode("ascii").replace("\n", "").replace("\r", "").isprintable()


def _profiled(kind: str, media_type: str, found: dict[str, Any]) -> Found:
    return ProfileState.PROFILED, {"format": kind, "media_type": media_type, **found}


def _opaque(kind: str, media_type: str, **facts: Any) -> Found:
    return ProfileState.OPAQUE, {"format": kind, "media_type": media_type, "warnings": [], **facts}


def _zip(file: BinaryIO, size_bytes: int, limits: ProfileLimits, patience: Patience) -> Found:
    with archives.opened(file, size_bytes, limits) as archive:
        if spreadsheets.is_workbook(archive):
            found = spreadsheets.read(file, archive, limits, patience)
            return _profiled("xlsx", spreadsheets.MEDIA_TYPE, found)
        return _opaque("zip", "application/zip", **archives.directory(archive))


def _text(file: BinaryIO, survey: TextSurvey, extension: str, limits: ProfileLimits, patience: Patience) -> Found:
    state, document = _by_text(file, survey, extension, limits, patience)
    document["warnings"] = survey.warnings() + document["warnings"]
    return state, {**survey.document(), **document}


def _by_text(file: BinaryIO, survey: TextSurvey, extension: str, limits: ProfileLimits, patience: Patience) -> Found:
    sample = survey.sample
    begins = sample.lstrip()[:200].lower()
    if not begins and survey.characters <= len(sample):
        raise Unreadable("empty-file")
    for mark, kind in _MARKUP:
        if begins.startswith(mark):
            return _opaque(kind, _MARKUP_TYPES[kind])
    if jsondata.looks_like_json(sample):
        found = jsondata.read(file, survey, limits, patience)
        return _profiled(found["format"], found["media_type"], found)
    guess = dialect.guess(sample, is_whole=survey.characters <= len(sample))
    if not _is_table(guess, extension):
        return _opaque("text", "text/plain")
    kind = "tsv" if guess.delimiter == "\t" else "csv"
    media_type = "text/tab-separated-values" if kind == "tsv" else "text/csv"
    return _profiled(kind, media_type, delimited.read(file, survey, guess.delimiter, limits, patience))


def _is_table(guess: Guess, extension: str) -> bool:
    """Return whether a text is a table: its name says so, or nearly all of several rows are equally wide."""
    if extension in _TABULAR_NAMES:
        return True
    return guess.width > 1 and guess.agreement_percent >= 90 and guess.rows >= 3
