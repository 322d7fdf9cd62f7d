"""One spelling for what is written in several ways: old and new kanji, katakana with and without long marks.

Both the index and the query are brought to it, so that neither needs to know how the other wrote.
"""

import re

# The old form and the one of the official list (常用漢字表), pair by pair.
_OLD_AND_NEW = (
    "亞亜惡悪壓圧圍囲醫医爲為壹壱逸逸隱隠榮栄營営衞衛驛駅圓円鹽塩奧奥應応橫横歐欧毆殴黃黄溫温穩穏假仮價価畫画會会囘回"
    "壞壊懷懐繪絵擴拡殼殻覺覚學学嶽岳樂楽勸勧卷巻寬寛歡歓罐缶觀観關関陷陥巖巌顏顔歸帰氣気龜亀僞偽戲戯犧犠舊旧據拠擧挙虛虚"
    "峽峡挾挟狹狭鄕郷曉暁區区驅駆勳勲徑径惠恵溪渓經経繼継莖茎螢蛍輕軽鷄鶏藝芸缺欠儉倹劍剣圈圏檢検權権獻献縣県險険顯顕驗験"
    "嚴厳效効廣広恆恒鑛鉱號号國国黑黒濟済碎砕齋斎劑剤櫻桜册冊雜雑參参慘惨棧桟蠶蚕贊賛殘残絲糸齒歯兒児辭辞濕湿實実舍舎寫写"
    "釋釈壽寿收収從従澁渋獸獣縱縦肅粛處処敍叙奬奨將将燒焼稱称證証乘乗剩剰壤壌孃嬢條条淨浄疊畳讓譲釀醸囑嘱觸触寢寝愼慎晉晋"
    "眞真盡尽圖図粹粋醉酔穗穂隨随髓髄樞枢數数瀨瀬聲声靜静齊斉攝摂竊窃專専戰戦淺浅潛潜纖繊踐践錢銭禪禅曾曽雙双壯壮搜捜插挿"
    "爭争總総聰聡莊荘裝装騷騒臟臓藏蔵屬属續続墮堕體体對対帶帯滯滞臺台瀧滝擇択澤沢單単擔担膽胆團団彈弾斷断癡痴遲遅晝昼蟲虫"
    "鑄鋳廳庁聽聴鎭鎮遞逓鐵鉄轉転點点傳伝黨党盜盗燈灯當当鬪闘德徳獨独讀読屆届繩縄貳弐惱悩腦脳霸覇廢廃拜拝賣売麥麦發発髮髪"
    "拔抜蠻蛮祕秘彥彦濱浜甁瓶拂払佛仏倂併竝並變変邊辺邉辺邦邦辨弁瓣弁辯弁舖舗穗穂寶宝萠萌襃褒豐豊沒没每毎槇槙萬万滿満麵麺默黙"
    "彌弥藥薬譯訳豫予餘余與与譽誉搖揺樣様謠謡遙遥瑤瑶慾欲來来賴頼亂乱覽覧龍竜兩両獵猟綠緑淚涙壘塁禮礼隸隷靈霊齡齢曆暦歷歴"
    "戀恋鍊錬爐炉勞労朗朗樓楼郞郎祿禄亙亘灣湾島島嶋島嶌島﨑崎髙高德徳塚塚館館舘館濵浜渕淵籠篭檜桧薗園桒桑栁柳槗橋曻昇"
)
_NEW_FOR_OLD = str.maketrans(dict(zip(_OLD_AND_NEW[::2], _OLD_AND_NEW[1::2], strict=True)))
_KATAKANA = re.compile(r"[ァ-ヺー]+")
_KANA = re.compile(r"[ぁ-ゖァ-ヺーゝゞ]+")
_SOUNDS = (("ヴァ", "バ"), ("ヴィ", "ビ"), ("ヴェ", "ベ"), ("ヴォ", "ボ"), ("ヴ", "ブ"), ("ウィ", "ウイ"),
           ("ウェ", "ウエ"), ("ウォ", "ウオ"), ("ディ", "デ"), ("ヂ", "ジ"), ("ヅ", "ズ"),
           ("イヤ", "イア"))  # fmt: skip
_SHORTEST = 3
_TO_KATAKANA = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}


def modern(text: str) -> str:
    """Return the text with the kanji of today's official list: 渋谷区 for 澁谷區."""
    return text.translate(_NEW_FOR_OLD)


def is_kana(text: str) -> bool:
    """Tell whether a text consists of hiragana and katakana alone."""
    return bool(_KANA.fullmatch(text))


def katakana(text: str) -> str:
    """Return kana as katakana in the one spelling of ``settled``."""
    return settled(text.translate(_TO_KATAKANA))


def settled(word: str) -> str:
    """Return a word in katakana without what is written or left out at will; any other word as it is.

    コンピューター, コンピュータ and コンピュター become one; short words such as ビール keep what tells them from ビル.
    """
    if not _KATAKANA.fullmatch(word):
        return word
    for sound, plain in _SOUNDS:
        word = word.replace(sound, plain)
    without = word.replace("ー", "")
    return without if len(without) >= _SHORTEST else word
