"""Reading and writing the compound items: periods, price ranges and regions. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from marketplace.kit.money import AMOUNT_MAX
from marketplace.licensing import reading
from marketplace.licensing.regions import find_region
from marketplace.licensing.states import PeriodUnit
from marketplace.licensing.terms import ANYWHERE, DataPeriod, LicencePeriod, PriceRange

_COUNT = reading.whole(1, 9_999)
_YEN = reading.whole(0, AMOUNT_MAX)


def read_region(value: Any, pointer: str) -> str:
    """Read ``noLimit`` (制限なし) or an ISO 3166 code; Japan and its prefectures also by Japanese name."""
    word = reading.text(value, pointer)
    if word.casefold() == ANYWHERE.casefold() or word == "制限なし":
        return ANYWHERE
    found = find_region(word)
    if found is None:
        raise reading.refuse(pointer, "noLimit (制限なし) or an ISO 3166 code is needed, such as JP or JP-01")
    return found


def read_data_period(value: Any, pointer: str) -> DataPeriod:
    """Read ``{"kind": "startEndDate", "start", "end"}`` or ``{"kind": "note", "note"}``."""
    if _kind(value, pointer, ("startEndDate", "note")) == "note":
        fields = reading.table(value, pointer, ("kind", "note"))
        return DataPeriod(note=reading.text(fields.get("note"), f"{pointer}/note"))
    fields = reading.table(value, pointer, ("kind", "start", "end"))
    start, end = _day(fields, "start", pointer), _day(fields, "end", pointer)
    if start is None and end is None:
        raise reading.refuse(pointer, "start or end is needed")
    if start and end and end < start:
        raise reading.refuse(f"{pointer}/end", "the end lies before the start")
    return DataPeriod(start=start, end=end)


def read_licence_period(value: Any, pointer: str) -> LicencePeriod:
    """Read ``{"kind": "endDate", "end"}``, ``{"kind": "period", "value", "unit"}`` or ``{"kind": "note", "note"}``."""
    kind = _kind(value, pointer, ("endDate", "period", "note"))
    if kind == "endDate":
        fields = reading.table(value, pointer, ("kind", "end"))
        return LicencePeriod(end=reading.day(fields.get("end"), f"{pointer}/end"))
    if kind == "note":
        fields = reading.table(value, pointer, ("kind", "note"))
        return LicencePeriod(note=reading.text(fields.get("note"), f"{pointer}/note"))
    fields = reading.table(value, pointer, ("kind", "value", "unit"))
    return LicencePeriod(
        value=_COUNT(fields.get("value"), f"{pointer}/value"),
        unit=reading.code(PeriodUnit)(fields.get("unit"), f"{pointer}/unit"),
    )


def read_price_range(value: Any, pointer: str) -> PriceRange:
    """Read ``{"min_yen": 1000, "max_yen": 50000}``; ``max_yen`` may be null."""
    fields = reading.table(value, pointer, ("min_yen", "max_yen"))
    low = _YEN(fields.get("min_yen"), f"{pointer}/min_yen")
    high = reading.optional(_YEN)(fields.get("max_yen"), f"{pointer}/max_yen")
    if high is not None and high < low:
        raise reading.refuse(f"{pointer}/max_yen", "the upper end lies below the lower end")
    return PriceRange(low, high)


def write_period(period: DataPeriod | LicencePeriod) -> dict[str, Any]:
    """Return the document form of a period, which the readers above read back."""
    if period.note is not None:
        return {"kind": "note", "note": period.note}
    if isinstance(period, DataPeriod):
        return {"kind": "startEndDate", "start": _written(period.start), "end": _written(period.end)}
    if period.end is not None:
        return {"kind": "endDate", "end": _written(period.end)}
    return {"kind": "period", "value": period.value, "unit": period.unit.value if period.unit else None}


def _kind(value: Any, pointer: str, kinds: tuple[str, ...]) -> Any:
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if kind not in kinds:
        raise reading.refuse(f"{pointer}/kind", "one of these is needed: " + ", ".join(kinds))
    return kind


def _day(fields: Mapping[str, Any], name: str, pointer: str) -> date | None:
    return reading.optional(reading.day)(fields.get(name), f"{pointer}/{name}")


def _written(at: date | None) -> str | None:
    return None if at is None else at.isoformat()
