"""Where things stand on A4: columns, rows, and which rows share a page. In points from the lower left; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.billing.documents import words
from marketplace.billing.documents.pdf import fonts
from marketplace.billing.documents.rules import rate_text
from marketplace.billing.documents.states import TaxCategory

WIDTH, HEIGHT = 595.28, 841.89
LEFT, RIGHT, TOP, BOTTOM = 45.0, 550.0, 795.0, 62.0
SIZE, SMALL = 9.0, 6.8
ROW_LEADING, NOTE_LEADING = 11.0, 10.5
CARRY = 15.0
HEAD = 17.0
COLUMNS = (
    ("内容", "Description", 45.0, 305.0, False),
    ("数量", "Quantity", 309.0, 392.0, True),
    ("単価（円）", "Unit price", 396.0, 448.0, True),
    ("税率", "Tax", 451.0, 480.0, True),
    ("金額（円・税抜）", "Net yen", 483.0, 550.0, True),
)
"""Japanese and English heading, left and right edge, whether figures stand at the right."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: the description broken into lines, in Japanese then English, and the figures."""

    japanese: tuple[str, ...]
    english: tuple[str, ...]
    figures: tuple[str, str, str, str]
    amount_yen: int

    @property
    def height(self) -> float:
        """How much room the row takes."""
        return 5.0 + ROW_LEADING * len(self.japanese) + (SMALL + 1.4) * len(self.english)


def yen(amount: str | int) -> str:
    """Return an amount as documents write it."""
    value = int(amount)
    return f"-¥{-value:,}" if value < 0 else f"¥{value:,}"


def rows(content: dict[str, Any]) -> list[Row]:
    """Return the table's rows."""
    return [_row(line) for line in content["lines"]]


def pages(table: Sequence[Row], first_room: float, later_room: float, end_room: float) -> list[list[Row]]:
    """Spread rows over pages; the last page keeps room for what follows the table, and may hold that alone."""
    filled: list[list[Row]] = [[]]
    room = first_room - CARRY
    for row in table:
        if row.height > room and filled[-1]:
            filled.append([])
            room = later_room - CARRY
        filled[-1].append(row)
        room -= row.height
    # The line that carries a sum on stays free on the last page.
    if room + CARRY < end_room:
        filled.append([])
    return filled


def notes(content: dict[str, Any]) -> list[str]:
    """Return the sentences below the figures, broken into lines."""
    said = []
    for japanese, english in words.notes(content):
        for text in (japanese, english):
            said += fonts.broken(fonts.printable(text), RIGHT - LEFT, 7.6)
    return said


def end_room(content: dict[str, Any], said: Sequence[str]) -> float:
    """Return the height of the sums and notes after the table."""
    return 26.0 + 15.0 * len(content["totals"]) + 3 * 16.0 + 14.0 + NOTE_LEADING * len(said)


def _row(line: dict[str, Any]) -> Row:
    reduced = line["tax_category"] == TaxCategory.REDUCED.value
    mark = f" {words.REDUCED_MARK}" if reduced else ""
    room = COLUMNS[0][3] - COLUMNS[0][2]
    japanese = fonts.broken(fonts.printable(line["description_ja"] + mark), room, SIZE)
    english = fonts.broken(fonts.printable(line["description_en"]), room, SMALL)
    figures = (_quantity(line), _price(line), _rate(line), f"{int(line['amount_net_yen']):,}")
    return Row(tuple(japanese), tuple(english), figures, int(line["amount_net_yen"]))


def _quantity(line: dict[str, Any]) -> str:
    return fonts.printable(f"{_grouped(line['quantity'])} {line['unit']}".rstrip())


def _price(line: dict[str, Any]) -> str:
    return _grouped(line["unit_price_yen"]) if line["unit_price_yen"] is not None else ""


def _rate(line: dict[str, Any]) -> str:
    return rate_text(line["tax_rate_basis_points"]) if line["tax_rate_basis_points"] else "–"


def _grouped(number: str) -> str:
    whole, dot, rest = number.partition(".")
    return f"{int(whole):,}{dot}{rest}" if whole.lstrip("-").isdigit() else number
