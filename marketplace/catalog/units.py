"""Units of measure, read from what Japanese tables write into their headers: 人口（人）, 面積(km2), 金額［千円］."""

import re
import unicodedata
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit: its code in UCUM, in braces where UCUM has none, and what people call it."""

    code: str
    ja: str
    en: str


_KNOWN = (
    Unit("{person}", "人", "persons"),
    Unit("{household}", "世帯", "households"),
    Unit("{case}", "件", "cases"),
    Unit("{time}", "回", "times"),
    Unit("{thing}", "個", "pieces"),
    Unit("{building}", "棟", "buildings"),
    Unit("{house}", "戸", "dwellings"),
    Unit("{vehicle}", "台", "vehicles or machines"),
    Unit("{animal}", "頭", "head"),
    Unit("{school}", "校", "schools"),
    Unit("{place}", "か所", "places"),
    Unit("{seat}", "席", "seats"),
    Unit("{volume}", "冊", "volumes"),
    Unit("{sheet}", "枚", "sheets"),
    Unit("{room}", "室", "rooms"),
    Unit("{JPY}", "円", "yen"),
    Unit("k{JPY}", "千円", "thousand yen"),
    Unit("M{JPY}", "百万円", "million yen"),
    Unit("G{JPY}", "十億円", "billion yen"),
    Unit("10*4.{JPY}", "万円", "ten thousand yen"),
    Unit("10*8.{JPY}", "億円", "hundred million yen"),
    Unit("k{person}", "千人", "thousand persons"),
    Unit("10*4.{person}", "万人", "ten thousand persons"),
    Unit("{person}/km2", "人/km²", "persons per km²"),
    Unit("%", "%", "per cent"),
    Unit("[ppth]", "‰", "per mille"),
    Unit("[ppm]", "ppm", "parts per million"),
    Unit("[ppb]", "ppb", "parts per billion"),
    Unit("mm", "mm", "millimetres"),
    Unit("cm", "cm", "centimetres"),
    Unit("m", "m", "metres"),
    Unit("km", "km", "kilometres"),
    Unit("m2", "m²", "square metres"),
    Unit("km2", "km²", "square kilometres"),
    Unit("har", "ha", "hectares"),
    Unit("ar", "a", "ares"),
    Unit("m3", "m³", "cubic metres"),
    Unit("L", "L", "litres"),
    Unit("mL", "mL", "millilitres"),
    Unit("kL", "kL", "kilolitres"),
    Unit("mg", "mg", "milligrams"),
    Unit("g", "g", "grams"),
    Unit("kg", "kg", "kilograms"),
    Unit("t", "t", "tonnes"),
    Unit("s", "秒", "seconds"),
    Unit("min", "分", "minutes"),
    Unit("h", "時間", "hours"),
    Unit("d", "日", "days"),
    Unit("mo", "か月", "months"),
    Unit("a", "年", "years"),
    Unit("{age}", "歳", "years of age"),
    Unit("Cel", "℃", "degrees Celsius"),
    Unit("hPa", "hPa", "hectopascals"),
    Unit("m/s", "m/s", "metres per second"),
    Unit("km/h", "km/h", "kilometres per hour"),
    Unit("m3/s", "m³/s", "cubic metres per second"),
    Unit("deg", "度", "degrees"),
    Unit("W", "W", "watts"),
    Unit("kW", "kW", "kilowatts"),
    Unit("MW", "MW", "megawatts"),
    Unit("kW.h", "kWh", "kilowatt hours"),
    Unit("MW.h", "MWh", "megawatt hours"),
    Unit("MJ", "MJ", "megajoules"),
    Unit("GJ", "GJ", "gigajoules"),
    Unit("V", "V", "volts"),
    Unit("dB", "dB", "decibels"),
    Unit("lx", "lx", "lux"),
    Unit("ug/m3", "μg/m³", "micrograms per cubic metre"),
    Unit("mg/L", "mg/L", "milligrams per litre"),
    Unit("uSv/h", "μSv/h", "microsieverts per hour"),
    Unit("Bq/kg", "Bq/kg", "becquerels per kilogram"),
    Unit("By", "B", "bytes"),
    Unit("KiBy", "KiB", "kibibytes"),
)
# As other people write them, after NFKC: ㎢ is km2 then, ㎡ is m2, ％ is %, ㎜ is mm.
_OTHERWISE = {
    "名": "{person}",
    "人数": "{person}",
    "箇所": "{place}",
    "ヶ所": "{place}",
    "ヵ所": "{place}",
    "カ所": "{place}",
    "ケ所": "{place}",
    "か所": "{place}",
    "戸数": "{house}",
    "パーセント": "%",
    "平方メートル": "m2",
    "平米": "m2",
    "平方キロメートル": "km2",
    "平方キロ": "km2",
    "平方km": "km2",
    "立方メートル": "m3",
    "メートル": "m",
    "キロメートル": "km",
    "センチメートル": "cm",
    "ミリメートル": "mm",
    "ミリ": "mm",
    "キロ": "km",
    "ヘクタール": "har",
    "アール": "ar",
    "トン": "t",
    "キログラム": "kg",
    "グラム": "g",
    "リットル": "L",
    "l": "L",
    "kl": "kL",
    "ml": "mL",
    "°c": "Cel",
    "度c": "Cel",
    "摂氏": "Cel",
    "kwh": "kW.h",
    "mwh": "MW.h",
    "kw": "kW",
    "mw": "MW",
    "ヶ月": "mo",
    "ヵ月": "mo",
    "カ月": "mo",
    "月数": "mo",
    "才": "{age}",
    "人/km2": "{person}/km2",
    "人/平方キロメートル": "{person}/km2",
    "m3": "m3",
    "デシベル": "dB",
    "μg/m3": "ug/m3",
    "µg/m3": "ug/m3",
    "μsv/h": "uSv/h",
    "マイクロシーベルト": "uSv/h",
    "yen": "{JPY}",
    "jpy": "{JPY}",
    "persons": "{person}",
    "people": "{person}",
    "degc": "Cel",
    "percent": "%",
    "m2": "m2",
    "km2": "km2",
    "sqm": "m2",
    "時": "h",
}
_OF_CODE = {unit.code: unit for unit in _KNOWN}


def _key(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace(" ", "").replace("^", "").casefold()


_OF_NAME = (
    {_key(unit.code): unit for unit in _KNOWN}
    | {_key(unit.ja): unit for unit in _KNOWN}
    | {_key(name): _OF_CODE[code] for name, code in _OTHERWISE.items()}
)
# Which opening bracket goes with which: after NFKC （） are () and ［］ are [].
_BRACKETED = re.compile(r"[(\[【〔<〈《]\s*(?:単位\s*[::=]?\s*)?([^()\[\]【】〔〕<>〈〉《》]{1,20})\s*[)\]】〕>〉》]")
_TRAILING = re.compile(r"(?:単位\s*[::]\s*|[_\s/])([^\s_/]{1,12})$")
_AFTER_UNDERLINE = frozenset(
    {"%", "km2", "m2", "mm", "cm", "km", "kg", "cel", "hpa", "m/s", "kwh", "円", "千円", "百万円", "人"}
)
# One Latin letter in brackets is as often a footnote or a part: these are units, and only as they are written here.
_LETTERS = frozenset("mgtL")
HEADER_LENGTH_MAX = 300


def find_unit(text: str) -> Unit | None:
    """Return the unit that a code or a name such as ㎢, 平方キロメートル or km2 stands for, or None."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if len(plain) == 1 and plain.isascii() and plain.isalpha() and plain not in _LETTERS:
        return None
    return _OF_NAME.get(_key(plain))


def unit_in(header: str) -> Unit | None:
    """Return the unit that a column's header states, the last one if several, or None where it states none."""
    plain = unicodedata.normalize("NFKC", header[:HEADER_LENGTH_MAX])
    for found in reversed(_BRACKETED.findall(plain)):
        unit = find_unit(found)
        if unit is not None:
            return unit
    last = _TRAILING.search(plain)
    if last is None:
        return None
    is_stated = "単位" in plain or _key(last[1]) in _AFTER_UNDERLINE
    return find_unit(last[1]) if is_stated else None
