"""Each kind in each way of writing it: full-width figures, all hyphens, CP932 on disk, parts in columns of their own."""

import random
from itertools import product

import pytest

from marketplace.catalog import profiling
from marketplace.catalog.profiling import ProfileLimits
from marketplace.privacy import detectors, inspection
from marketplace.privacy.detectors import Kind, Level
from tests.privacy import people as made

CHANCE = random.Random(11)
LIMITS = ProfileLimits(cpu_seconds=60, wall_seconds=120)
HYPHENS = "-‐‑–—―−－ｰー"
WIDE = {ord(str(n)): 0xFF10 + n for n in range(10)}
NUMBERS = {
    Kind.MY_NUMBER: [made.my_number(CHANCE) for _ in range(12)],
    Kind.DRIVING_LICENCE: [made.licence(CHANCE) for _ in range(12)],
    Kind.CARD_NUMBER: ["4111111111111111", *(made.card(CHANCE) for _ in range(11))],
}
ANNOUNCED = {
    Kind.MY_NUMBER: "個人番号",
    Kind.DRIVING_LICENCE: "運転免許証番号",
    Kind.CARD_NUMBER: "カード番号",
}


def look(names: list[str], rows: list[list[str]]) -> dict[tuple[Kind, str], Level]:
    return {(one.kind, one.column): one.level for one in detectors.look(names, rows)}


def kinds(name: str, *cells: str) -> set[Kind]:
    return {kind for kind, _ in look([name], [[cell] for cell in cells])}


def grouped(number: str, hyphen: str) -> str:
    return hyphen.join(number[at : at + 4] for at in range(0, len(number), 4))


@pytest.mark.parametrize(("kind", "hyphen"), list(product(NUMBERS, HYPHENS)))
def test_numbers_are_found_by_header_in_full_width_and_with_every_hyphen(kind: Kind, hyphen: str) -> None:
    numbers = [number for number in NUMBERS[kind] if len(number) % 4 == 0]
    assert kind in kinds(ANNOUNCED[kind], *(grouped(number, hyphen) for number in numbers))
    assert kind in kinds(ANNOUNCED[kind], *(grouped(number, hyphen).translate(WIDE) for number in numbers))


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_are_found_without_a_header_in_full_width(kind: Kind) -> None:
    assert kind in kinds("a", *NUMBERS[kind])
    assert kind in kinds("a", *(number.translate(WIDE) for number in NUMBERS[kind]))


@pytest.mark.parametrize("hyphen", HYPHENS)
def test_telephone_postal_and_pension_numbers_and_addresses_are_found_with_every_hyphen(hyphen: str) -> None:
    for wide in ({}, WIDE):

        def said(text: str, wide: dict[int, int] = wide) -> str:
            return text.replace("-", hyphen).translate(wide)

        assert Kind.TELEPHONE in kinds("備考", said("電話 090-1234-5678"))
        assert Kind.POSTAL_CODE in kinds("郵便番号", said("060-8611"))
        assert Kind.PENSION_NUMBER in kinds("基礎年金番号", said("1234-567890"))
        assert Kind.ADDRESS in kinds("住所", said("札幌市中央区北1条西2-1"))
        assert Kind.BIRTH_DATE in kinds("生年月日", said("1990-05-06"))


def test_a_postal_code_and_an_address_in_one_cell_are_both_seen() -> None:
    assert Kind.ADDRESS in kinds("送付先住所", "〒060-8611 札幌市中央区北1条西2丁目1-1")
    assert Kind.NAME in kinds("宛先", "〒060-8611 札幌市中央区北1条西2丁目 佐藤花子様")


def test_pension_numbers_have_no_check_digit_so_that_a_bare_one_needs_its_header() -> None:
    assert kinds("基礎年金番号", "1234567890") == {Kind.PENSION_NUMBER}
    assert kinds("伝票", *(f"{n}234567890" for n in range(1, 10)), "9876543210") == set()
    assert kinds("備考", "年金番号：1234-567890 を確認") == {Kind.PENSION_NUMBER}


