"""Columns that are hard for the gate: people whom few rules reach, and what comes near to looking like them.

All of it is made by chance, and synthetic.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from marketplace.privacy.detectors import Kind

Family = tuple[str, tuple[str, ...], Callable[[], str], Kind | None]
RARE = ["四月一日", "小鳥遊", "月見里", "一口", "百目鬼", "御手洗", "勘解由小路", "鵜飼", "帯刀", "纐纈"]
PLACES = [
    "花様",
    "氏家",
    "氏神前",
    "御殿場",
    "殿町",
    "様似町",
    "湯殿山",
    "氏子会館",
    "御殿山",
    "花様通り",
    "蛭子様",
    "稲荷様前",
]
STATIONS = ("サッポロ", "オタル", "アサヒカワ", "シン サッポロ", "ミナミ チトセ", "テイネ", "ハコダテ")
PLANTS = ["山桜", "高野槙", "大島桜", "小松菜", "松葉菊", "吉野桜", "金木犀", "石川小芋", "森林檎", "清水白桃"]
ALSO = {"code, address and name in one cell": {Kind.ADDRESS, Kind.POSTAL_CODE}}
"""What else is in the cells of a family, and is no false alarm."""

NAMELESS = ("A", "項目1", "col_3", "値", "データ")


def people(maker: Any) -> list[Family]:
    """Return columns of people that are written as no rule wishes them to be."""
    chance, fake = maker.chance, maker.fake
    return [
        ("rare surnames, no header", NAMELESS, lambda: f"{chance.choice(RARE)} {fake.first_name()}", Kind.NAME),
        ("Latin names, no header", NAMELESS, maker.latin.name, Kind.NAME),
        ("names below a misspelt header", ("使名", "氏  名（自署）", "ﾅﾏｴ"), fake.name, Kind.NAME),
        ("births below a mute header", ("日付", "項目2"), maker.born, Kind.BIRTH_DATE),
        ("code, address and name in one cell", ("宛先", "送付先"), lambda: _envelope(fake), Kind.NAME),
        ("My Numbers, three of ten mistyped", ("個人番号", "マイナンバー"), lambda: _typed(maker, 700), Kind.MY_NUMBER),
        ("My Numbers, three of ten mistyped, no header", NAMELESS, lambda: _typed(maker, 700), Kind.MY_NUMBER),
        ("telephone with remarks", ("連絡先", "TEL"), lambda: f"{maker.phone()}{_remark(chance)}", Kind.TELEPHONE),
    ]


def near_misses(maker: Any) -> list[Family]:
    """Return columns that come near to looking like those of people."""
    chance, digits = maker.chance, maker.digits
    return [
        ("order numbers of 12 digits", ("注文番号", "伝票番号"), lambda: f"{_day(maker):%y%m%d}{digits(6)}", None),
        ("12 digits with another check digit", ("受付番号", "番号"), lambda: _eleventh(digits(11)), None),
        ("codes of which four of ten pass Luhn", ("品番", "商品コード"), lambda: _lucky(maker, 400), None),
        ("coupons that all pass Luhn", ("クーポン番号", "ギフトコード"), lambda: _lucky(maker, 1000), None),
        ("places with 様, 氏 and 殿", ("地名", "町名"), lambda: chance.choice(PLACES), None),
        ("ISO dates of no birth", ("登録日", "発行年月日", "生産年月日"), lambda: f"{_day(maker):%Y-%m-%d}", None),
        ("readings of stations", ("駅名カナ", "よみ"), lambda: chance.choice(STATIONS), None),
        ("plants that begin like surnames", ("樹種", "花名"), lambda: chance.choice(PLANTS), None),
        ("numbers of ten digits", ("整理番号", "商品番号"), lambda: f"{chance.randrange(1, 10)}{digits(9)}", None),
        ("shops named after people", ("屋号", "店名"), lambda: f"{maker.fake.last_name()}{_trade(chance)}", None),
        ("part numbers like telephones", ("型番", "図番"), lambda: f"0{digits(2)}-{digits(3)}-{digits(4)}", None),
    ]


def _envelope(fake: Any) -> str:
    return f"〒{fake.postcode()} {fake.address()} {fake.name()}様"


def _typed(maker: Any, mille: int) -> str:
    return str(maker.my_number() if maker.chance.randrange(1000) < mille else maker.digits(12))


def _remark(chance: Random) -> str:
    return chance.choice(("", "（自宅）", " 母", "　昼のみ"))


def _trade(chance: Random) -> str:
    return chance.choice(("屋", "堂", "商会"))


def _day(maker: Any) -> Any:
    return maker.fake.date_between("-60y")


def _eleventh(start: str) -> str:
    """Return 12 digits whose last is a remainder by 11, with weights that are no My Number's."""
    return f"{start}{sum(int(digit) * (2 + n % 6) for n, digit in enumerate(start)) % 11 % 10}"


def _lucky(maker: Any, mille: int) -> str:
    """Return 16 digits that begin like a card, and pass Luhn in so many of a thousand."""
    return str(maker.card() if maker.chance.randrange(1000) < mille else f"4{maker.digits(15)}")
