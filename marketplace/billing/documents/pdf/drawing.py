"""Drawing a document: heading, table over as many pages as it needs, sums, notes."""

import io
from collections.abc import Sequence
from typing import Any

from marketplace.billing.documents import words
from marketplace.billing.documents.models import Document
from marketplace.billing.documents.pdf import fonts, layout
from marketplace.billing.documents.pdf.layout import COLUMNS, LEFT, RIGHT, SIZE, SMALL, TOP, Row, yen

FRAME = 0.6
GREY = 0.45
FIRST_TABLE = 560.0
SUMS = 190.0
LEADING = 1.25
LATER_TABLE = TOP - 26.0


def render(document: Document) -> bytes:
    """Return the document as PDF 1.4 on A4; the same document yields the same bytes."""
    with fonts.in_use:
        return _rendered(document.content, document.content_sha256)


def _rendered(content: dict[str, Any], digest: str) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    fonts.font()
    buffer = io.BytesIO()
    # ``invariant`` leaves out the time of day and a random id.
    canvas = Canvas(buffer, pagesize=(layout.WIDTH, layout.HEIGHT), invariant=1, pageCompression=1)
    _describe(canvas, content)
    said = layout.notes(content)
    pages = layout.pages(
        layout.rows(content),
        FIRST_TABLE - layout.HEAD - layout.BOTTOM,
        LATER_TABLE - layout.HEAD - layout.CARRY - layout.BOTTOM,
        layout.end_room(content, said),
    )
    carried = 0
    for number, rows in enumerate(pages, start=1):
        y = _heading(canvas, content) if number == 1 else _running_head(canvas, content)
        y, carried = _table(canvas, rows, y, carried, first=number == 1, last=number == len(pages))
        if number == len(pages):
            _end(canvas, content, said, y)
        _foot(canvas, content["number"], digest, number, len(pages))
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _describe(canvas: Any, content: dict[str, Any]) -> None:
    japanese, english = words.title(content)
    canvas.setTitle(f"{japanese} {english} {content['number']}")
    canvas.setAuthor(content["issuer"]["name_ja"])
    canvas.setSubject(content["number"])
    canvas.setCreator("Musubi")


def _heading(canvas: Any, content: dict[str, Any]) -> float:
    japanese, english = words.title(content)
    _centred(canvas, TOP, japanese, 20)
    _centred(canvas, TOP - 16, english, 9, grey=True)
    canvas.setLineWidth(1.2)
    canvas.line(LEFT, TOP - 25, RIGHT, TOP - 25)
    _recipient(canvas, content, TOP - 52)
    _particulars(canvas, content, TOP - 48)
    _issuer(canvas, content, TOP - 128)
    _amount(canvas, content, TOP - 178)
    return FIRST_TABLE


def _recipient(canvas: Any, content: dict[str, Any], y: float) -> None:
    recipient = content["recipient"]
    y = _name(canvas, LEFT, y, f"{recipient['name_ja']} 御中", 270, 13)
    y = _name(canvas, LEFT, y, recipient["name_en"], 270, 8, grey=True)
    if recipient["registration_number"]:
        _text(canvas, LEFT, y - 4, f"登録番号 {recipient['registration_number']}", 8)


def _particulars(canvas: Any, content: dict[str, Any], y: float) -> None:
    rows = [("番号", "No.", content["number"]), *words.days(content)]
    for japanese, english, value in rows:
        _text(canvas, 335, y, japanese, 8.5)
        _text(canvas, 335 + fonts.width(japanese, 8.5) + 4, y, english, 6.5, grey=True)
        _right(canvas, RIGHT, y, value, fonts.fitting(value, 125, 9))
        y -= 13


def _issuer(canvas: Any, content: dict[str, Any], y: float) -> None:
    issuer = content["issuer"]
    _text(canvas, 335, y, "発行者 Issuer", 7, grey=True)
    y -= 13
    y = _name(canvas, 335, y, issuer["name_ja"], RIGHT - 335, 11)
    y = _name(canvas, 335, y, issuer["name_en"], RIGHT - 335, 7.5, grey=True)
    number = issuer["registration_number"]
    told = f"登録番号 Registration No. {number}" if number else "登録番号なし（適格請求書発行事業者ではありません）"
    _text(canvas, 335, y - 4, told, fonts.fitting(told, RIGHT - 335, 8.5))


def _amount(canvas: Any, content: dict[str, Any], y: float) -> None:
    japanese, english = words.amount_label(content)
    canvas.setLineWidth(FRAME)
    canvas.rect(LEFT, y - 30, 265, 38)
    _text(canvas, LEFT + 8, y - 8, japanese, 10)
    _text(canvas, LEFT + 8, y - 20, f"{english} (tax incl.)", 6.8, grey=True)
    amount = yen(content["amount_gross_yen"])
    _right(canvas, LEFT + 257, y - 17, amount, fonts.fitting(amount, 160, 17))


def _running_head(canvas: Any, content: dict[str, Any]) -> float:
    japanese, english = words.title(content)
    _text(canvas, LEFT, TOP, f"{japanese} {english}", 9)
    _right(canvas, RIGHT, TOP, content["number"], 9)
    return LATER_TABLE


