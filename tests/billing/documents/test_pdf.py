"""Documents on paper: the font inside, the text readable by others, nothing over the edge, the same bytes each time."""

import io
from types import SimpleNamespace

import pypdfium2
import pytest
from sqlalchemy.orm import Session

from marketplace.billing.documents import service
from marketplace.billing.documents.pdf import drawing, fonts, layout
from marketplace.billing.documents.rules import Remark
from marketplace.billing.documents.states import DocumentKind
from marketplace.identity.actors import SYSTEM
from tests.factories.documents import DraftFactory, LineFactory
from tests.factories.identity import OrganizationFactory


def read(pdf: bytes) -> list[str]:
    """The text of each page as a foreign reader sees it."""
    with pypdfium2.PdfDocument(io.BytesIO(pdf)) as opened:
        return [page.get_textpage().get_text_bounded() for page in opened]


def test_a_foreign_reader_finds_names_numbers_and_amounts(session: Session) -> None:
    recipient = OrganizationFactory(name_ja="株式会社髙島﨑データ㈱商会①", name_en="Takashimazaki Data")
    lines = [LineFactory(description_ja="札幌市 地下歩行空間 通行量Ⅱ", amount_net_yen=1_234_567, quantity="1234567.5")]
    document = service.issue(
        SYSTEM, DraftFactory(receiving=recipient, lines=lines, remarks=(Remark("以上", "That is all"),))
    )
    [text] = read(drawing.render(document))
    for said in (
        "適格請求書", "Qualified Invoice", document.number, "株式会社髙島﨑データ㈱商会①", "御中", "登録番号",
        "T9000020011002", "地下歩行空間", "1,234,567", "¥1,358,023", "123,456", "2026-11-20", "以上", "1 / 1",
        document.content_sha256,
    ):  # fmt: skip
        assert said in text, said


def test_the_same_document_is_the_same_bytes_and_holds_its_font(session: Session) -> None:
    document = service.issue(SYSTEM, DraftFactory())
    first = drawing.render(document)
    assert drawing.render(document) == first
    assert b"/FontFile2" in first
    assert b"NotoSansJP" in first
    assert len(first) < 100_000


def test_a_thousand_lines_carry_their_sums_from_page_to_page(session: Session) -> None:
    lines = [LineFactory(amount_net_yen=number, description_ja=f"{number}件目の明細") for number in range(1, 1001)]
    document = service.issue(SYSTEM, DraftFactory(lines=lines))
    pages = read(drawing.render(document))
    assert len(pages) > 20
    carried = [next(line for line in page.splitlines() if "次頁へ繰越" in line) for page in pages[:-1]]
    brought = [next(line for line in page.splitlines() if "前頁より繰越" in line) for page in pages[1:]]
    assert [line.split()[-1] for line in carried] == [line.split()[-1] for line in brought]
    together = "\n".join(pages)
    assert all(f"{number}件目の明細" in together for number in range(1, 1001))
    assert all(f"{place} / {len(pages)}" in page for place, page in enumerate(pages, start=1))
    assert "¥550,550" in pages[-1]


def test_nothing_is_written_over_the_edges_however_long_names_and_amounts_are(session: Session) -> None:
    recipient = OrganizationFactory(name_ja="龍" * 200, name_en="Long name " * 20)
    issuer = OrganizationFactory(name_ja="連携基盤" * 50, name_en="W" * 200)
    long = LineFactory(
        description_ja="明細（とても長い説明、）" * 25, description_en="word " * 60, amount_net_yen=2**49
    )
    document = service.issue(SYSTEM, DraftFactory(issuing=issuer, receiving=recipient, lines=[long] * 9))
    with pypdfium2.PdfDocument(io.BytesIO(drawing.render(document))) as opened:
        for page in opened:
            for shown in page.get_objects():
                left, bottom, right, top = shown.get_bounds()
                assert left >= layout.LEFT - 2
                assert right <= layout.RIGHT + 2
                assert 25 <= bottom <= top <= 830
        assert opened[0].get_textpage().get_text_bounded().count("龍") == 200


def test_signs_without_a_glyph_become_a_geta_mark_and_do_no_harm(session: Session) -> None:
    document = service.issue(SYSTEM, DraftFactory(lines=[LineFactory(description_ja="人流😀データ𠮷野")]))
    [text] = read(drawing.render(document))
    assert "人流〓データ〓野" in text


def test_lines_break_between_words_and_never_before_a_closing_sign() -> None:
    for line in fonts.broken("Hourly people flow in the underground walkway of Sapporo", 100, 9):
        assert line == line.strip()
        assert set(line.split()) <= {"Hourly", "people", "flow", "in", "the", "underground", "walkway", "of", "Sapporo"}
    broken = fonts.broken("あ" * 11 + "、" + "い" * 11 + "。", 99, 9)
    assert "".join(broken) == "あ" * 11 + "、" + "い" * 11 + "。"
    assert not any(line[0] in "、。" for line in broken)
    assert fonts.broken("", 100, 9) == [""]
    assert "".join(fonts.broken("x" * 500, 100, 9)) == "x" * 500


@pytest.mark.parametrize(
    "kind", [kind for kind in DocumentKind if kind not in {DocumentKind.CORRECTION, DocumentKind.CREDIT_NOTE}]
)
def test_every_kind_is_drawn_under_its_title(session: Session, kind: DocumentKind) -> None:
    document = service.issue(SYSTEM, DraftFactory(kind=kind))
    [text] = read(drawing.render(document))
    assert drawing.words.title(document.content)[0] in text


def test_what_follows_a_full_table_has_a_page_of_its_own() -> None:
    row = SimpleNamespace(height=20.0)
    assert [len(page) for page in layout.pages([row] * 5, 115, 115, 90)] == [5, 0]
    assert [len(page) for page in layout.pages([row] * 7, 115, 115, 60)] == [5, 2]
    assert [len(page) for page in layout.pages([], 100, 100, 50)] == [0]
