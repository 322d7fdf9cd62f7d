"""Names of prefectures and municipalities, read as local-government codes (全国地方公共団体コード).

The 47 prefectures, their capitals, all designated cities and all municipalities of Tokyo; further ones are known by the
codes that records carry.
"""

import re
import unicodedata
from typing import NamedTuple

from marketplace.identity.rules import government_check_digit

_PREFECTURES = (
    "北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 埼玉県 千葉県 東京都 神奈川県"
    " 新潟県 富山県 石川県 福井県"
    " 山梨県 長野県 岐阜県 静岡県 愛知県 三重県 滋賀県 京都府 大阪府 兵庫県 奈良県 和歌山県 鳥取県 島根県"
    " 岡山県 広島県 山口県 徳島県"
    " 香川県 愛媛県 高知県 福岡県 佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県 沖縄県"
)  # fmt: skip
_CITIES = (
    "01100札幌市 02201青森市 03201盛岡市 04100仙台市 05201秋田市 06201山形市 07201福島市 08201水戸市"
    " 09201宇都宮市 10201前橋市"
    " 11100さいたま市 12100千葉市 14100横浜市 14130川崎市 14150相模原市 15100新潟市 16201富山市 17201金沢市"
    " 18201福井市 19201甲府市"
    " 20201長野市 21201岐阜市 22100静岡市 22130浜松市 23100名古屋市 24201津市 25201大津市 26100京都市"
    " 27100大阪市 27140堺市"
    " 28100神戸市 29201奈良市 30201和歌山市 31201鳥取市 32201松江市 33100岡山市 34100広島市 35203山口市"
    " 36201徳島市 37201高松市"
    " 38201松山市 39201高知市 40100北九州市 40130福岡市 41201佐賀市 42201長崎市 43100熊本市 44201大分市"
    " 45201宮崎市 46201鹿児島市 47201那覇市"
)  # fmt: skip
_TOKYO = (
    "101千代田区 102中央区 103港区 104新宿区 105文京区 106台東区 107墨田区 108江東区 109品川区 110目黒区"
    " 111大田区 112世田谷区 113渋谷区"
    " 114中野区 115杉並区 116豊島区 117北区 118荒川区 119板橋区 120練馬区 121足立区 122葛飾区 123江戸川区"
    " 201八王子市 202立川市"
    " 203武蔵野市 204三鷹市 205青梅市 206府中市 207昭島市 208調布市 209町田市 210小金井市 211小平市 212日野市"
    " 213東村山市"
    " 214国分寺市 215国立市 218福生市 219狛江市 220東大和市 221清瀬市 222東久留米市 223武蔵村山市 224多摩市"
    " 225稲城市 227羽村市"
    " 228あきる野市 229西東京市 303瑞穂町 305日の出町 307檜原村 308奥多摩町 361大島町 362利島村 363新島村"
    " 364神津島村 381三宅村"
    " 382御蔵島村 401八丈町 402青ヶ島村 421小笠原村"
)  # fmt: skip
_ENTRY = re.compile(r"([0-9]+)(\D+)")
# Names that stand in several prefectures, or that other words end in, tell nothing by themselves.
_COMMON = frozenset({"中央区", "港区", "北区", "府中市", "大島町", "瑞穂町", "津市", "山口市"})
_OFFICES = {"警視庁": "東京都", "東京消防庁": "東京都", "都立": "東京都", "都内": "東京都", "道立": "北海道"}


class ReadRegion(NamedTuple):
    """A local-government code, and how sure the reading is (0 to 100)."""

    code: str
    confidence: int


def _whole(base: str) -> str:
    return f"{base}{government_check_digit(base)}"


def _entries(words: str, prefix: str = "") -> dict[str, str]:
    found = (_ENTRY.fullmatch(word) for word in words.split())
    return {one[2]: _whole(f"{prefix}{one[1]}") for one in found if one}


PREFECTURES = {name: _whole(f"{number:02d}000") for number, name in enumerate(_PREFECTURES.split(), start=1)}
MUNICIPALITIES = _entries(_CITIES) | _entries(_TOKYO, "13")
_NAMES = PREFECTURES | MUNICIPALITIES
_BY_LENGTH = re.compile("|".join(sorted(map(re.escape, _NAMES), key=len, reverse=True)))
_BY_OFFICE = re.compile("|".join(map(re.escape, _OFFICES)))


def region_of(publisher: str, *texts: str, within: str = "") -> ReadRegion | None:
    """Return the place that a publisher is, or else that texts name; None where there is none, or more than one.

    ``within`` is a code that is known already: names of its prefecture are then read even where others share them.
    """
    named = _named(publisher, within)
    if named:
        return ReadRegion(_nearest(named), 90)
    office = _BY_OFFICE.search(_folded(publisher))
    if office:
        return ReadRegion(_NAMES[_OFFICES[office[0]]], 85)
    for text, confidence in zip(texts, (75, 65, 60), strict=False):
        named = _named(text, within)
        if named:
            nearest = _nearest(named)
            return ReadRegion(nearest, confidence) if nearest else None
    return None


def _named(text: str, within: str) -> set[str]:
    names = set(_BY_LENGTH.findall(_folded(text)))
    prefectures = {_NAMES[name][:2] for name in names if name in PREFECTURES} | ({within[:2]} if within else set())
    return {_NAMES[name] for name in names if name not in _COMMON or _NAMES[name][:2] in prefectures}


def _nearest(codes: set[str]) -> str:
    """Return the one municipality, or the one prefecture; "" where several are named."""
    cities = {code for code in codes if code[2:5] != "000"}
    found = cities or codes
    return next(iter(found)) if len(found) == 1 else ""


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())
