"""Countries and Japanese prefectures by ISO 3166 code. Pure data."""

import re

COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT
    JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY
    QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """.split()  # noqa: SIM905 - a table of 249 codes reads better unquoted
)
_PREFECTURES = (  # noqa: SIM905 - as above
    "北海道 Hokkaido 青森県 Aomori 岩手県 Iwate 宮城県 Miyagi 秋田県 Akita 山形県 Yamagata "
    "福島県 Fukushima 茨城県 Ibaraki 栃木県 Tochigi 群馬県 Gunma 埼玉県 Saitama 千葉県 Chiba "
    "東京都 Tokyo 神奈川県 Kanagawa 新潟県 Niigata 富山県 Toyama 石川県 Ishikawa 福井県 Fukui "
    "山梨県 Yamanashi 長野県 Nagano 岐阜県 Gifu 静岡県 Shizuoka 愛知県 Aichi 三重県 Mie "
    "滋賀県 Shiga 京都府 Kyoto 大阪府 Osaka 兵庫県 Hyogo 奈良県 Nara 和歌山県 Wakayama "
    "鳥取県 Tottori 島根県 Shimane 岡山県 Okayama 広島県 Hiroshima 山口県 Yamaguchi 徳島県 Tokushima "
    "香川県 Kagawa 愛媛県 Ehime 高知県 Kochi 福岡県 Fukuoka 佐賀県 Saga 長崎県 Nagasaki "
    "熊本県 Kumamoto 大分県 Oita 宮崎県 Miyazaki 鹿児島県 Kagoshima 沖縄県 Okinawa"
).split()
NAMES = {
    "JP": ("日本", "Japan"),
    **{
        f"JP-{number:02}": (ja, en)
        for number, (ja, en) in enumerate(zip(_PREFECTURES[::2], _PREFECTURES[1::2], strict=True), start=1)
    },
}
_BY_NAME = {ja: code for code, (ja, _) in NAMES.items()}
_SUBDIVISION = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}")


def find_region(word: str) -> str | None:
    """Return the ISO 3166 code that the word is or, for Japan and its prefectures, names; else None.

    The codes of other countries' subdivisions are checked by their form and country only.
    """
    code = _BY_NAME.get(word, word).upper()
    part = _SUBDIVISION.fullmatch(code)
    if code.startswith("JP-"):
        return code if code in NAMES else None
    return code if code in COUNTRIES or (part and part[1] in COUNTRIES) else None


def region_name(code: str, language: int) -> str:
    """Return the label of a code: 0 for Japanese, 1 for English; the bare code where we keep no name."""
    return NAMES[code][language] if code in NAMES else code
