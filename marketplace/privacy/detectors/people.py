"""Names and addresses as they are written in Japan."""

import re

from marketplace.privacy.detectors.surnames import SURNAMES

_KANJI = "一-鿿々〆ヶ"
_LONGEST = max(map(len, SURNAMES))
HONORIFIC = re.compile(r"様|氏|殿|さん")
FULL_NAME = re.compile(rf"(?m)^[{_KANJI}]{{1,5}} ?[{_KANJI}ぁ-んァ-ヶー]{{1,5}}$")
ANY_NAME = re.compile(
    rf"(?m)^(?:[{_KANJI}ぁ-んァ-ヶー]{{1,8}}(?:[ ・][{_KANJI}ぁ-んァ-ヶー]{{1,8}}){{0,2}}"
    rf"|[A-Za-z'’.-]{{2,20}}(?: [A-Za-z'’.-]{{1,20}}){{0,3}})$"
)
KANA_PAIR = re.compile(r"(?m)^[ァ-ヶー]{1,8} [ァ-ヶー]{1,8}$")
KANA_WORD = re.compile(r"(?m)^[ァ-ヶーぁ-ん]{2,12}(?: [ァ-ヶーぁ-ん]{1,12})?$")
ADDRESS = re.compile(
    r"(?:[都道府県市区町村郡][^\n0-9,、。]{0,16}?[0-9一二三四五六七八九十]{1,4}(?:丁目|番地|番|号|条|-[0-9]{1,4})"
    r"|[都道府県市区町村][^\n,、。0-9]{1,12}[0-9]{1,4}-[0-9]{1,4})"
)
_INSTITUTION_ENDS = """
保育所 保育園 こども園 幼稚園 学校 大学 高校 学園 公園 緑地 広場 病院 医院 クリニック 診療所 歯科
薬局 図書館 センター 会館 公民館 体育館 美術館 博物館 ホール プール 神社 駅 店 本社 支社 営業所
事務所 支所 出張所 市役所 区役所 役場 施設 株式会社 有限会社 合同会社 法人 協会 組合 連盟 振興会
ホテル 旅館 食堂 レストラン 団地 駐車場 トイレ 消防署 警察署 交番 郵便局 課 係 室 委員会 議会 事業所
工場 倉庫 スタジアム 競技場 球場 停留所 バス停 港 空港 橋 集会所 児童館 児童クラブ 苑
"""
INSTITUTION = re.compile(
    rf"(?m)^.{{0,40}}?(?:株式会社|有限会社|(?:社団|財団|医療|学校|社会福祉|宗教)法人).*$"
    rf"|(?:{'|'.join(sorted(_INSTITUTION_ENDS.split(), key=len, reverse=True))})$",
    re.MULTILINE,
)
_TAIL = re.compile(rf"[{_KANJI}]+(?: [{_KANJI}ぁ-んァ-ヶー]{{1,4}})?$")
_FIRST_CHARACTERS = 12
# What stands before 様, 氏 and the like, and is nobody in particular.
_NOBODY = re.compile(
    r"(?:お客|皆|同|仕|多|模|異|有|神|王|奥|御|何|各|外|両|摂|華|彼|某|人|者|員|民|方|客|主|親|族|沢|子|嫁|仏|貴|公|宮|本|社|店|会|院|校|園|館|所|局|部|課|係|室|組合|銀行|団体|協会"
    r"|市|町|村|区|県|府|都|道|省|庁|センター)$"
)
_AFTER = re.compile(r"[式子相々態名族神]|ざ[まん]")
_PLACE_ENDS = tuple("区町村市県府駅橋店校園院館課部局寺社号線丘台浜港湖島岳沢坂条丁目郡字庁所室会家屋")
_PLACE_STARTS = ("東京都", "北海道", "京都府", "大阪府")


def has_surname(text: str) -> int:
    """Return how many characters of a frequent surname a text begins with; 0 without one."""
    for length in range(min(_LONGEST, len(text)), 0, -1):
        if text[:length] in SURNAMES:
            return length
    return 0


def is_addressed(match: re.Match[str]) -> bool:
    """Whether what stands before 様, 氏, 殿 or さん is a person's name."""
    text, at = match.string, match.start()
    if _AFTER.match(text, match.end()):
        return False
    tail = _TAIL.search(text[max(0, at - _FIRST_CHARACTERS) : at].rstrip(" "))
    if tail is None:
        return False
    name = tail[0]
    if _is_surname_alone(name) or _is_woman(name):
        return True  # 山本, 木村 and 花子 end as words for nobody do
    if _NOBODY.search(name):
        return False
    return any(
        has_surname(name[start:]) and len(name) - start <= 8 for start in range(max(0, len(name) - 8), len(name))
    )


def _is_surname_alone(name: str) -> bool:
    """Whether a surname is all there is, or all after a space."""
    return name.rpartition(" ")[2] in SURNAMES and len(name.rpartition(" ")[2]) > 1


def _is_woman(name: str) -> bool:
    """Whether a surname is followed by a given name that ends in 子."""
    last = name.rpartition(" ")[2]
    if not last.endswith("子"):
        return False
    if len(last) > 1 and has_surname(name.partition(" ")[0]) == len(name.partition(" ")[0]):
        return True  # 佐藤 花子
    surname = has_surname(last)
    return 1 < surname <= len(last) - 2 <= 5


def is_full_name(match: re.Match[str]) -> bool:
    """Whether a cell is a frequent surname and a given name, and no place that begins like one."""
    name = match[0]
    surname = has_surname(name)
    given = name[surname:].strip()
    return bool(surname and 1 <= len(given) <= 4 and not given.endswith(_PLACE_ENDS))


def is_any_name(match: re.Match[str]) -> bool:
    """Whether a cell below a header that announces names can be one by its length."""
    name = match[0]
    return len(name) >= 2 and (name.isascii() or len(name) <= 14)


def is_address(match: re.Match[str]) -> bool:
    """Whether an address stands at the front of a cell or after a space, as addresses do; not in running text."""
    line = match.string[match.string.rfind("\n", 0, match.start()) + 1 : match.start()]
    return len(line) <= 24 or " " in line[-16:] or "〒" in line
