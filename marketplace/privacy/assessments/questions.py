"""The questions of an assessment, in both languages, by its depth and by the class of the data."""

from typing import NamedTuple

from marketplace.privacy.assessments.states import Depth
from marketplace.privacy.states import PrivacyClass


class Question(NamedTuple):
    """One question; ``code`` never changes, answers are kept under it."""

    code: str
    ja: str
    en: str


_SHORT = (
    Question(
        "purpose",
        "何のために提供しますか。利用者は何に使うと見込まれますか。",
        "What is the data provided for, and what will users do with it?",
    ),
    Question("source", "誰から、どのように集めた情報ですか。", "From whom and how was the information collected?"),
    Question("people", "何人の、どのような人についての情報ですか。", "About how many people, and which, does it tell?"),
    Question(
        "necessity",
        "各項目はなぜ必要ですか。省ける項目はありませんか。",
        "Why is each item needed, and which could be left out?",
    ),
    Question("risk", "本人にどのような不利益が起こり得ますか。", "What harm might come to the people?"),
    Question(
        "measures", "その不利益をどのような措置で小さくしましたか。", "By which measures was that harm made small?"
    ),
)
_FULL = (
    Question(
        "law",
        "適用される法令と条例、および提供の根拠は何ですか。",
        "Which laws and ordinances apply, and what is the basis?",
    ),
    Question(
        "notice", "本人に何を知らせ、どう同意を得ましたか。", "What were the people told, and how did they consent?"
    ),
    Question(
        "withdrawal",
        "同意の撤回や利用停止の求めに、どう応じますか。",
        "How are withdrawals and objections of people met?",
    ),
    Question(
        "children",
        "子ども、高齢者など弱い立場の人が含まれますか。",
        "Are children or other vulnerable people among them?",
    ),
    Question(
        "flow",
        "集めてから消去するまでの流れを示してください。",
        "Describe the way of the data from collection to deletion.",
    ),
    Question(
        "retention", "利用者はいつまで保有し、どう消去しますか。", "How long may users keep it, and how is it deleted?"
    ),
    Question("security", "提供者と利用者の安全管理措置は何ですか。", "How do provider and users keep it secure?"),
    Question("hearing", "住民や有識者から、どのように意見を聴きましたか。", "How were residents or experts heard?"),
)
_PROCESSED = (
    Question(
        "processing",
        "五つの加工基準を、項目ごとにどう満たしましたか。",
        "How does each item meet the five standards of processing?",
    ),
    Question(
        "reidentification",
        "再識別の試験を行いましたか。結果はどうでしたか。",
        "Was re-identification tried, and with what outcome?",
    ),
)
_SENSITIVE = (
    Question(
        "sensitive",
        "要配慮個人情報の各項目と、同意の取得方法を示してください。",
        "Name each special-care-required item, and how consent to it was given.",
    ),
)
_OF_CLASS = {
    PrivacyClass.ANONYMISED: _PROCESSED,
    PrivacyClass.DEIDENTIFIED: _PROCESSED,
    PrivacyClass.PERSONAL_SENSITIVE: _SENSITIVE,
}


def questions(depth: Depth, privacy_class: PrivacyClass) -> tuple[Question, ...]:
    """Return the questions that an assessment of this depth asks of data of this class."""
    if depth is Depth.NONE:
        return ()
    return _SHORT + (_FULL if depth is Depth.FULL else ()) + _OF_CLASS.get(privacy_class, ())
