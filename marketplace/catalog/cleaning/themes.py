"""Which of the 17 themes words speak of."""

import re
from collections.abc import Iterable

from marketplace.catalog import words
from marketplace.catalog.states import Theme

_WORDS = {
    Theme.LAND_WEATHER: (
        "気象 気温 降水 降雨 天気 地形 標高 国土 航空写真 河川水位 積雪 地図 weather temperature rainfall"
        " terrain"
    ),
    Theme.POPULATION: (
        "人口 世帯 住民基本台帳 国勢調査 出生 死亡 転入 転出 年齢別 町丁別 population household census birth"
    ),
    Theme.LABOUR: "労働 雇用 賃金 求人 職員数 就業 就労 給与 給料 失業 labour employment wage",
    Theme.AGRICULTURE: (
        "農業 農地 農家 林業 森林 漁業 水産 畜産 生産緑地 農産物 農園 市民農園 agriculture forest fishery"
        " farm"
    ),
    Theme.MANUFACTURING: "工業 製造業 鉱業 工場 製造品 manufacturing industry factory",
    Theme.COMMERCE: "商業 商店街 小売 卸売 市場 飲食店 サービス業 消費生活 商店 店舗 commerce retail market shop",
    Theme.ECONOMY: "経済 物価 家計 総生産 企業 事業所 景気 中小企業 economy enterprise price",
    Theme.HOUSING_LAND: (
        "住宅 土地 建築 都市計画 再開発 地価 用途地域 まちづくり 空き家 耐震 公園 道路工事 開発許可 housing"
        " land building planning park"
    ),
    Theme.ENERGY_WATER: (
        "水道 下水道 電力 電気 エネルギー ガス 浄水 給水 太陽光 発電 水質 water energy electricity sewage"
    ),
    Theme.TRANSPORT_TOURISM: (
        "交通 観光 バス 鉄道 道路 駐輪場 自転車 駐車場 駅 人流 歩行者 宿泊 観光客 時刻表 港湾 空港 トンネル"
        " 橋梁 traffic transport tourism bus bicycle parking pedestrian station"
    ),
    Theme.INFORMATION_SCIENCE: "情報通信 wi-fi wifi インターネット 科学 研究 無線lan 公衆無線 science digital network",
    Theme.EDUCATION_CULTURE: (
        "教育 学校 図書館 文化 文化財 スポーツ 体育館 小学校 中学校 高等学校 幼稚園 博物館 美術館 児童館"
        " 生涯学習 公民館 運動場 入学 写真 画像 school library culture museum sport education"
    ),
    Theme.PUBLIC_FINANCE: (
        "財政 予算 決算 税 選挙 投票 投票所 議会 行政 入札 契約 調達 監査 条例 統計書 町内会 自治会 都民の声"
        " 市民の声 支所 budget tax election finance procurement"
    ),
    Theme.SAFETY_ENVIRONMENT: (
        "防災 避難 避難所 避難場所 災害 犯罪 治安 消防 火災 救急 環境 ごみ 廃棄物 大気 騒音 事故 交通事故"
        " ハザードマップ 浸水 aed 食品ロス リサイクル 公害 帰宅困難者 disaster shelter crime fire safety"
        " environment waste hazard"
    ),
    Theme.WELFARE_HEALTH: (
        "福祉 医療 病院 診療所 介護 保育 保育園 保育所 子育て 高齢者 障害者 障がい者 健康 衛生 感染症"
        " 食品衛生 薬局 老人 年金 保険 社会保障 あはき 助成 ウイルス 検診 health welfare hospital nursery"
        " care medical childcare"
    ),
    Theme.INTERNATIONAL: "国際 外国人 海外 姉妹都市 多文化 通訳 international foreign",
}  # fmt: skip
_BY_WORD = {word: theme for theme, words in _WORDS.items() for word in words.split()}
_FIND = re.compile(
    "|".join(
        rf"\b{re.escape(word)}s?\b" if word.isascii() else re.escape(word)
        for word in sorted(_BY_WORD, key=len, reverse=True)
    )
)
IN_TITLE, IN_OTHERS, SURE_MAX = 70, 12, 95


def themes_of(title: str, others: Iterable[str]) -> list[tuple[Theme, int]]:
    """Return the themes of texts with how sure that is (0 to 100), the surest first; few words, few themes."""
    points: dict[Theme, int] = {}
    for theme in _spoken(title):
        points[theme] = points.get(theme, IN_TITLE - 10) + 10
    for text in others:
        for theme in set(_spoken(text)):
            points[theme] = points.get(theme, 0) + IN_OTHERS
    ranked = sorted(points.items(), key=lambda one: (-one[1], one[0]))
    return [(theme, min(SURE_MAX, sure)) for theme, sure in ranked][:3]


def _spoken(text: str) -> list[Theme]:
    spoken = (found[0] for found in _FIND.finditer(words.fold(text)))
    return [_BY_WORD.get(word) or _BY_WORD[word.removesuffix("s")] for word in spoken]
