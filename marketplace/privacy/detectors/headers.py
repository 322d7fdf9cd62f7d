"""What the name of a column says: which kind it announces, and whether a table is about places or about people."""

import re

from marketplace.privacy.detectors.folding import folded
from marketplace.privacy.detectors.kinds import Kind

_PERSON = (
    "氏名|姓名|お名前|申込者|申請者|受診者|患者|利用者|会員|顧客|個人|本人|世帯主|保護者"
    "|児童|生徒|職員|従業員|住民|契約者"
)
_WORDS: tuple[tuple[Kind, str], ...] = (
    (Kind.MY_NUMBER, r"個人番号|マイナンバー|my ?number|individual ?number"),
    (Kind.DRIVING_LICENCE, r"免許証?(の)?番号|免許証no|driv\w* ?licen[cs]e|licen[cs]e ?(no|num)"),
    (Kind.PENSION_NUMBER, r"年金番号|年金手帳|pension ?(no|num|id)"),
    (Kind.CARD_NUMBER, r"カード番号|クレジット|credit ?card|card ?(no|num)|\bpan\b"),
    (
        Kind.KANA_NAME,
        (
            r"フリガナ|ふりがな|氏名.?カナ|カナ.?氏名|氏名.?(よみ|ヨミ|読み)"
            r"|^(セイ|メイ|姓カナ|名カナ)$|カナ名|\bkana"
        ),
    ),
    (Kind.BIRTH_DATE, r"生年月日|誕生日|生年|birth|\bdob\b"),
    (
        Kind.NAME,
        (
            rf"^(氏名|姓名|姓|名|名前|お名前)$|(?<!法人)(?<!事業所)氏名|(?:{_PERSON}|代表者|担当者|責任者)の?(名|名前)$"
            r"|(full|last|first|family|given|person|customer|user|patient|member) ?name|surname"
        ),
    ),
    (Kind.TELEPHONE, r"電話|携帯|tel\b|^tel|phone|mobile|連絡先|fax"),
    (Kind.EMAIL, r"メール|e-?mail|mail ?address"),
    (Kind.POSTAL_CODE, r"郵便番号|^〒|postal|zip ?code|\bzip\b|postcode"),
    (Kind.ADDRESS, r"住所|所在地|現住|address|番地"),
    (
        Kind.CUSTOMER_NUMBER,
        (
            r"(会員|顧客|お客様|患者|学籍|職員|社員|利用者|被保険者|受給者|診察券|宛名)の?(番号|no|id|コード)"
            r"|(customer|member|patient|user|employee|student) ?(id|no|num|code)"
        ),
    ),
    (Kind.COORDINATES, r"緯度|経度|^lat|^lon|^lng|latitude|longitude|座標|coordinates|^geometry$"),
)
_PATTERNS = tuple((kind, re.compile(words, re.IGNORECASE)) for kind, words in _WORDS)
_PLACES = re.compile(
    r"施設|名称|店舗|事業所|法人|会社|企業|屋号|商号|学校|園名|病院|医院|診療所|公園|駅名|停留所|避難所|団体|営業時間|定休|開館|休館"
    r"|設置|管理者|定員|駐車場|opening|available date|start time|capacity|parking"
    r"|施設番号|facility|shop|store|company|corporation|station|venue|url|ホームページ|hp$",
    re.IGNORECASE,
)
_SUBJECTS = re.compile(
    rf"{_PERSON}|性別|年齢|生年|続柄|gender|\bsex\b|\bage\b|patient|customer|resident", re.IGNORECASE
)
_TRACES = re.compile(
    r"端末|デバイス|device|uuid|^imei|^msid|ユーザー?id|user ?id|軌跡|移動|会員|乗客|passenger|session", re.IGNORECASE
)
_OFFICERS = re.compile(
    r"代表|管理者|園長|院長|校長|館長|所長|理事"
    r"|責任者|担当|施設長|head|manager|officer|representative"
)
_HOMES = re.compile(r"自宅|現住所|居住|住民|本籍|home ?address")
_INSTITUTIONS = re.compile(r"名称|法人|施設|事業所|店舗|団体|企業|会社|屋号|商号")


def words(name: str) -> str:
    """Return a column name as it is compared: folded, snake and camel case taken apart, in lower case."""
    plain = folded(name[:200]).strip()
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_\s]+", " ", plain).lower()


def announced(name: str) -> frozenset[Kind]:
    """Return the kinds that a column's name announces."""
    said = words(name)
    found = {kind for kind, pattern in _PATTERNS if pattern.search(said)}
    if Kind.KANA_NAME in found:
        found.discard(Kind.NAME)
    if found & {Kind.KANA_NAME, Kind.NAME} and _INSTITUTIONS.search(said):
        found -= {Kind.KANA_NAME, Kind.NAME}  # 名称フリガナ, 法人代表者 are spoken of an institution
    return frozenset(found)


def is_about_places(names: list[str]) -> bool:
    """Whether the names of the columns say that each row is a facility, a shop, a company or the like."""
    return any(_PLACES.search(words(name)) for name in names)


def is_of_officers(name: str) -> bool:
    """Whether a column names who speaks for an institution, and not who each row is about."""
    return _OFFICERS.search(words(name)) is not None


def is_of_homes(name: str) -> bool:
    """Whether a column says where people live."""
    return _HOMES.search(words(name)) is not None


def is_about_people(names: list[str]) -> bool:
    """Whether the names of the columns say that each row is a person."""
    return any(_SUBJECTS.search(words(name)) for name in names)


def is_a_trace(names: list[str]) -> bool:
    """Whether the names of the columns say that each row is where a device or a user was."""
    return any(_TRACES.search(words(name)) for name in names)
