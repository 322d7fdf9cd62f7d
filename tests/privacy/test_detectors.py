"""What of a person is found in the columns of a table, and what is left alone."""

import random
import time

import pytest

from marketplace.privacy import detectors
from marketplace.privacy.detectors import Kind, Level, digits, headers, people
from marketplace.privacy.detectors.folding import lines
from tests.privacy import people as made

CHANCE = random.Random(4)
NAMES = [
    "佐藤 花子",
    "鈴木一郎",
    "高橋美咲",
    "田中　健",
    "伊藤さくら",
    "渡辺大輔",
    "山本結衣",
    "中村 蓮",
    "小林陽菜",
    "加藤翔太",
]


def kinds_in(names: list[str], *columns: list[str]) -> dict[Kind, Level]:
    return {one.kind: one.level for one in detectors.look(names, list(zip(*columns, strict=True)))}


def found(name: str, *cells: str) -> set[Kind]:
    return set(kinds_in([name], list(cells)))


def test_check_digits_are_those_of_the_published_rules():
    assert digits.is_my_number("123456789018")
    assert not digits.is_my_number("123456789017")
    assert digits.is_card_number("4111111111111111")
    assert not digits.is_card_number("4111111111111112")
    assert not digits.is_card_number("4901234567894")  # a product code (JAN) with the length of an old card
    # 5*3+4*0+3*9+2*2+7*1+6*2+5*3+4*4+3*5+2*6 = 123, 123 mod 11 = 2, 11 - 2 = 9
    assert digits.is_driving_licence("309212345690")
    assert not digits.is_driving_licence("309212345610")
    assert not digits.is_driving_licence("009212345690")


def test_my_numbers_are_found_by_the_column_and_random_numbers_of_12_digits_are_not():
    numbers = [made.my_number(CHANCE) for _ in range(40)]
    assert kinds_in(["番号"], numbers) == {Kind.MY_NUMBER: Level.BLOCKED}
    assert kinds_in(["個人番号"], numbers[:1]) == {Kind.MY_NUMBER: Level.BLOCKED}
    assert found("番号", *[f"{CHANCE.randrange(10**11, 10**12)}" for _ in range(400)]) == set()
    assert found("番号", *numbers[:9]) == set(), "nine of them may be chance"
    mistyped = [f"{CHANCE.randrange(10**11, 10**12)}" for _ in range(30)]
    assert found("番号", *numbers, *mistyped[:10]) == set(), "forty of fifty different ones are too few to be sure"
    many = [made.my_number(CHANCE) for _ in range(60)]
    assert kinds_in(["番号"], many + mistyped) == {Kind.MY_NUMBER: Level.BLOCKED}
    assert found("番号", *many, *(f"{CHANCE.randrange(10**11, 10**12)}" for _ in range(120))) == set()


def test_full_width_grouped_and_spoken_my_numbers_are_found():
    number = made.my_number(CHANCE)
    full = number.translate({ord(str(n)): 0xFF10 + n for n in range(10)})
    assert Kind.MY_NUMBER in found("マイナンバー", full)
    assert Kind.MY_NUMBER in found("個人番号", f"{number[:4]}-{number[4:8]}-{number[8:]}")
    assert Kind.MY_NUMBER in found("備考", f"本人確認済み。マイナンバー：{full}", "特になし")


@pytest.mark.parametrize(
    "cell",
    [
        "011-211-2111",
        "０１１－２１１－２１１１",
        "090-1234-5678",
        "(011)211-2111",
        "011(211)2111",
        "+81-90-1234-5678",
        "03ー1234ー5678",
    ],
)
def test_a_telephone_number_is_found_in_each_spelling(cell: str):
    assert found("電話番号", cell) == {Kind.TELEPHONE}


@pytest.mark.parametrize(
    "cell", ["0120-123-456", "2026-11-30", "192.168.100.100", "1,234,567", "123-4567", "978-4-06-519981-7"]
)
def test_a_toll_free_number_a_date_an_address_or_a_price_is_no_telephone_number(cell: str):
    assert Kind.TELEPHONE not in found("電話番号", cell)
    assert Kind.TELEPHONE not in found("備考", f"（{cell}）です")


