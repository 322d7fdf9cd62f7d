"""An invoice of 1,000 lines as PDF, against the bare library drawing as many texts, in pairs."""

import argparse
import io
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from reportlab.pdfgen.canvas import Canvas

from marketplace.billing.documents import rules
from marketplace.billing.documents.pdf import drawing, fonts, layout
from marketplace.billing.documents.rules import DocumentDraft, DocumentLine, Party
from marketplace.billing.documents.states import DocumentKind
from marketplace.billing.tax import Rounding
from marketplace.kit import clock

LINES, CELLS = 1000, 6
PAIRS, PAIRS_QUICK = 15, 3
TEXTS_A_PAGE = 140


def main(arguments: list[str]) -> None:
    """Print seconds and the paired ratio to the bare library."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks documents")
    parser.add_argument("--quick", action="store_true", help="fewer pairs")
    pairs = PAIRS_QUICK if parser.parse_args(arguments).quick else PAIRS
    document: Any = SimpleNamespace(content=_content(), content_sha256="0" * 64)
    texts = [text for row in layout.rows(document.content) for text in (*row.japanese, *row.english, *row.figures)]
    drawing.render(document)
    ours, bare = [], []
    for _pair in range(pairs):
        ours.append(_seconds(lambda: drawing.render(document)))
        bare.append(_seconds(lambda: _bare(texts)))
    ratio = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
    print(f"invoice of {LINES} lines, {len(texts)} texts, {len(drawing.render(document)) // 1024} KiB of PDF")
    print(f"  bare library, the same texts in the same font {statistics.median(bare):8.3f} s")
    print(f"  our document                                  {statistics.median(ours):8.3f} s, {ratio:.2f} x the limit")


def _content() -> dict[str, Any]:
    seller = Party("org_a", "札幌市", "City of Sapporo", "T9000020011002")
    buyer = Party("org_b", "株式会社むすび商店", "Musubi Shoten, Inc.")
    lines = [
        DocumentLine(
            f"データ配信 札幌市 人流データ {number}",
            f"Data delivered: flow {number}",
            number,
            1000,
            str(number),
            "MiB",
            "1",
        )
        for number in range(1, LINES + 1)
    ]
    draft = DocumentDraft(DocumentKind.INVOICE, "bench", seller, buyer, lines, clock.today())
    added = {"number": "M0001-2026-000001", "issued_on": clock.today().isoformat()}
    unknown = {"corrects": None, "delivered_by": None, "transitional_credit_percent": None}
    return rules.content(draft, rules.totals(draft, Rounding.FLOOR)) | added | unknown


def _bare(texts: list[str]) -> bytes:
    fonts.font()
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(layout.WIDTH, layout.HEIGHT), invariant=1, pageCompression=1)
    for start in range(0, len(texts), TEXTS_A_PAGE):
        canvas.setFont(fonts.NAME, layout.SIZE)
        for place, text in enumerate(texts[start : start + TEXTS_A_PAGE]):
            canvas.drawString(layout.LEFT + 80 * (place % CELLS), layout.TOP - 20 * (place // CELLS), text)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
