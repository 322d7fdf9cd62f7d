"""Which words of a title, of its files and of its columns make good tags."""

import re
from collections.abc import Iterable, Sequence

from marketplace.catalog import words

TAGS_MAX = 8
IN_TITLE, IN_OTHERS, SURE_MAX = 62, 11, 95
_LENGTH_MIN, _LENGTH_MAX = 2, 20
# Words that every other title has, and that tell none from another.
_EMPTY_WORDS = (
    "一覧 情報 データ 状況 件数 概要 年度 年版 その他 平成 令和 昭和 資料 名簿 現在 現状 目標 結果 実績 "
    "推移 内訳 詳細 全文 表 別 関連 掲載 公表 参照 問合せ お問合わせ こちら ファイル オープンデータ "
    "オープン データセット 一般 事業 調査 計画 平均 合計 総数 以上 以下 区分 種別 番号 名称 備考 住所 "
    "所在地 位置 緯度 経度 url 電話番号 csv pdf xlsx xls zip rdf data list dataset file open information "
    "東京都 都内 市内 区内 県内 前月 前年 同月 比較 各種 発生 受付 傾向 基本 注釈 参考 推進 方針 第1回 "
    "月分 作成 更新 公開 提供 対象 関係 主な 別表 速報 見込 委員 開催 方向け 皆様"
)
_EMPTY = frozenset(_EMPTY_WORDS.split())
_NUMBERED = re.compile(r"[0-9]")
_LATIN = re.compile(r"[a-z][a-z0-9.+-]*", re.ASCII)


def tags_of(title: str, others: Iterable[str], known: Sequence[str] = ()) -> list[tuple[str, int]]:
    """Return new tags with how sure each is (0 to 100), the surest first and in the order of the title.

    A word of the title is one; each other text that has it too makes it surer. Places and numbers are none.
    """
    folded = [words.fold(text) for text in others]
    held = {words.name_of(tag) for tag in known}
    found: dict[str, int] = {}
    for noun in dict.fromkeys(words.nouns(title)):
        if _is_telling(noun) and words.name_of(noun) not in held:
            found[noun] = min(SURE_MAX, IN_TITLE + IN_OTHERS * sum(noun in text for text in folded))
    ranked = sorted(found.items(), key=lambda one: -one[1])
    return ranked[:TAGS_MAX]


def _is_telling(noun: str) -> bool:
    if not _LENGTH_MIN <= len(noun) <= _LENGTH_MAX or noun in _EMPTY or _NUMBERED.search(noun):
        return False
    return len(noun) > _LENGTH_MIN if _LATIN.fullmatch(noun) else True
