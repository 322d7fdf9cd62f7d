"""Requests for the same thing in other words are near, in Japanese and English; like words for another thing less so."""

from marketplace.demand import rules
from marketplace.demand.rules import ALIKE_PERCENT_MIN

SAME = [
    ("札幌市中心部の歩行者数を時間ごとに知りたい", "都心部の人流データ（1時間単位）がほしい"),
    ("バス停ごとの乗降客数", "バスの停留所別の乗り降り人数"),
    ("積雪の深さの観測値", "積雪深の毎日の記録"),
    ("避難所の場所と収容人数", "指定避難所の位置と定員の一覧"),
    ("観光客の国籍別宿泊者数", "外国人宿泊者数を国・地域別に"),
    ("空き家の分布", "空家がどこにあるかの地図"),
    ("保育園の空き状況", "保育所の定員と空き"),
    ("ごみの収集量を地区別に", "地区ごとのゴミ収集量"),
    ("Hourly pedestrian counts in central Sapporo", "Footfall in downtown Sapporo by the hour"),
    ("Bus stop boardings and alightings", "Passengers getting on and off at each bus stop"),
    ("Evacuation shelters and their capacity", "List of shelters for evacuation with capacity"),
    ("人流データ 札幌 1時間", "Pedestrian flow data for Sapporo, hourly"),
]
OTHER = [
    ("札幌市の歩行者数", "札幌市の積雪の深さ"),
    ("バス停ごとの乗降客数", "バスの運行経費"),
    ("避難所の場所と収容人数", "避難訓練の参加者数"),
    ("保育園の空き状況", "駐車場の空き状況"),
    ("観光客の国籍別宿泊者数", "住民の国籍別人口"),
    ("ごみの収集量を地区別に", "地区別の人口"),
    ("空き家の分布", "熊の出没の分布"),
    ("Hourly pedestrian counts in central Sapporo", "Hourly temperature in central Sapporo"),
    ("Bus stop boardings", "Bus fleet fuel use"),
    ("Evacuation shelters and capacity", "Parking garages and capacity"),
    ("小学校の児童数", "小学校の給食の献立"),
    ("水道の使用量を町丁目別に", "電気の使用量を町丁目別に"),
]


ALL = sorted({text for pair in (*SAME, *OTHER) for text in pair})


def shown_for(text: str, count: int = 3) -> list[str]:
    """The first of all other texts that whoever states this one is shown."""
    tokens = rules.tokens_of(text)
    near = {one: rules.likeness(tokens, rules.tokens_of(one)) for one in ALL if one != text}
    return sorted((one for one in near if near[one] >= ALIKE_PERCENT_MIN), key=lambda one: (-near[one], one))[:count]


def test_who_asks_for_the_same_in_other_words_is_among_the_first_three_for_four_in_five() -> None:
    asked = [*SAME, *((second, first) for first, second in SAME)]
    found = [second in shown_for(first) for first, second in asked]
    assert sum(found) >= len(found) * 4 // 5


def test_like_words_for_another_thing_come_first_for_none_that_has_its_like() -> None:
    alike = {text for pair in SAME for text in pair}
    for first, second in OTHER:
        if first in alike:
            assert second not in shown_for(first, 1), first


def test_a_search_by_a_word_finds_what_is_said_by_another_of_its_meaning() -> None:
    for said, sought in (("都心部の人流データがほしい", "歩行者"), ("Footfall in downtown Sapporo", "札幌 人流")):
        assert set(rules.sought_of(sought)) <= set(rules.tokens_of(said)), sought
    assert not set(rules.sought_of("積雪")) <= set(rules.tokens_of("都心部の人流データがほしい"))