def _table(canvas: Any, rows: Sequence[Row], y: float, carried: int, *, first: bool, last: bool) -> tuple[float, int]:
    y = _columns(canvas, y)
    if not first:
        y = _carry(canvas, y, "前頁より繰越", "Brought forward", carried)
    canvas.setLineWidth(0.4)
    canvas.setStrokeGray(0.6)
    for row in rows:
        _row(canvas, row, y)
        y -= row.height
        canvas.line(LEFT, y, RIGHT, y)
        carried += row.amount_yen
    canvas.setStrokeGray(0)
    if not last:
        y = _carry(canvas, y, "次頁へ繰越", "Carried forward", carried)
    return y, carried


def _columns(canvas: Any, y: float) -> float:
    canvas.setFillGray(0.92)
    canvas.rect(LEFT, y - layout.HEAD, RIGHT - LEFT, layout.HEAD, stroke=0, fill=1)
    canvas.setFillGray(0)
    for japanese, english, left, right, figures in COLUMNS:
        if figures:
            _right(canvas, right, y - 8, japanese, fonts.fitting(japanese, right - left, 7.5))
            _right(canvas, right, y - 14.5, english, 5.5, grey=True)
        else:
            _text(canvas, left + 2, y - 8, japanese, 7.5)
            _text(canvas, left + 2, y - 14.5, english, 5.5, grey=True)
    return y - layout.HEAD


def _carry(canvas: Any, y: float, japanese: str, english: str, amount: int) -> float:
    _text(canvas, LEFT + 2, y - 10.5, f"{japanese} {english}", 7.5, grey=True)
    figure = f"{amount:,}"
    _right(canvas, RIGHT, y - 10.5, figure, fonts.fitting(figure, 120, 8.5))
    canvas.setLineWidth(0.4)
    canvas.line(LEFT, y - layout.CARRY, RIGHT, y - layout.CARRY)
    return y - layout.CARRY


def _row(canvas: Any, row: Row, y: float) -> None:
    baseline = y - layout.ROW_LEADING
    for (_japanese, _english, left, right, _figures), figure in zip(COLUMNS[1:], row.figures, strict=True):
        _right(canvas, right, baseline, figure, fonts.fitting(figure, right - left, SIZE))
    for line in row.japanese:
        _text(canvas, LEFT, baseline, line, SIZE)
        baseline -= layout.ROW_LEADING
    baseline += layout.ROW_LEADING - SMALL - 1.4
    for line in row.english:
        _text(canvas, LEFT, baseline, line, SMALL, grey=True)
        baseline -= SMALL + 1.4


def _end(canvas: Any, content: dict[str, Any], said: Sequence[str], y: float) -> None:
    y = _sums(canvas, content, y - 20)
    for line in said:
        _text(canvas, LEFT, y, line, 7.6)
        y -= layout.NOTE_LEADING


def _sums(canvas: Any, content: dict[str, Any], y: float) -> float:
    for total in content["totals"]:
        japanese, english = words.category_label(total)
        _text(canvas, SUMS, y, japanese, 8.5)
        _text(canvas, SUMS + 4 + fonts.width(japanese, 8.5), y, english, 6, grey=True)
        _figure(canvas, 432, y, "", total["net_yen"], 84)
        _figure(canvas, RIGHT, y, "消費税", total["tax_yen"], 108)
        y -= 15
    canvas.setLineWidth(FRAME)
    canvas.line(SUMS, y + 10, RIGHT, y + 10)
    sums = (
        ("小計", "Net", "amount_net_yen"),
        ("消費税額等", "Consumption tax", "amount_tax_yen"),
        ("合計", "Total", "amount_gross_yen"),
    )
    for japanese, english, name in sums:
        y -= 3
        _text(canvas, SUMS, y, japanese, 9)
        _text(canvas, SUMS + 4 + fonts.width(japanese, 9), y, english, 6.5, grey=True)
        amount = yen(content[name])
        _right(canvas, RIGHT, y, amount, fonts.fitting(amount, 180, 10))
        y -= 13
    return y - 8


def _figure(canvas: Any, right: float, y: float, label: str, amount: str, room: float) -> None:
    text = f"{label} {yen(amount)}".strip()
    _right(canvas, right, y, text, fonts.fitting(text, room, 8.5))


def _foot(canvas: Any, number: str, digest: str, page: int, pages: int) -> None:
    canvas.setLineWidth(0.25)
    canvas.line(LEFT, 44, RIGHT, 44)
    _text(canvas, LEFT, 34, f"{number}  SHA-256 {digest}", 5.8, grey=True)
    _right(canvas, RIGHT, 34, f"{page} / {pages}", 8)


def _name(canvas: Any, x: float, y: float, text: str, room: float, size: float, *, grey: bool = False) -> float:
    """Write a name whole, in smaller type the longer it is: at most the height of two lines of its usual size."""
    height = 2 * LEADING * size
    lines = fonts.broken(fonts.printable(text), room, size)
    while len(lines) * LEADING * size > height:
        size *= 0.9
        lines = fonts.broken(fonts.printable(text), room, size)
    for line in lines:
        _text(canvas, x, y, line, size, grey=grey)
        y -= LEADING * size
    return y


def _text(canvas: Any, x: float, y: float, text: str, size: float, *, grey: bool = False) -> None:
    canvas.setFont(fonts.NAME, size)
    canvas.setFillGray(GREY if grey else 0)
    canvas.drawString(x, y, text)


def _right(canvas: Any, x: float, y: float, text: str, size: float, *, grey: bool = False) -> None:
    _text(canvas, x - fonts.width(text, size), y, text, size, grey=grey)


def _centred(canvas: Any, y: float, text: str, size: float, *, grey: bool = False) -> None:
    _text(canvas, (LEFT + RIGHT - fonts.width(text, size)) / 2, y, text, size, grey=grey)
