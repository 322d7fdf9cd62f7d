"""Byte ranges: what a Range field asks of a file (RFC 9110 section 14). Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A position beyond every file. Longer numbers are not converted: int() refuses 4,301 digits and is
# quadratic before that, and the client chooses the digits.
_FAR = 1 << 63
_DIGITS_MAX = 18
_FIELD = re.compile(r"bytes=([0-9\-, \t]*)", re.IGNORECASE | re.ASCII)
_SPEC = re.compile(r"([0-9]*)-([0-9]*)", re.ASCII)
SPECS_MAX = 64


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Consecutive bytes of a file: the first, and how many."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """The position after the last byte."""
        return self.start + self.length


class Unsatisfiable:
    """A valid request for bytes that the file does not have: 416."""


UNSATISFIABLE = Unsatisfiable()


def select(field: str, size: int) -> Span | Unsatisfiable | None:
    """Return the one span asked for; UNSATISFIABLE for 416; None where the field is to be ignored (200).

    Ignored are other units, malformed and reversed ranges (section 14.2 allows it), more than 64 ranges,
    and sets whose ranges do not join into one span: we never send multipart/byteranges, and never bytes
    nobody asked for, since bytes cost money. Ranges that touch or overlap are joined, in whatever order.
    """
    specs = _parse(field)
    if specs is None:
        return None
    spans = [span for first, last in specs if (span := _place(first, last, size)) is not None]
    if not spans:
        return UNSATISFIABLE
    joined = _join(spans)
    # A suffix of an empty file is satisfiable, but no Content-Range can say "no bytes".
    return joined if joined is not None and joined.length else None


def _parse(field: str) -> list[tuple[int | None, int | None]] | None:
    match = _FIELD.fullmatch(field.strip(" \t"))
    if match is None:
        return None
    specs = [word for part in match[1].split(",") if (word := part.strip(" \t"))]
    if not 1 <= len(specs) <= SPECS_MAX:
        return None
    parsed = list(_read(specs))
    return None if None in parsed else [spec for spec in parsed if spec is not None]


def _read(specs: list[str]) -> Iterator[tuple[int | None, int | None] | None]:
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None or not (match[1] or match[2]) or (match[1] and match[2] and _reversed(match[1], match[2])):
            yield None
        else:
            yield _number(match[1]), _number(match[2])


def _reversed(first: str, last: str) -> bool:
    # Digit strings compare as numbers by length, then by letters: exact however long they are.
    first, last = first.lstrip("0"), last.lstrip("0")
    return (len(last), last) < (len(first), first)


def _number(digits: str) -> int | None:
    if not digits:
        return None
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _DIGITS_MAX else _FAR


def _place(first: int | None, last: int | None, size: int) -> Span | None:
    """Return where a range lies in a file of that size; None when it is not satisfiable (section 14.1.2)."""
    if first is None:
        length = min(last or 0, size)
        return Span(size - length, length) if last else None
    if first >= size:
        return None
    end = size if last is None else min(last + 1, size)
    return Span(first, end - first)


def _join(spans: list[Span]) -> Span | None:
    start, end = min(spans).start, min(spans).end
    for span in sorted(spans):
        if span.start > end:
            return None
        end = max(end, span.end)
    return Span(start, end - start)
