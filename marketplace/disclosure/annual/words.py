"""Figures of the report as people read them, Japanese first and English beside it. Pure."""

from decimal import Decimal
from typing import Any

from marketplace.disclosure.states import Showing, Unit

TITLE = ("スマートシティ5原則 年次報告", "Annual report on the five principles")
HOW = ("算出方法", "How each figure was counted")
HIDDEN = ("秘匿", "hidden")
NOT_MEASURED = ("測定なし", "not measured")
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024


def headline(figure: dict[str, Any], threshold: int) -> tuple[str, str]:
    """Return what a figure comes to, in Japanese and English."""
    if figure["showing"] != Showing.SHOWN:
        return _hidden(figure["showing"], threshold)
    value, of = figure["value"], figure["of"]
    if value is None:
        return NOT_MEASURED
    if of is None:
        return amount(value, figure["unit"])
    return (f"{of:,}のうち{value:,}({_percent(value, of)})", f"{value:,} of {of:,} ({_percent(value, of)})")


def part_value(part: dict[str, Any], unit: str, threshold: int) -> tuple[str, str]:
    """Return what a part of a figure comes to, in Japanese and English."""
    if part["showing"] != Showing.SHOWN:
        return _hidden(part["showing"], threshold)
    return amount(part["value"], unit)


def amount(value: int, unit: str) -> tuple[str, str]:
    """Return a value with its unit, in Japanese and English."""
    match Unit(unit):
        case Unit.YEN:
            return f"{value:,}円", f"{value:,} yen"
        case Unit.SECONDS:
            return f"{value:,}秒", f"{value:,} s"
        case Unit.BASIS_POINTS:
            return (f"{Decimal(value) / 100:.2f} %",) * 2
        case Unit.BYTES:
            return (_size(value),) * 2
        case _:
            return (f"{value:,}",) * 2


def period(document: dict[str, Any]) -> tuple[str, str]:
    """Return which year the report is on and when it was counted, in Japanese and English."""
    year, day = document["year"], document["computed_at"][:10]
    version = ("公開版", "public version") if document["public"] else ("全数値版", "with every figure")
    return (
        f"{year}年1月から12月まで（{day}集計、{version[0]}）",
        f"January to December {year} (counted {day} UTC, {version[1]})",
    )


def suppression(document: dict[str, Any]) -> tuple[str, str] | None:
    """Return how small numbers are hidden, None where none are."""
    few = document["threshold"]
    if not document["public"]:
        return None
    return (
        f"{few}未満の値は「{few}未満」とし、逆算を防ぐため他の値も秘匿することがあります。",
        f"Values below {few} are told as fewer than {few}; others are hidden where they would give those away.",
    )


def _hidden(showing: str, threshold: int) -> tuple[str, str]:
    return (f"{threshold}未満", f"fewer than {threshold}") if showing == Showing.FEW else HIDDEN


def _percent(value: int, of: int) -> str:
    return f"{Decimal(value) * 100 / of:.1f} %" if of else "–"


def _size(value: int) -> str:
    power = min((max(value, 1).bit_length() - 1) // 10, len(_UNITS))
    return f"{value:,} B" if not power else f"{Decimal(value) / _STEP**power:,.1f} {_UNITS[power - 1]}"
