"""`marketplace report annual`: files for the assembly."""

import io

import pypdfium2

from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from tests.cli.conftest import Run
from tests.disclosure.world import CLOSED, october


def test_the_report_is_written_as_html_and_pdf_japanese_first(run: Run, tmp_path) -> None:
    with transaction():
        world = october()
        names = [buyer.name_ja for buyer in world.buyers]
    out = tmp_path / "reports"
    said = run("report", "annual", "--year", 2026, "--out", out)
    assert "draft" in said
    page = (out / "annual-2026.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "スマートシティ5原則 年次報告" in page
    assert page.index("公平性・包摂性・社会的影響") < page.index("Equity, inclusion and social impact")
    assert "<svg" in page
    with pypdfium2.PdfDocument(io.BytesIO((out / "annual-2026.pdf").read_bytes())) as opened:
        assert "運営面・財政面の持続可能性" in "".join(one.get_textpage().get_text_range() for one in opened)
    assert not any(name in page for name in names)
    assert "53,000円" not in page
    assert "draft" not in run("report", "annual", "--year", 2026, "--out", out, "--full")
    assert "53,000円" in (out / "annual-2026-full.html").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_made_is_named(run: Run, tmp_path) -> None:
    (tmp_path / "taken").write_text("")
    said = run("report", "annual", "--year", 2026, "--out", tmp_path / "taken" / "below", code=1)
    assert "taken" in said


def test_the_register_is_published_at_once(run: Run) -> None:
    assert "published so far: nothing" in run("report", "register")
    with transaction():
        october()
    with clock.stopped(CLOSED):
        assert "published so far: 2026-10, 2026-09" in run("report", "register")
