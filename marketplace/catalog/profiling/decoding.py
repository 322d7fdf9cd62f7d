"""Which encoding a text is in, and what can be counted about it before it is parsed."""

import codecs
import io
import re
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from marketplace.catalog.profiling import words
from marketplace.catalog.profiling.result import MIB

SAMPLE_BYTES = 256 * 1024
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))
_HALF_WIDTH_KANA = re.compile("[\uff61-\uff9f]")
# Python's cp932 maps these bytes, which no Japanese text uses, to control and private characters.
_NOT_CP932 = re.compile("[\x80-\x9f\xa0\uf8f0-\uf8f3]")
_JAPANESE_ESCAPES = (b"\x1b$B", b"\x1b$@")


class _Replacements:
    """A codec error handler that shows U+FFFD and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        self.count += 1
        return "\ufffd", error.end


@dataclass
class TextSurvey:
    """Facts about a whole text: line endings and quotation marks are counted wherever they stand."""

    encoding: str
    bom_bytes: int
    sample: str = ""
    characters: int = 0
    crlf: int = 0
    lf: int = 0
    cr: int = 0
    quotes: int = 0
    nuls: int = 0
    invalid: int = 0
    multibyte: int = 0
    last: str = ""
    longest_run: int = 0
    _run: int = 0

    def line_ending(self) -> str | None:
        """Return how the first line ends (newlines inside quoted cells may differ), or None without any."""
        found = re.search(r"\r\n|\n|\r", self.sample)
        return {"\r\n": "crlf", "\n": "lf", "\r": "cr"}[found.group()] if found else None

    def note_run(self, text: str) -> None:
        """Follow how many characters pass without a line ending, counted in whole pieces of text."""
        self._run = 0 if "\n" in text or "\r" in text else self._run + len(text)
        self.longest_run = max(self.longest_run, self._run)

    def document(self) -> dict[str, object]:
        """Return the survey's part of a profile."""
        return {
            "encoding": self.encoding,
            "bom": self.bom_bytes > 0,
            "line_ending": self.line_ending(),
            "line_endings": {"crlf": self.crlf, "lf": self.lf, "cr": self.cr},
            "final_newline": self.last in {"\n", "\r"},
        }

    def warnings(self) -> list[dict[str, object]]:
        """Return what is odd about the bytes."""
        found = []
        if self.invalid:
            found.append(words.warning("invalid-bytes", count=self.invalid, encoding=self.encoding))
        if self.nuls:
            found.append(words.warning("nul-bytes", count=self.nuls))
        return found


def survey(file: BinaryIO) -> TextSurvey | None:
    """Read the whole file once or a few times and return its survey; None when it is not text."""
    file.seek(0)
    head = file.read(SAMPLE_BYTES)
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return _accepted(_count(file, encoding, len(mark)))
    if len(head.translate(None, _CONTROLS)) * 100 < len(head) * 98:
        return None
    if any(escape in head for escape in _JAPANESE_ESCAPES):
        return _accepted(_count(file, "iso2022_jp", 0))
    as_unicode = _count(file, "utf-8", 0)
    if as_unicode.invalid * 50 <= as_unicode.multibyte:
        return as_unicode
    return _accepted(_japanese(file))


def _japanese(file: BinaryIO) -> TextSurvey:
    shift_jis, euc = _count(file, "cp932", 0), _count(file, "euc_jp", 0)
    kana = len(_HALF_WIDTH_KANA.findall(shift_jis.sample))
    is_euc = euc.invalid < shift_jis.invalid or (euc.invalid == shift_jis.invalid and kana * 2 > shift_jis.multibyte)
    return euc if is_euc else shift_jis


def _accepted(found: TextSurvey) -> TextSurvey | None:
    return None if found.invalid * 100 > found.characters else found


def _count(file: BinaryIO, encoding: str, bom_bytes: int) -> TextSurvey:
    """Decode the whole file; a wrong encoding is given up as soon as it shows."""
    found = TextSurvey(encoding, bom_bytes)
    replacements = _Replacements()
    codecs.register_error("marketplace.counted", replacements)
    decoder = codecs.getincrementaldecoder(encoding)("marketplace.counted")
    file.seek(bom_bytes)
    while True:
        chunk = file.read(MIB)
        text = decoder.decode(chunk, final=not chunk)
        if not found.sample:
            found.sample = text[:SAMPLE_BYTES]
        _tally(found, chunk, text)
        found.invalid = replacements.count
        if encoding == "cp932":
            found.invalid += len(_NOT_CP932.findall(found.sample))
        if not chunk or (found.invalid > 1000 and found.invalid * 50 > found.multibyte):
            return found


def _tally(found: TextSurvey, chunk: bytes, text: str) -> None:
    if not text:
        return
    crlf = text.count("\r\n") + (1 if found.last == "\r" and text[0] == "\n" else 0)
    found.crlf += crlf
    found.lf += text.count("\n") - crlf
    found.cr += text.count("\r") - text.count("\r\n") - (crlf - text.count("\r\n"))
    found.quotes += text.count('"')
    found.nuls += text.count("\0")
    found.characters += len(text)
    found.multibyte += max(0, len(chunk) - len(text))
    found.last = text[-1]
    found.note_run(text)


def open_text(file: BinaryIO, found: TextSurvey) -> TextIO:
    """Open the file as text after its byte order mark, with newlines as they are and bad bytes as U+FFFD."""
    file.seek(0)
    raw = io.BufferedReader(_Rest(file, found.bom_bytes), MIB)
    return io.TextIOWrapper(raw, encoding=found.encoding, errors="replace", newline="")


class _Rest(io.RawIOBase):
    """The bytes of a file from an offset on."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        super().__init__()
        self._file = file
        file.seek(offset)

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer from the file."""
        count: int = self._file.readinto(buffer)  # type: ignore[attr-defined] # BinaryIO names no readinto
        return count
