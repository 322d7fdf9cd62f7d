"""The report as PDF on A4, in the embedded Japanese font of the documents; the same report yields the same bytes."""

import io
from itertools import pairwise
from typing import Any

from marketplace.billing.documents.pdf import fonts
from marketplace.billing.documents.pdf.layout import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from marketplace.disclosure.annual import charts, words
from marketplace.disclosure.annual.charts import Plot
from marketplace.disclosure.states import Principle

_INK, _SOFT, _MARK = 0.0, 0.4, (0.04, 0.31, 0.70)
_ANCHORS = {"start": 0.0, "middle": 0.5, "end": 1.0}


def render(document: dict[str, Any]) -> bytes:
    """Return the report as PDF 1.4."""
    with fonts.in_use:
        return _Paper(document).drawn()


class _Paper:
    """Pages that fill from the top, and the number of the last footnote."""

    def __init__(self, document: dict[str, Any]) -> None:
        from reportlab.pdfgen.canvas import Canvas

        fonts.font()
        self._document, self._threshold = document, document["threshold"]
        self._buffer = io.BytesIO()
        # ``invariant`` leaves out the time of day and a random id.
        self._canvas = Canvas(self._buffer, pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1)
        self._y, self._page = TOP, 1

    def drawn(self) -> bytes:
        """Draw everything once."""
        self._title()
        figures = []
        for section in self._document["sections"]:
            self._section(Principle(section["principle"]), self._height(section["figures"][0]))
            for figure in section["figures"]:
                figures.append(figure)
                self._figure(figure, len(figures))
        self._footnotes(figures)
        self._turn()
        self._canvas.save()
        return self._buffer.getvalue()

    def _title(self) -> None:
        japanese, english = words.TITLE
        self._canvas.setTitle(f"{japanese} {english} {self._document['year']}")
        self._canvas.setCreator("Musubi")
        self._canvas.setCatalogEntry("Lang", "ja-JP")
        self._write(japanese, 20, 26)
        self._write(english, 11, 18, grey=_SOFT)
        for said in (words.period(self._document), words.suppression(self._document)):
            for text, grey in zip(said or (), (_INK, _SOFT), strict=False):
                self._prose(text, 9, grey)
        self._y -= 8

    def _section(self, principle: Principle, first: float) -> None:
        """Begin a principle where its first figure has room as well."""
        self._need(54 + first)
        self._y -= 12
        self._canvas.bookmarkPage(principle.value)
        self._canvas.addOutlineEntry(f"{principle.ja} {principle.en}", principle.value)
        self._write(principle.ja, 14, 17)
        self._write(principle.en, 8.5, 6, grey=_SOFT)
        self._canvas.line(LEFT, self._y, RIGHT, self._y)
        self._y -= 18

    def _figure(self, figure: dict[str, Any], number: int) -> None:
        drawn = charts.plot(figure, self._threshold)
        self._need(self._height(figure))
        japanese, english = words.headline(figure, self._threshold)
        self._beside(f"{figure['ja']} *{number}", japanese, 10.5, _INK)
        self._beside(figure["en"], "" if english == japanese else english, 7.5, _SOFT)
        if drawn:
            self._plot(drawn)
        self._y -= 10

    def _height(self, figure: dict[str, Any]) -> float:
        drawn = charts.plot(figure, self._threshold)
        return 46 + (drawn.height + 10 if drawn else 0)

    def _beside(self, left: str, right: str, size: float, grey: float) -> None:
        self._text(LEFT, self._y, left, size, grey)
        self._text(RIGHT - fonts.width(right, size), self._y, right, size, grey)
        self._y -= size + 3.5

    def _plot(self, drawn: Plot) -> None:
        top = self._y + 6
        self._canvas.setFillColorRGB(*_MARK)
        self._canvas.setStrokeColorRGB(*_MARK)
        for x, y, width, height in drawn.bars:
            self._canvas.rect(LEFT + x, top - y - height, width, height, stroke=0, fill=1)
        for line in drawn.lines:
            for (x1, y1), (x2, y2) in pairwise(line):
                self._canvas.line(LEFT + x1, top - y1, LEFT + x2, top - y2)
        self._canvas.setStrokeGray(0)
        for one in drawn.labels:
            text = fonts.printable(one.words)
            x = LEFT + one.at[0] - fonts.width(text, one.size) * _ANCHORS[one.anchor]
            self._text(x, top - one.at[1], text, one.size, _INK)
        self._y = top - drawn.height - 4

    def _footnotes(self, figures: list[dict[str, Any]]) -> None:
        self._need(80)
        self._y -= 12
        self._write(words.HOW[0], 14, 17)
        self._write(words.HOW[1], 8.5, 18, grey=_SOFT)
        for number, figure in enumerate(figures, start=1):
            self._prose(f"*{number} {figure['ja']}：{figure['how_ja']}", 7.5, _INK)
            self._prose(f"{figure['en']}: {figure['how_en']}", 6.8, _SOFT)
            self._y -= 3

    def _prose(self, text: str, size: float, grey: float) -> None:
        for line in fonts.broken(fonts.printable(text), RIGHT - LEFT, size):
            self._need(size + 3)
            self._write(line, size, size + 3, grey=grey)

    def _write(self, text: str, size: float, leading: float, *, grey: float = _INK) -> None:
        self._text(LEFT, self._y, text, size, grey)
        self._y -= leading

    def _text(self, x: float, y: float, text: str, size: float, grey: float) -> None:
        self._canvas.setFont(fonts.NAME, size)
        self._canvas.setFillGray(grey)
        self._canvas.drawString(x, y, text)

    def _need(self, height: float) -> None:
        """Begin another page where less than this is left of it."""
        if self._y - height < BOTTOM:
            self._turn()
            self._page += 1
            self._y = TOP

    def _turn(self) -> None:
        self._text(RIGHT - 20, BOTTOM - 26, str(self._page), 8, _SOFT)
        self._canvas.showPage()
