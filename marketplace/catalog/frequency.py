"""Reading what publishers write about how often they update: free text to a code."""

import re
import unicodedata

from marketplace.catalog.states import FREQUENCY_LABELS, Frequency

_WORDS = {
    Frequency.UNKNOWN: "不明 未定 未設定 unknown -",
    Frequency.IRREG: (
        "随時 不定期 適宜 都度 その都度 変更の都度 変更都度 更新の都度 改正の都度 必要に応じて 変更時 更新時"
        " irregular irreg asneeded adhoc"
    ),
    Frequency.NEVER: (
        "公開時のみ 更新無 更新無し 更新なし 更新しない 更新予定なし 更新の予定なし 1回のみ 一回限り"
        " never notplanned static"
    ),
    Frequency.CONT: "常時 リアルタイム 連続 continuous realtime",
    Frequency.UPDATE_CONT: "逐次 継続的に更新 continuouslyupdated",
    Frequency.HOURLY: "毎時 毎時間 hourly r/pt1h",
    Frequency.DAILY_2: "1日2回 twiceaday",
    Frequency.DAILY: "毎日 日次 日毎 daily r/p1d",
    Frequency.WEEKLY: "毎週 週次 週毎 weekly r/p1w",
    Frequency.BIWEEKLY: "隔週 biweekly fortnightly r/p2w",
    Frequency.MONTHLY_2: "半月ごと semimonthly",
    Frequency.MONTHLY_3: "旬ごと 旬毎 毎旬",
    Frequency.MONTHLY: "毎月 月次 月毎 月ごと monthly r/p1m",
    Frequency.BIMONTHLY: "隔月 bimonthly r/p2m",
    Frequency.QUARTERLY: "四半期 四半期ごと 四半期毎 毎四半期 quarterly r/p3m",
    Frequency.ANNUAL_2: "半年 半年ごと 半年毎 半期 半期ごと semiannual biannual halfyearly r/p6m",
    Frequency.ANNUAL: "毎年 毎年度 年次 年毎 年ごと 年度ごと annual annually yearly everyyear r/p1y",
    Frequency.BIENNIAL: "隔年 biennial r/p2y",
    Frequency.QUINQUENNIAL: "quinquennial r/p5y",
}


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


_BY_WORD = {word: frequency for frequency, words in _WORDS.items() for word in words.split()} | {
    _fold(label): frequency for frequency, labels in FREQUENCY_LABELS.items() for label in labels
}
_EVERY = {
    ("年", 1): Frequency.ANNUAL,
    ("年", 2): Frequency.BIENNIAL,
    ("年", 3): Frequency.TRIENNIAL,
    ("年", 4): Frequency.QUADRENNIAL,
    ("年", 5): Frequency.QUINQUENNIAL,
    ("年", 10): Frequency.DECENNIAL,
    ("年", 20): Frequency.BIDECENNIAL,
    ("年", 30): Frequency.TRIDECENNIAL,
    ("月", 1): Frequency.MONTHLY,
    ("月", 2): Frequency.BIMONTHLY,
    ("月", 3): Frequency.QUARTERLY,
    ("月", 4): Frequency.ANNUAL_3,
    ("月", 6): Frequency.ANNUAL_2,
    ("月", 12): Frequency.ANNUAL,
    ("週", 1): Frequency.WEEKLY,
    ("週", 2): Frequency.BIWEEKLY,
    ("日", 1): Frequency.DAILY,
    ("日", 7): Frequency.WEEKLY,
    ("時間", 1): Frequency.HOURLY,
    ("時間", 2): Frequency.BIHOURLY,
    ("時間", 3): Frequency.TRIHOURLY,
    ("時間", 12): Frequency.DAILY_2,
    ("時間", 24): Frequency.DAILY,
}
_TIMES = {
    ("年", 1): Frequency.ANNUAL,
    ("年", 2): Frequency.ANNUAL_2,
    ("年", 3): Frequency.ANNUAL_3,
    ("年", 4): Frequency.QUARTERLY,
    ("年", 6): Frequency.BIMONTHLY,
    ("年", 12): Frequency.MONTHLY,
    ("月", 1): Frequency.MONTHLY,
    ("月", 2): Frequency.MONTHLY_2,
    ("月", 3): Frequency.MONTHLY_3,
    ("週", 1): Frequency.WEEKLY,
    ("週", 2): Frequency.WEEKLY_2,
    ("週", 3): Frequency.WEEKLY_3,
    ("日", 1): Frequency.DAILY,
    ("日", 2): Frequency.DAILY_2,
}
_UNIT = "(年度?|(?:[かヶヵケカヵ]|箇)?月|週間?|日|時間)"
_PERIOD = re.compile(rf"([0-9]{{1,2}}){_UNIT}(?:ごと|毎|に1回|に1度)?", re.ASCII)
_RATE = re.compile(rf"(?:1|毎)?{_UNIT}に?([0-9]{{1,2}})(?:回|度)(?:程度|以上)?", re.ASCII)
_FRACTION = re.compile(rf"([0-9]{{1,2}})回/1?{_UNIT}", re.ASCII)
_ASIDE = re.compile(r"\([^)]*\)?")
_KANJI_DIGITS = str.maketrans("一二三四五六七八九", "123456789")


def frequency_of(text: str) -> Frequency:
    """Return the code for what a publisher wrote: UNKNOWN for nothing, OTHER for what no code says.

    Reads Japanese in any width (``1年ごと``, ``１年ごと``, ``年1回``), EU codes and their URIs, ISO 8601
    repetitions and English words. An aside in brackets is left out.
    """
    code = text.strip().rpartition("/")[2].upper()
    if code in set(Frequency):
        return Frequency(code)
    plain = _ASIDE.sub("", _fold(text))
    if not plain:
        return Frequency.UNKNOWN
    return _BY_WORD.get(plain) or _counted(plain.translate(_KANJI_DIGITS)) or Frequency.OTHER


def _counted(text: str) -> Frequency | None:
    if match := _PERIOD.fullmatch(text):
        return _EVERY.get((_unit(match[2]), int(match[1])))
    if match := _RATE.fullmatch(text):
        return _TIMES.get((_unit(match[1]), int(match[2])))
    if match := _FRACTION.fullmatch(text):
        return _TIMES.get((_unit(match[2]), int(match[1])))
    return None


def _unit(text: str) -> str:
    return next(unit for unit in ("時間", "年", "月", "週", "日") if unit in text)
