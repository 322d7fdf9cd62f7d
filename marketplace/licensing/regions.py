"""Countries and Japanese prefectures by ISO 3166 code. Pure data."""

import re

from marketplace.catalog.places import PREFECTURES

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
NAMES = {
    "JP": ("日本", "Japan"),
    **{f"JP-{number:02}": (ja, en) for number, (ja, en) in enumerate(PREFECTURES, start=1)},
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
