"""Usage terms in words, in Japanese and in English, out of the same typed items. Pure."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from marketplace.kit.labels import Labelled
from marketplace.licensing.data_policy import ColumnRule, RowRule
from marketplace.licensing.regions import region_name
from marketplace.licensing.rules import terms_sha256
from marketplace.licensing.states import ContractType, DisclosureScope, Nda, Tracing, Treatment, UseApplication
from marketplace.licensing.templates import PUBLIC_LICENCES
from marketplace.licensing.terms import (
    ANYWHERE,
    ITEMS,
    Choice,
    DataPeriod,
    LicencePeriod,
    PriceRange,
    UsageTerms,
)
from marketplace.privacy import rules as privacy

# Index of a language in every pair below, and in Labelled.
JA, EN = 0, 1
_ABSENT = ("定めなし", "Not specified")
_JOIN = ("、", "; ")
_COLON = ("：", ": ")

_SENTENCES: dict[str, tuple[str, str]] = {
    "contract_type": (
        "データ提供者は、本データを次の契約形態により提供する。",
        "The provider provides the data under the following form of contract.",
    ),
    "nda": (
        "データ提供者がデータ利用者に求める秘密保持義務は、次のとおりとする。",
        "Whether the provider requires the user to keep the data confidential.",
    ),
    "use_application": (
        "データ利用者は、次の用途に限り本データを利用することができる。",
        "The user may use the data for the following purposes only.",
    ),
    "scope_of_disclosure": (
        "データ利用者が本データを開示することができる範囲は、次のとおりとする。",
        "The user may disclose the data within the following scope.",
    ),
    "permissible_region": (
        "データ利用者は、次の地域において本データを利用することができる。",
        "The user may use the data in the following region.",
    ),
    "notices": (
        "データ利用者は、次の事項に注意する。",
        "The user takes note of the following.",
    ),
    "personal_data": (
        "本データのパーソナルデータとしての類別は、次のとおりである。",
        "The data belong to the following class of personal data.",
    ),
    "data_effective_period": (
        "本データが有効である期間は、次のとおりである。",
        "The data are valid during the following period.",
    ),
    "usage_license_period": (
        "データ利用者が本データを利用することができる期限は、次のとおりとする。",
        "The user may use the data until the following end.",
    ),
    "fee": (
        "本データの対価の有無は、次のとおりとする。",
        "Whether a fee is due for the data.",
    ),
    "sales_info_url": (
        "販売に関する情報は、次の場所に掲載する。",
        "Information on sales is published at the following address.",
    ),
    "price_range": (
        "対価の範囲(消費税抜き)は、次のとおりとする。",
        "The price, before consumption tax, lies in the following range.",
    ),
    "notices_of_price": (
        "対価に関する特記事項は、次のとおりとする。",
        "Notices on the price are as follows.",
    ),
    "express_warranty": (
        "データ提供者が本データについて明示的に保証する事項は、次のとおりとする。",
        "The provider expressly warrants the following.",
    ),
    "legal_compliance": (
        "本条件の準拠法は、次のとおりとする。",
        "These terms are governed by the following law.",
    ),
}
# What a code entails beyond its label; the policy says the same in ODRL.
_CONSEQUENCES: dict[tuple[str, Labelled], tuple[str, str]] = {
    ("contract_type", ContractType.TRANSFER): (
        "データ提供者は、本データに関する権限をデータ利用者に譲渡する。",
        "The provider transfers its rights in the data to the user.",
    ),
    ("contract_type", ContractType.LICENCE): (
        "データ提供者は、本データに関する権限を留保し、データ利用者に利用を許諾する。",
        "The provider keeps its rights in the data and licenses their use to the user.",
    ),
    ("contract_type", ContractType.JOINT_USE): (
        "データ提供者とデータ利用者は、本データを共同して利用する。",
        "The provider and the user use the data jointly.",
    ),
    ("nda", Nda.REQUIRED): (
        "データ利用者は、本データを秘密として管理する。",
        "The user keeps the data confidential.",
    ),
    ("use_application", UseApplication.INDIVIDUAL): (
        "個別調整による用途は、データ提供者の事前の承諾を要する。",
        "Individually agreed purposes need the provider's prior consent.",
    ),
    ("scope_of_disclosure", DisclosureScope.INDIVIDUAL): (
        "開示は、データ提供者の事前の承諾を要する。",
        "Disclosure needs the provider's prior consent.",
    ),
}
_LIMITED = (
    "この範囲を超える開示及び第三者への転売は禁止する。",
    "Disclosure beyond this scope and resale to third parties are prohibited.",
)

# What the buyer is told of a copy that is not the provider's file byte for byte.
_TRACED: dict[Tracing, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Tracing.ROW_ORDER: (
        (
            "表の行は、利用権ごとに異なる順に並べ替えて提供される。値は変更されない。",
            "流出した写しがどの利用権のものかを、行の並び順から調べることができる。",
        ),
        (
            "The rows of a table come in an order that differs by grant. No value is changed.",
            "By the order it can be told from whose grant a copy has leaked.",
        ),
    ),
    Tracing.CANARY: (
        (
            "表には、利用権ごとに異なる、実在の事象を表さない識別用の行が加えられる。",
            "その数は百行につき一行程度とし、百行を超えず、小さな表では八行までとする。",
            "ファイルの取得では、この行は行数による課金の対象とならない。この行は集計に影響することがある。",
            "流出した写しがどの利用権のものかを、この行から調べることができる。",
        ),
        (
            "Marker rows that describe nothing real, and differ by grant, are added to a table.",
            "They are about one for a hundred rows, at most a hundred, and up to eight in small tables.",
            "Where a file is fetched they are not charged as rows. They may affect statistics.",
            "By them it can be told from whose grant a copy has leaked.",
        ),
    ),
}

_POLICED = (
    "データ提供者は、本データの表に次の処理を行ったものだけを提供する。元の表は提供されない。",
    "The provider provides tables of the data only as follows; the tables themselves are not provided.",
)
_TREATED: dict[Treatment, tuple[str, str]] = {
    Treatment.OMIT: ("列「{column}」は除外する。", 'The column "{column}" is left out.'),
    Treatment.HASH: (
        "列「{column}」の値は、利用権ごとに異なる鍵によるハッシュ(HMAC-SHA256)に置き換える。",
        'Values of the column "{column}" are replaced by a hash (HMAC-SHA256) under a key that differs by grant.',
    ),
    Treatment.TRUNCATE: (
        "列「{column}」の値は、先頭の{length}文字だけを提供する。",
        'Of values of the column "{column}" the first {length} characters are provided.',
    ),
}
_ROWS = (
    "行は、次の条件を全て満たすものだけを提供する。",
    "Only rows that meet all of the following conditions are provided.",
)


@dataclass(frozen=True, slots=True)
class Clause:
    """One item in words: its number in CADDE, its heading, its sentence, its value and what follows from it."""

    number: int
    heading: str
    sentence: str
    value: str
    consequences: tuple[str, ...]


def clauses(terms: UsageTerms, language: int) -> list[Clause]:
    """Return the 15 items in words, in the order of CADDE."""
    return [
        Clause(
            item.number,
            (item.ja, item.en)[language],
            _SENTENCES[item.field][language],
            _value(terms, item.field, language),
            _consequences(terms, item.field, language),
        )
        for item in ITEMS
    ]


def to_text(terms: UsageTerms, language: int) -> str:
    """Return the terms as plain text: a head, one numbered clause per item, the name of the terms."""
    title = ("データ利用条件", "Terms of data use")[language]
    lines = [f"{title} ({_say(terms.template, language)})", ""]
    for index, clause in enumerate(clauses(terms, language), start=1):
        heading = (f"第{index}条({clause.heading})", f"{index}. {clause.heading}")[language]
        lines += [f"{heading} [CADDE {clause.number}]", f"  {clause.sentence}", f"  {clause.value}"]
        lines += [f"  {words}" for words in clause.consequences]
    lines += [*_traced(terms, language), *_policed(terms, language), "", *_public_licence(terms, language)]
    lines.append(f"SHA-256{_COLON[language]}{terms_sha256(terms)}")
    return "\n".join(lines) + "\n"


def _traced(terms: UsageTerms, language: int) -> list[str]:
    if terms.tracing is Tracing.MANIFEST:
        return []
    number = len(ITEMS) + 1
    heading = (f"第{number}条(流出の追跡)", f"{number}. Tracing of leaks")[language]
    return [heading, f"  {_say(terms.tracing, language)}", *(f"  {one}" for one in _TRACED[terms.tracing][language])]


def _policed(terms: UsageTerms, language: int) -> list[str]:
    policy = terms.data_policy
    if policy is None:
        return []
    number = len(ITEMS) + 1
    heading = (f"第{number}条(提供する列と行)", f"{number}. Columns and rows provided")[language]
    words = [_POLICED[language], *(_say_column(one, language) for one in policy.columns)]
    if policy.rows:
        words += [_ROWS[language], *(_say_row(one, language) for one in policy.rows)]
    return [heading, *(f"  {one}" for one in words)]


def _say_column(rule: ColumnRule, language: int) -> str:
    return _TREATED[rule.treatment][language].format(column=rule.column, length=rule.length)


def _say_row(rule: RowRule, language: int) -> str:
    said = (f"・列「{rule.column}」{rule.operator.ja}", f'- "{rule.column}" {rule.operator.en}')[language]
    if rule.value is None:
        return said
    values = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    words = [str(one).lower() if isinstance(one, bool) else str(one) for one in values]
    return f"{said}{_COLON[language]}{_JOIN[language].join(words)}"


def _public_licence(terms: UsageTerms, language: int) -> list[str]:
    licence = PUBLIC_LICENCES.get(terms.template)
    if licence is None:
        return []
    binds = ("次のライセンスの本文が適用される", "The text of the following licence applies")[language]
    return [f"{binds}{_COLON[language]}{licence.url}", (licence.duty_ja, licence.duty_en)[language]]


def _value(terms: UsageTerms, field: str, language: int) -> str:
    if field == "permissible_region":
        return _say_regions(terms.permissible_region, language)
    return _say(getattr(terms, field), language)


def _consequences(terms: UsageTerms, field: str, language: int) -> tuple[str, ...]:
    value = getattr(terms, field)
    codes = [one.code if isinstance(one, Choice) else one for one in (value if isinstance(value, tuple) else [value])]
    words = [_CONSEQUENCES[field, code][language] for code in codes if (field, code) in _CONSEQUENCES]
    if field == "scope_of_disclosure" and terms.closed:
        words.append(_LIMITED[language])
    if field == "personal_data":
        words += [_say(condition, language) for condition in privacy.listing_conditions(terms.personal_data.code)]
    return tuple(words)


def _say(value: Any, language: int) -> str:
    match value:
        case None:
            return _ABSENT[language]
        case tuple():
            return _JOIN[language].join(_say(one, language) for one in value)
        case Choice(code, text):
            return _say(code, language) + (f"{_COLON[language]}{text}" if text else "")
        case Labelled():
            return (value.ja, value.en)[language]
        case DataPeriod() | LicencePeriod():
            return _say_period(value, language)
    return _say_range(value, language) if isinstance(value, PriceRange) else str(value)


def _say_regions(codes: tuple[str, ...], language: int) -> str:
    if codes == (ANYWHERE,):
        return ("制限なし", "No limit")[language]
    return _JOIN[language].join(f"{region_name(code, language)} (ISO 3166 {code})" for code in codes)


def _say_period(period: DataPeriod | LicencePeriod, language: int) -> str:
    if period.note is not None:
        return period.note
    if isinstance(period, DataPeriod):
        return _span(period.start, period.end, language)
    if period.end is not None:
        return _span(None, period.end, language)
    unit = _say(period.unit, language)
    return (f"購入日から{period.value}{unit}", f"{period.value} {unit} from the day of purchase")[language]


def _span(start: date | None, end: date | None, language: int) -> str:
    if language == JA:
        return (f"{_day(start)}から" if start else "") + (f"{_day(end)}まで" if end else "")
    since = f"from {start.isoformat()} " if start else ""
    return since + f"until {end.isoformat()}" if end else since.strip()


def _day(at: date) -> str:
    return f"{at.year}年{at.month}月{at.day}日"


def _say_range(prices: PriceRange, language: int) -> str:
    low = f"{prices.min_yen:,}"
    if prices.max_yen is None:
        return (f"{low}円以上", f"JPY {low} or more")[language]
    return (f"{low}円から{prices.max_yen:,}円まで", f"from JPY {low} to JPY {prices.max_yen:,}")[language]