def test_spreadsheets_that_drop_the_zero_do_not_hide_a_telephone_number():
    assert found("phone", "9012345678", "8012345678") == {Kind.TELEPHONE}
    assert found("quantity", "9012345678", "8012345678") == set()


def test_names_before_an_honorific_are_found_and_words_that_only_end_like_one_are_not():
    assert found("領収書", "但し 品代として 田中太郎様") == {Kind.NAME}
    assert found("領収書", "佐々木氏が来庁") == {Kind.NAME}
    for person in ("佐藤花子様", "佐藤 花子様", "木村様より", "山本様", "中村 殿", "渡辺恵子さん"):
        assert found("領収書", f"但し {person}") == {Kind.NAME}, person
    for words in (
        "お客様各位",
        "お子様連れ",
        "花様年華",
        "本村様式",
        "同様の仕様",
        "様式第1号",
        "摂氏20度",
        "関係者の皆様へ",
        "山田様式",
        "中野区役所様",
        "多様な森林",
    ):
        assert found("本文", words) == set(), words


def test_names_are_known_by_their_header_or_by_frequent_surnames():
    assert found("氏名", *NAMES) == {Kind.NAME}
    assert found("full_name", "Hanako Sato", "Ken Tanaka") == {Kind.NAME}
    assert found("a", *NAMES) == {Kind.NAME}
    assert (
        found("町名", "山田町", "中村区", "高橋駅", "田中橋", "佐藤公園", "森町", "林町", "清水区", "石川県", "千葉市")
        == set()
    )


def test_readings_of_names_are_found_and_readings_of_facilities_are_not():
    readings = ["サトウ ハナコ", "ｽｽﾞｷ ｲﾁﾛｳ", "たかはし みさき"]
    assert found("フリガナ", *readings) == {Kind.KANA_NAME}
    assert found("名称_カナ", "チュウオウ トショカン", "ミナミ ショウガッコウ") == set()


@pytest.mark.parametrize(
    "cell", ["1990-05-06", "1990年5月6日", "平成２年５月６日", "H2.5.6", "19900506", "S64/1/7", "1990/5/6 0:00"]
)
def test_birth_dates_are_found_by_their_header_in_each_spelling(cell: str):
    assert found("生年月日", cell) == {Kind.BIRTH_DATE}
    assert found("開館日", cell) == set()


def test_births_told_in_a_sentence_are_found():
    assert found("経歴", "昭和50年1月2日生まれ、札幌市在住") == {Kind.BIRTH_DATE}
    assert found("経歴", "昭和50年1月2日生産開始") == set()


def test_cards_licences_and_pension_numbers_are_found_by_their_check_rules():
    assert found("c", *[made.card(CHANCE) for _ in range(12)]) == {Kind.CARD_NUMBER}
    assert found("備考", "カード 4111-1111-1111-1111 で支払い") == {Kind.CARD_NUMBER}
    assert found("備考", "VISA ****-****-****-1234") == {Kind.CARD_PART}
    assert found("免許証番号", *[made.licence(CHANCE) for _ in range(3)]) == {Kind.DRIVING_LICENCE}
    assert found("基礎年金番号", made.pension(CHANCE)) == {Kind.PENSION_NUMBER}
    assert found("商品コード", *[f"{CHANCE.randrange(10**15, 10**16)}" for _ in range(200)]) == set()


def test_an_office_mailbox_is_nobodys():
    assert found("email", "hanako.sato@example.com") == {Kind.EMAIL}
    for mailbox in ("info@example.com", "soumu@city.example.jp", "taro@city.sapporo.lg.jp"):
        assert found("email", mailbox) == set(), mailbox


def test_addresses_need_a_number_and_postal_codes_are_only_noted():
    assert found("住所", "札幌市中央区北1条西2丁目1-1") == {Kind.ADDRESS}
    assert found("住所", "東京都千代田区") == set()
    assert kinds_in(["郵便番号"], ["060-8611"]) == {Kind.POSTAL_CODE: Level.NOTE}


def test_what_a_facility_shows_to_everybody_is_a_note():
    levels = kinds_in(
        ["施設名", "電話番号", "所在地", "緯度", "経度"],
        ["中央図書館", "南小学校", "北公園"],
        ["011-211-2111", "011-211-2112", "011-211-2113"],
        ["札幌市中央区北1条西2丁目1", "札幌市南区真駒内1-1", "札幌市北区北24条西6丁目1"],
        ["43.062096", "43.012345", "43.098765"],
        ["141.354376", "141.354377", "141.354378"],
    )
    assert set(levels) == {Kind.TELEPHONE, Kind.ADDRESS, Kind.COORDINATES}
    assert set(levels.values()) == {Level.NOTE}


