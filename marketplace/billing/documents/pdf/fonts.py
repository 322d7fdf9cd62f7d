"""The embedded font (Noto Sans JP, SIL OFL 1.1, cut down to CP932 and Latin), its widths, and line breaks."""

import functools
import threading
from pathlib import Path
from typing import Any

NAME = "NotoSansJP"
FILE = Path(__file__).parent / "fonts" / "NotoSansJP-subset.ttf"
MISSING = "〓"
NEVER_FIRST = frozenset("、。，．・：；？！）」』】］｝〉》”’ー々ゝゞァィゥェォッャュョぁぃぅぇぉっゃゅょ%％)]},.:;!?")


# The library keeps which signs of the font a file uses in the font itself, and that is one for all threads.
in_use = threading.Lock()


@functools.cache
def font() -> Any:
    """Return the font, read once a process and known to the library by its name."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    read = TTFont(NAME, str(FILE))
    pdfmetrics.registerFont(read)
    return read


def printable(text: str) -> str:
    """Return the text with a geta mark (〓) for each sign that the font has not."""
    known = font().face.charToGlyph
    if all(ord(sign) in known for sign in text):
        return text
    return "".join(sign if ord(sign) in known else MISSING for sign in text)


def width(text: str, size: float) -> float:
    """Return how wide a text is, in points."""
    face = font().face
    widths, usual = face.charWidths, face.defaultWidth
    return size * sum(widths.get(ord(sign), usual) for sign in text) / 1000  # type: ignore[no-any-return] # untyped


def fitting(text: str, room: float, size: float) -> float:
    """Return the size, made smaller where the text would not fit into the room."""
    wide = width(text, size)
    return size if wide <= room else size * room / wide


def broken(text: str, room: float, size: float) -> list[str]:
    """Break a text into lines that fit: between words, or between Japanese signs where rules of layout allow it."""
    if width(text, size) <= room:
        return [text]
    lines, line, used = [], "", 0.0
    widths, usual = font().face.charWidths, font().face.defaultWidth
    for sign in text:
        wide = size * widths.get(ord(sign), usual) / 1000
        if used + wide > room and line and sign not in NEVER_FIRST and sign != " ":
            kept, rest = _cut(line, sign)
            lines.append(kept.rstrip())
            line, used = rest, width(rest, size)
        line += sign
        used += wide
    return [*lines, line.rstrip()]


def _cut(line: str, following: str) -> tuple[str, str]:
    """Cut a full line: a Latin word that has begun moves on whole, unless it fills the line."""
    if not (following.isascii() and following.isalnum()):
        return line, ""
    begin = len(line)
    while begin and line[begin - 1].isascii() and line[begin - 1] != " ":
        begin -= 1
    # A word longer than two thirds of a line is cut where the line ends.
    return (line[:begin], line[begin:]) if begin * 3 > len(line) else (line, "")
