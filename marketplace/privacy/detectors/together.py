"""Values that are split over neighbouring columns: put together, and then looked at as one."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from marketplace.privacy.detectors import digits
from marketplace.privacy.detectors.folding import folded
from marketplace.privacy.detectors.headers import words
from marketplace.privacy.detectors.kinds import Kind

_GROUP = 4
_TRIED_MAX = 50
_NUMBERED = r"[ _]?[(-]?{}\)?$"
_TELEPHONE = r"^(?:電話|携帯|tel|phone|fax|連絡先)(?:電話)?(?:番号)?"
_MY_NUMBER = r"^(?:個人番号|マイナンバー|my ?number)"
_BORN = r"(?:生まれ|生|誕生|birth)[ ]?"


def _series(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(one, re.IGNORECASE) for one in patterns)


_BY_NAME: tuple[tuple[Kind, tuple[re.Pattern[str], ...]], ...] = (
    (Kind.TELEPHONE, _series(r"市外局番|area ?code", r"市内局番|^局番", r"加入者番号|^番号|subscriber")),
    (Kind.TELEPHONE, _series(*(_TELEPHONE + _NUMBERED.format(n) for n in (1, 2, 3)))),
    (Kind.MY_NUMBER, _series(*(_MY_NUMBER + _NUMBERED.format(n) for n in (1, 2, 3)))),
    (
        Kind.BIRTH_DATE,
        _series(rf"^{_BORN}(?:年|year)", rf"^(?:{_BORN})?(?:月|month)$", rf"^(?:{_BORN})?(?:日|day)$"),
    ),
)
_AREA = re.compile(
    r"都道府県|市区?町村|市区郡|^[市区町村]名?$|町(?:名|域|字)|字名|大字|prefecture|^city|^town|住所[ _]?1"
    r"|address ?(?:line)?[ _]?1",
    re.IGNORECASE,
)
_SPOT = re.compile(r"番地|丁目|地番|街区|^番$|street|住所[ _]?[2-4]|address ?(?:line)?[ _]?[2-4]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Together:
    """Neighbouring columns, by their indexes, that are one value of a kind; ``is_named`` where their names say so."""

    kind: Kind
    columns: tuple[int, ...]
    is_named: bool = True

    def joined(self, row: Sequence[str]) -> str:
        """Return the value of a row; "" where a part is missing that must be there."""
        parts = [row[column].strip() for column in self.columns]
        if self.kind is Kind.ADDRESS:
            return "".join(parts) if parts[-1] else ""
        if not all(parts):
            return ""
        if self.kind is Kind.BIRTH_DATE:
            return "-".join(folded(part).rstrip("年月日") for part in parts)
        if self.kind is Kind.TELEPHONE:  # spreadsheets take leading zeros away
            first = parts[0] if folded(parts[0][:1]) in {"0", "(", "+"} else f"0{parts[0]}"
            return "-".join((first, *parts[1:-1], parts[-1].zfill(_GROUP)))
        return "".join(part.zfill(_GROUP) for part in parts)


def named(names: Sequence[str]) -> Iterator[Together]:
    """Yield what the names of the columns say belongs together."""
    said = [words(name) for name in names]
    for kind, series in _BY_NAME:
        for start in range(len(said) - len(series) + 1):
            if all(one.search(name) for one, name in zip(series, said[start:], strict=False)):
                yield Together(kind, tuple(range(start, start + len(series))))
    yield from _addresses(said)


def _addresses(said: Sequence[str]) -> Iterator[Together]:
    start: int | None = None
    for place, name in enumerate([*said, ""]):
        is_part = bool(_AREA.search(name) or _SPOT.search(name))
        if is_part and start is None:
            start = place
        if not is_part and start is not None:
            if place - start > 1 and any(_SPOT.search(one) for one in said[start:place]):
                yield Together(Kind.ADDRESS, tuple(range(start, place)))
            start = None


def silent(rows: Sequence[Sequence[str]]) -> list[Together]:
    """Return where the first rows hold numbers in groups of four that are one: half of them pass the check digit.

    A batch is asked once, so that a table of years and counts costs nothing further on.
    """
    if not rows:
        return []
    columns = list(zip(*rows, strict=True))
    grouped = [_is_grouped(cells) for cells in columns]
    found: list[Together] = []
    tried = 0
    for kind, length, check in ((Kind.CARD_NUMBER, 4, digits.is_card_number), (Kind.MY_NUMBER, 3, digits.is_my_number)):
        for start in range(len(columns) - length + 1):
            if not all(grouped[start : start + length]) or tried >= _TRIED_MAX:
                continue
            tried += 1
            one = Together(kind, tuple(range(start, start + length)), is_named=False)
            numbers = [folded(number) for number in map(one.joined, rows) if number]
            if sum(map(check, numbers)) * 2 >= len(numbers) > 0:
                found.append(one)
    return found


def _is_grouped(cells: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in cells if cell.strip()]
    whole = sum(len(cell) == _GROUP for cell in filled)
    return bool(filled) and whole * 3 >= len(filled) * 2 and all(len(one) <= _GROUP and one.isdigit() for one in filled)