def test_a_person_with_all_that_belongs_to_them_takes_two_people():
    levels = kinds_in(
        ["氏名", "生年月日", "電話番号"], NAMES[:2], ["1990-01-02"] * 2, ["090-1234-5678", "080-1234-5678"]
    )
    assert set(levels) == {Kind.NAME, Kind.BIRTH_DATE, Kind.TELEPHONE}
    assert set(levels.values()) == {Level.HIGH}


def test_where_a_device_was_is_a_finding_and_where_a_sensor_stands_is_a_note():
    where = (["43.062096", "43.012345", "43.098765"], ["141.354376", "141.354377", "141.354378"])
    assert kinds_in(["端末ID", "lat", "lon"], ["a", "a", "b"], *where)[Kind.COORDINATES] is Level.MEDIUM
    assert kinds_in(["sensor", "lat", "lon"], ["a", "b", "c"], *where)[Kind.COORDINATES] is Level.NOTE
    coarse = (["43.06", "43.01", "43.09"], ["141.35", "141.36", "141.37"])
    assert kinds_in(["端末ID", "lat", "lon"], ["a", "a", "b"], *coarse) == {}


def test_prices_ids_and_codes_are_left_alone():
    assert found("価格", "1200", "980", "123456789") == set()
    assert found("法人番号", "9000020011002", "5000012030001") == set()
    assert found("JANコード", *[f"49{CHANCE.randrange(10**11):011d}" for _ in range(100)]) == set()
    assert found("メッシュコード", "64414277", "64414278") == set()
    assert found("日時", "2026-11-22T10:00:00+09:00") == set()


def test_a_finding_tells_rows_and_shares_and_never_a_value():
    (one,) = detectors.look(["メモ"], [["なし"], ["連絡先 090-1234-5678"], [None], ["なし"]])
    assert (one.kind, one.rows, one.hits, one.cells, one.share_mille) == (Kind.TELEPHONE, (2,), 1, 3, 333)
    assert "1234" not in str(one.document())


def test_samples_are_masked_by_columns_and_within_text():
    rows = [["佐藤 花子", "090-1234-5678", "札幌"], [None, "", "小樽"]]
    shown = detectors.masked_rows(rows, detectors.look(["氏名", "電話", "市"], rows))
    assert shown == [["＊＊＊", "＊＊＊", "札幌"], [None, "", "小樽"]]
    assert detectors.masked("連絡は０９０－１２３４－５６７８（田中）まで") == "連絡は＊＊＊(田中)まで"
    assert detectors.masked("人数１２人") == "人数１２人"


@pytest.mark.parametrize("unit", ["0", "0-", "(0", "山田", "様", "a@", "a.", "都1", "1 ", "ァ ", "昭和5年", "*"])
def test_no_cell_takes_long_however_it_is_made(unit: str):
    cell = unit * (20_000 // len(unit))
    started = time.process_time()
    detectors.look(["氏名 電話 住所 生年月日 メール フリガナ カード番号 個人番号"], [[cell]])
    # A pattern that backtracks takes minutes; this is no measurement, only a wall between the two.
    assert time.process_time() - started < 20


def test_headers_are_read_in_both_languages_and_in_camel_and_snake_case():
    for name, kind in (
        ("birthDate", Kind.BIRTH_DATE),
        ("phone_number", Kind.TELEPHONE),
        ("ＴＥＬ", Kind.TELEPHONE),
        ("E-Mail", Kind.EMAIL),
        ("my_number", Kind.MY_NUMBER),
        ("LastName", Kind.NAME),
        ("お名前", Kind.NAME),
    ):
        assert kind in headers.announced(name), name
    assert headers.announced("法人名称カナ") == headers.announced("人数") == frozenset()


def test_lines_stay_lines_whatever_the_cells_hold():
    assert lines(["a\nb", "c\u2028d\r\ne", "", "ｆ"]).count("\n") == 3
    assert people.has_surname("") == 0
