"""One spelling, other words for the same, and how words sound: what a query may mean."""

import pytest

from marketplace.catalog import completions, meaning, spelling, words
from marketplace.catalog.synonyms import GROUPS


def others(text: str) -> set[str]:
    """Every other way to say what is looked for."""
    found = meaning.read(text, 32).concepts
    return {"".join(word.forms[0] for word in term) for concept in found for term in concept.others}


@pytest.mark.parametrize(
    ("written", "modern"),
    [
        ("澁谷區", "渋谷区"),
        ("金澤", "金沢"),
        ("櫻田", "桜田"),
        ("國勢調査", "国勢調査"),
        ("髙﨑", "高崎"),
        ("渡邊", "渡辺"),
    ],
)
def test_old_kanji_become_new_ones(written: str, modern: str) -> None:
    assert spelling.modern(written) == modern == words.fold(written)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("コンピューター", "コンピュータ"),
        ("コンピュター", "コンピュータ"),
        ("サーバー", "サーバ"),
        ("ヴァイオリン", "バイオリン"),
        ("エレベーター", "エレベータ"),
        ("ウィルス", "ウイルス"),
        ("インターフェース", "インタフェース"),
    ],
)
def test_katakana_written_in_two_ways_are_one_word(one: str, other: str) -> None:
    if one == "サーバー":
        assert words.read_query(one, 5).parts[0].forms[-1] == words.read_query(other, 5).parts[0].forms[-1]
    else:
        assert spelling.settled(one) == spelling.settled(other)


def test_short_words_in_katakana_keep_what_tells_them_apart() -> None:
    assert spelling.settled("ビール") != spelling.settled("ビル")
    assert spelling.settled("ホール") != spelling.settled("ホル")
    assert spelling.settled("避難所ー") == "避難所ー"


@pytest.mark.parametrize(
    ("query", "other"),
    [
        ("shelter", "避難所"),
        ("避難所", "shelter"),
        ("waste collection", "ごみ収集"),
        ("ごみの収集", "収集曜日"),
        ("Public Toilets", "公衆便所"),
        ("こども", "児童"),
        ("ほいくえん", "保育所"),
        ("せんきょ", "投票"),
    ],
)
def test_other_words_for_the_same_are_known_in_both_languages(query: str, other: str) -> None:
    assert other in others(query)


def test_kana_are_heard_as_the_word_that_they_stand_for() -> None:
    assert "=トショカン" in others("としょかん")
    assert "=トショカン" in words.index_text("中央図書館").split()


def test_no_term_in_kana_is_taken_for_the_verb_that_it_begins_with() -> None:
    assert not {"せ", "為る"} & others("選挙")


def test_words_of_every_catalogue_are_looked_for_only_where_nothing_else_is() -> None:
    assert [word.forms[0] for word in meaning.read("人流データ一覧", 9).words] == ["人流"]
    assert [word.forms[0] for word in meaning.read("list of shelters", 9).words] == ["shelter"]
    assert meaning.read("データ", 9).words
    assert meaning.read("the", 9).words


def test_the_table_says_nothing_twice_in_one_line() -> None:
    assert [group for group in GROUPS if len(set(group)) != len(group) or "" in group or len(group) < 2] == []


def test_a_slip_of_the_fingers_leads_to_what_the_table_knows() -> None:
    (concept,) = meaning.read("sheltr", 9).concepts
    assert "避難所" in {
        "".join(word.forms[0] for word in term) for one in meaning.mistyped(concept) for term in one.others
    }
    (known,) = meaning.read("避難", 9).concepts
    assert meaning.mistyped(known) == []


def test_a_name_is_begun_as_it_is_written_and_as_it_sounds() -> None:
    names = ["避難所一覧", "Shelters", "東京都の人口"]
    assert list(completions.going_on("ひなん", names)) == ["避難所一覧"]
    assert list(completions.going_on("ヒナン", names)) == ["避難所一覧"]
    assert list(completions.going_on("避", names)) == ["避難所一覧"]
    assert list(completions.going_on("ＳＨＥＬ", names)) == ["Shelters"]
    assert list(completions.going_on("", names)) == names