PARTS: dict[str, tuple[list[str], list[list[str]], Kind, int]] = {
    "telephone by name": (
        ["市外局番", "市内局番", "加入者番号"], [["011", "211", "2111"], ["90", "1234", "56"], ["03", "3581", "0001"]],
        Kind.TELEPHONE, 3,
    ),
    "telephone numbered": (
        ["ID", "電話1", "電話2", "電話3"], [["1", "011", "211", "2111"], ["2", "090", "1234", "5678"], ["3", "03", "3581", "0001"]],
        Kind.TELEPHONE, 3,
    ),
    "address": (
        ["氏名", "都道府県", "市区町村", "町名", "番地"], [["佐藤 花子", "北海道", "札幌市中央区", "北1条西", "2-1"], ["鈴木 一郎", "北海道", "小樽市", "花園", "２ー１２"]],
        Kind.ADDRESS, 4,
    ),
    "birth": (
        ["生年", "月", "日"], [["1990", "5", "6"], ["１９７１年", "１２月", "３１日"]], Kind.BIRTH_DATE, 3,
    ),
    "My Number by name": (
        ["マイナンバー(1)", "マイナンバー(2)", "マイナンバー(3)"], [[n[:4].lstrip("0"), n[4:8], n[8:]] for n in NUMBERS[Kind.MY_NUMBER][:2]],
        Kind.MY_NUMBER, 3,
    ),
    "My Number without a name": (
        ["a", "b", "c", "d"], [["x", n[:4], n[4:8].translate(WIDE), n[8:]] for n in NUMBERS[Kind.MY_NUMBER]],
        Kind.MY_NUMBER, 3,
    ),
    "card without a name": (
        ["a", "b", "c", "d"], [[n[:4], n[4:8], n[8:12], n[12:]] for n in NUMBERS[Kind.CARD_NUMBER] if len(n) == 16],
        Kind.CARD_NUMBER, 4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_what_is_split_over_columns_is_found_in_each_of_them(name: str) -> None:
    names, rows, kind, columns = PARTS[name]
    found = detectors.look(names, rows)
    places = {one.place for one in found if one.kind is kind}
    assert len(places) == columns
    shown = detectors.masked_rows(rows, found, notes=True)
    assert all(row[place - 1] == detectors.MASK for row in shown for place in places)


def test_years_counts_and_dates_in_columns_are_left_alone() -> None:
    rows = [[str(CHANCE.randrange(1000, 10_000)) for _ in range(6)] for _ in range(300)]
    assert look(list("abcdef"), rows) == {}
    days = [["2026", str(n % 12 + 1), str(n % 28 + 1), str(n)] for n in range(50)]
    assert look(["年", "月", "日", "人数"], days) == {}
    areas = [["北海道", "札幌市", str(n)] for n in range(20)]
    assert look(["都道府県", "市区町村", "人口"], areas) == {}


@pytest.mark.parametrize("encoding", ["cp932", "utf-8-sig", "utf-16"])
def test_a_file_in_the_citys_encoding_gives_its_people_away(tmp_path, encoding: str) -> None:
    path = tmp_path / "名簿.csv"
    header = "氏名,フリガナ,個人番号,電話番号,市外局番,市内局番,加入者番号,備考"
    rows = [
        f"髙橋 美咲,タカハシ ミサキ,{number.translate(WIDE)},０９０－１２３４－５６７８,011,211,2111,①受付 高橋美咲様"
        for number in NUMBERS[Kind.MY_NUMBER]
    ]
    path.write_bytes("\r\n".join([header, *rows]).encode(encoding))
    profile = profiling.profile_file(path, path.name).document
    found = {(one.kind, one.column) for one in inspection.inspect_file(path, profile, LIMITS).findings}
    assert {
        (Kind.NAME, "氏名"), (Kind.KANA_NAME, "フリガナ"), (Kind.MY_NUMBER, "個人番号"), (Kind.TELEPHONE, "電話番号"),
        (Kind.TELEPHONE, "加入者番号"), (Kind.NAME, "備考"),
    } <= found  # fmt: skip
