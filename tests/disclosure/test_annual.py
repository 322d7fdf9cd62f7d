"""The annual report: figures of a market with known trades, counted by hand, in full and for the public."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pypdfium2
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from marketplace.audit import service as audit
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.billing.balance.models import Movement
from marketplace.billing.documents.pdf import fonts
from marketplace.disclosure import counting, feeds, queries, service
from marketplace.disclosure.annual import charts, pdf, publishing, sustainability
from marketplace.disclosure.annual.figures import MONTHS, Figure, Part, Secrecy, by_month, labelled, public, whole
from marketplace.disclosure.annual.reading import Year
from marketplace.disclosure.annual.report import compile_report
from marketplace.disclosure.rules import Cell
from marketplace.disclosure.states import Principle, Unit
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from tests.disclosure.world import OCTOBER, World, give_back, listed_dataset, october, trade
from tests.factories import money
from tests.factories.identity import OrganizationFactory

AFTER_YEAR = datetime(2027, 1, 12, tzinfo=UTC)


@pytest.fixture
def world(app) -> World:
    found = october()
    with clock.stopped(OCTOBER):
        for _ in range(3):
            audit.record(SYSTEM, Verb.RECORD_SEARCHED, subject="org_1", facts={"asked": {}})
        for _ in range(2):
            audit.record(SYSTEM, Verb.GRANT_REVOKED, subject="grt_1")
        for _ in range(7):
            audit.record(SYSTEM, Verb.TOKENS_REPLAYED, subject="fam_1")
        for kind, is_drill in (("leak", False), ("leak", True), ("misuse", True)):
            audit.record(SYSTEM, Verb.INCIDENT_OPENED, subject="inc_1", facts={"kind": kind, "drill": is_drill})
    return found


def figures(document: dict) -> dict[str, dict]:
    return {figure["key"]: figure for section in document["sections"] for figure in section["figures"]}


def values(figure: dict) -> dict:
    return {part["ja"]: part["value"] for part in figure["parts"]}


def counted() -> tuple[dict, dict]:
    with clock.stopped(AFTER_YEAR):
        full, public_version = compile_report(2026)
    return figures(full), figures(public_version)


def test_operators_see_every_figure_as_counted_by_hand(world):
    full, _public = counted()
    assert full["datasets"]["value"] == 4
    assert values(full["datasets"]) == {"無料": 0, "有料のみ": 4, "提供条件なし": 0}
    # 51 buyers in October, one in September and one in November; each one trade of 1,000 yen and 2,000 bytes.
    assert full["trades"]["value"] == 53
    assert {"9月": 1, "10月": 51, "11月": 1}.items() <= values(full["trades"]).items()
    assert full["sales"]["value"] == 53_000
    assert full["bytes"]["value"] == 106_000
    assert full["commission"]["value"] == 5_300
    assert (full["free_trades"]["value"], full["free_trades"]["of"]) == (0, 53)
    assert values(full["active"]) == {"売った提供者": 4, "買った利用者": 53}
    assert full["looks"]["value"] == values(full["looks"])["10月"] == 3
    assert full["revoked"]["value"] == 2
    assert values(full["signs"]) == {"使用済みトークンの再使用": 7, "漏えいの追跡": 0, "利用者の無効化": 0}
    assert values(full["incidents"]) == {"漏えい": 1, "滅失": 0, "毀損": 0, "不正利用": 0, "訓練": 2}
    assert full["revocation_seconds"]["value"] is None
    assert full["availability"]["value"] is None


def test_every_principle_has_figures_and_each_says_how_it_was_counted(world):
    with clock.stopped(AFTER_YEAR):
        for document in compile_report(2026):
            assert [section["principle"] for section in document["sections"]] == [one.value for one in Principle]
            assert all(len(section["figures"]) >= 5 for section in document["sections"])
            for figure in figures(document).values():
                assert figure["how_ja"].endswith("。")
                assert figure["how_en"].endswith(".")


def test_the_public_gets_no_small_number_and_of_trade_what_the_register_told(world):
    with clock.stopped(AFTER_YEAR):
        service.publish_due()
    _full, told = counted()
    # September and November had one buyer each: the year is what the other months come to.
    assert told["trades"]["value"] == 51
    assert [part["showing"] for part in told["trades"]["parts"]][8:11] == ["few", "shown", "few"]
    assert [part["value"] for part in told["trades"]["parts"]] == [*[0] * 8, None, 51, None, 0]
    assert (told["sales"]["value"], told["bytes"]["value"]) == (51_000, 102_000)
    # What hangs on all trades of the year would give these two away.
    assert told["commission"]["value"] is None
    assert told["free_trades"]["value"] is None
    assert (told["revoked"]["showing"], told["revoked"]["value"]) == ("few", None)
    assert told["looks"]["value"] == 3  # the city's own oversight is no secret
    assert told["signs"]["value"] == 7
    assert told["incidents"]["value"] == 3
    assert told["providers"]["showing"] == "few"
    # So would how many bought, what was delivered, and what is left of the year when October is taken off.
    assert {told[name]["value"] for name in ("active", "receipts", "ways", "complete")} == {None}


def test_a_month_whose_amounts_are_a_fews_is_told_without_them(world, monkeypatch):
    sold = (1, (1, 50_000, 9), (1, 1, 1)), (6, (6, 0, 0), (6, 0, 0)), (9, (9, 0, 0), (9, 0, 0))
    parts = tuple(Cell(str(place), *figures, (Cell("company", *figures),)) for place, figures in enumerate(sold))
    month = Cell("total", 16, (16, 50_000, 9), (16, 1, 1), parts)
    monkeypatch.setattr(counting, "month_of_trade", lambda _month: (month, 16))
    with clock.stopped(AFTER_YEAR):
        service.publish_due()
    month = queries.get_month("2026-12")
    assert (month.document["showing"], month.document["buyers"], month.document["yen"]) == ("shown", 16, None)
    assert "50,000" not in feeds.summary(month)
    assert "16 users of data; amounts are hidden" in feeds.summary(month)
    _full, told = counted()
    assert (told["sales"]["showing"], told["sales"]["value"]) == ("withheld", None)
    assert [(part["showing"], part["value"]) for part in told["sales"]["parts"][8:]] == [("withheld", None)] * 4
    assert told["commission"]["value"] is None


def test_a_year_is_published_once_when_its_december_is(world):
    with clock.stopped(datetime(2027, 1, 5, tzinfo=UTC)):
        service.publish_due()
        publishing.count_years()
    assert queries.get_report(2026).published is None
    with pytest.raises(NotFound):
        queries.get_published_report(2026)
    with clock.stopped(AFTER_YEAR):
        service.publish_due()
        publishing.count_years()
    published = queries.get_published_report(2026)
    assert figures(published)["trades"]["value"] == 51
    with clock.stopped(AFTER_YEAR + timedelta(days=1)):
        audit.record(SYSTEM, Verb.RECORD_SEARCHED, subject="org_1")
        publishing.count_years()
    db.session.expire_all()
    assert queries.get_published_report(2026) == published
    [entry] = db.session.scalars(select(Entry).where(Entry.verb == Verb.REPORT_PUBLISHED.value))
    assert entry.subject == "2026"
    with pytest.raises(DBAPIError, match=r"append-only|never"), db.session.begin_nested():
        db.session.execute(text("UPDATE annual_report SET published = '{}' WHERE year = 2026"))


def test_years_before_the_first_trade_have_no_report(world):
    with clock.stopped(AFTER_YEAR):
        publishing.count(2025)
    assert queries.find_report(2025) is None
    assert queries.find_report(2**40) is None


def test_the_pdf_holds_the_japanese_text_and_is_the_same_each_time(world):
    with clock.stopped(AFTER_YEAR):
        _full, document = compile_report(2026)
    drawn = pdf.render(document)
    assert drawn == pdf.render(document)
    with pypdfium2.PdfDocument(io.BytesIO(drawn)) as opened:
        said = "".join(page.get_textpage().get_text_range() for page in opened)
    assert "スマートシティ5原則 年次報告" in said
    for principle in Principle:
        assert principle.ja in said
        assert principle.en in said
    assert "監査者・運営者による記録の閲覧" in said
    assert "算出方法" in said
    assert "5未満" in said
    assert "〓" not in said


def test_a_chart_tells_in_words_what_it_draws():
    parts = by_month({"01": 3, "02": 40, "03": 50})
    figure = Figure(key="x", ja="取引", en="Trades", how_ja="。", how_en=".", value=93, parts=parts)
    told = public(figure, 5, months_shown=True)
    assert charts.described(told, 5).startswith("1月 5未満、2月 秘匿、3月 50、4月 0")
    drawn = charts.plot(told, 5)
    assert [label.words for label in drawn.labels if label.size == 6.5][:3] == ["5未満", "秘匿", "50"]


def test_parts_of_which_one_is_a_fews_are_not_told_however_many_its_deeds_are():
    parts = (Part("甲", "A", 700, parties=9), Part("乙", "B", 300, parties=1))
    figure = Figure(key="x", ja="配信", en="Deliveries", how_ja="。", how_en=".", value=1000, parts=parts, parties=9)
    told = public(figure, 5, months_shown=True)
    assert (told["value"], told["parts"], told["parts_hidden"]) == (1000, [], True)
    told = public(replace(figure, value=700, parts=parts[:1]), 5, months_shown=True)
    assert [part["value"] for part in told["parts"]] == [700]


def test_behind_commission_stand_those_who_left_some(app):
    kept, returned = listed_dataset()[1], listed_dataset()[1]
    buyers = [OrganizationFactory(buyer=True) for _ in range(3)]
    for offer in (kept, returned):
        for buyer in buyers:
            trade(offer, buyer, OCTOBER)
    assert behind("commission") == (600, 2)
    for buyer in buyers:
        give_back(returned, buyer, OCTOBER)
    assert behind("commission") == (300, 1)
    for buyer in buyers:
        give_back(kept, buyer, OCTOBER)
    assert behind("commission") == (0, 0)


def test_behind_the_gateways_fees_stand_the_buyers_whose_payments_caused_them(app):
    with clock.stopped(OCTOBER):
        money.sold(app, 5_000)
    assert behind("gateway_fees") == (198, 1)
    said = {"type": "stripe_fee", "source_id": "fee_1", "refs": ["fee_1"], "currency": "JPY", "state": "waiting"}
    amounts = {"amount_minor": -100, "fee_minor": 100, "net_minor": -200}
    db.session.add(Movement(id="txn_1", created_at=OCTOBER, available_at=OCTOBER, **said, **amounts))
    db.session.flush()
    assert behind("gateway_fees") == (298, 1)


def test_behind_the_gateways_fees_stand_those_as_well_who_paid_in_other_ways(app):
    with clock.stopped(OCTOBER):
        for _ in range(2):
            money.sold(app)
    assert behind("gateway_fees") == (396, 2)
    trade(listed_dataset()[1], OrganizationFactory(buyer=True), OCTOBER)
    assert behind("gateway_fees") == (396, 1)


def behind(key: str) -> tuple[int, int]:
    """An amount of the year, and how many stand behind it."""
    [figure] = (one for one in sustainability.figures(Year(2026)) if one.key == key)
    return figure.value, figure.parties


def test_nothing_but_nothing_has_no_chart():
    figure = Figure(key="x", ja="取引", en="Trades", how_ja="。", how_en=".", value=0, parts=by_month({}))
    assert charts.plot(public(figure, 5, months_shown=True), 5) is None
    hidden = replace(figure, value=43, parts=by_month({"01": 3, "02": 40}))
    told = public(hidden, 5, months_shown=True)
    assert {part["value"] for part in told["parts"]} == {None, 0}
    assert charts.plot(told, 5) is not None


@pytest.mark.parametrize("yen", [9, 12_345_678, 123_456_789_012])
def test_values_above_their_bars_never_touch_each_other(yen):
    parts = by_month(dict.fromkeys(MONTHS, yen))
    given = Figure(key="x", ja="額", en="Yen", how_ja="。", how_en=".", value=12 * yen, parts=parts, unit=Unit.YEN)
    drawn = charts.plot(whole(given), 5)
    said = [label for label in drawn.labels if label.words == f"{yen:,}円"]
    assert len(said) == 12
    assert all(fonts.width(label.words, label.size) < charts.WIDTH / 12 for label in said)


def test_a_line_is_broken_where_a_value_is_hidden():
    parts = by_month({"01": 30, "02": 40, "03": 1, "04": 50, "05": 60})
    figure = Figure(key="x", ja="取引", en="Trades", how_ja="。", how_en=".", value=181, parts=parts, is_line=True)
    drawn = charts.plot(public(figure, 5, months_shown=True), 5)
    assert drawn is not None
    # March is few, and January, the smallest beside it, goes with it: what is left begins with February alone.
    assert [len(line) for line in drawn.lines] == [2, 9]  # the ground, and the line
    assert len(drawn.bars) == 10


@pytest.mark.parametrize(
    ("value", "of", "is_told"), [(0, 9, True), (3, 9, False), (6, 9, False), (5, 10, True), (9, 9, True)]
)
def test_a_share_is_told_where_neither_side_is_few(value, of, is_told):
    figure = Figure(key="x", ja="割合", en="Share", how_ja="。", how_en=".", value=value, of=of)
    told = public(figure, 5, months_shown=True)
    assert (told["value"], told["of"]) == ((value, of) if is_told else (None, None))


@pytest.mark.parametrize(("parties", "months_shown", "is_told"), [(9, True, True), (4, True, False), (9, False, False)])
def test_an_amount_is_told_where_enough_stand_behind_it_and_no_month_is_hidden(parties, months_shown, is_told):
    figure = Figure(
        key="x", ja="額", en="Amount", how_ja="。", how_en=".", value=700, parties=parties, secrecy=Secrecy.TRADED,
        parts=labelled([(("甲", "A"), 700)]),
    )  # fmt: skip
    told = public(figure, 5, months_shown=months_shown)
    assert told["value"] == (700 if is_told else None)
    assert bool(told["parts"]) is is_told
